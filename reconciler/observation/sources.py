"""Reads one source each: the bot store, a list of OpenAI's, the senders of a Twilio account.

`attempt` turns a failed read into a `Failed` with the next step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final, TypeVar

from reconciler.errors import KeyRefused, NotFound, ProviderError
from reconciler.event_streams import PATH
from reconciler.model import AccountKey
from reconciler.observation.live_state import AccountSenders, Documents, Failed, Store, index_store
from reconciler.ownership import client_of
from reconciler.readers.openai import LiveAssistant, ObjectEngine, OpenAIReader, VectorStore
from reconciler.readers.twilio import LiveSender, LiveSink, LiveTemplate, MessagingService, TwilioReader
from reconciler.settings import Settings
from runtime.store.client.light_reader import read_tables
from runtime.store.client.snapshot import read_snapshot
from runtime.store.database.url import is_api
from runtime.store.errors import StoreError

T = TypeVar("T")

MODELS: Final = "OpenAI models"
DOCUMENTS: Final = "OpenAI vector stores"
OBJECTS: Final[Mapping[ObjectEngine, str]] = {"assistants": "OpenAI assistants", "agents": "OpenAI agents"}
"""What sources are called in sentences; an account's senders are called what the account is."""


def attempt(read: Callable[[], T], advice: Callable[[ProviderError], str] = lambda error: "") -> T | Failed:
    """The result of a read, or a `Failed`, in a sentence with the next step."""
    try:
        return read()
    except ProviderError as error:
        said = f"{error}. {advice(error)}".rstrip()
        return Failed(said, gone=isinstance(error, NotFound), refused=isinstance(error, KeyRefused))
    except StoreError as error:
        return Failed(str(error))


@contextmanager
def reading_threads(workers: int, name: str) -> Iterator[ThreadPoolExecutor]:
    """Threads that read. Ctrl-C waits for none: a provider may not answer, and a read leaves nothing incomplete."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix=name)
    is_waiting = True
    try:
        yield pool
    except KeyboardInterrupt:
        is_waiting = False
        raise
    finally:
        pool.shutdown(wait=is_waiting, cancel_futures=not is_waiting)


def read_store(settings: Settings) -> Store:
    """The bot store as it is now. Raises `StoreError`."""
    return index_store(read_snapshot(settings.bot_store_url, settings.api_token, settings.timeout))


def store_exists(settings: Settings) -> bool:
    """Whether there is a bot store; one behind the runtime's API always exists. Raises `StoreError`."""
    url = settings.bot_store_url
    return is_api(url) or read_tables(url, settings.timeout, lambda _: True, False)


def read_objects(settings: Settings, engine: ObjectEngine) -> Sequence[LiveAssistant] | Failed:
    """Every live object of an engine."""
    advice = openai_advice if engine == "assistants" else agents_advice
    return attempt(lambda: open_openai(settings).objects(engine), advice)


def read_documents(settings: Settings, clients: Mapping[str, str | None]) -> Documents | Failed:
    """Every vector store, and the files in those of the `clients`: by their mark, or by the id applied last."""
    found = attempt(lambda: open_openai(settings).vector_stores(), documents_advice)
    if isinstance(found, Failed):
        return found
    by_client: dict[str, list[VectorStore]] = {}
    for live in found:
        owner = client_of(live.metadata)
        if owner is not None:
            by_client.setdefault(owner, []).append(live)
    applied = set(clients.values())
    ours = [live.id for live in found if live.id in applied or client_of(live.metadata) in clients]
    reader = open_openai(settings)
    with ThreadPoolExecutor(settings.openai_concurrency, thread_name_prefix="documents") as pool:
        files = pool.map(lambda key: attempt(lambda: reader.store_files(key), documents_advice), ours)
        return Documents({live.id: live for live in found}, by_client, dict(zip(ours, files, strict=True)))


def read_senders(
    settings: Settings,
    account: AccountKey,
    needs_fetch: Callable[[LiveSender], bool],
    listed: Future[Sequence[LiveSender]] | None = None,
) -> AccountSenders:
    """An account's senders: listed, unless they are `listed` already, and those with missing fields in the list fetched
    one by one."""
    reader = open_twilio(settings, account)
    found = reader.senders() if listed is None else listed.result()
    by_number: dict[str, LiveSender | Failed] = {live.number: live for live in found}
    sparse = [live for live in found if needs_fetch(live)]
    if sparse:
        with ThreadPoolExecutor(settings.twilio_concurrency, thread_name_prefix="senders") as pool:
            whole = pool.map(lambda live: attempt(lambda: reader.sender(live.sid), twilio_advice), sparse)
            by_number.update(zip((live.number for live in sparse), whole, strict=True))
    by_sid = {live.sid: live for live in (*found, *by_number.values()) if isinstance(live, LiveSender)}
    return AccountSenders(reader.account_sid, by_number, by_sid)


def read_contents(settings: Settings, account: AccountKey) -> Mapping[str, str] | Failed:
    """An account's contents for buttons and lists: name → `HX…`."""
    return attempt(lambda: open_twilio(settings, account).contents(), contents_advice)


def read_templates(settings: Settings, account: AccountKey) -> Sequence[LiveTemplate] | Failed:
    """An account's contents, with what Meta says about them."""
    return attempt(lambda: open_twilio(settings, account).templates(), templates_advice)


def read_sinks(settings: Settings, account: AccountKey) -> Sequence[LiveSink] | Failed:
    """The account's sinks of events that go to this runtime, or to another address of one."""
    return attempt(lambda: open_twilio(settings, account).sinks(PATH), events_advice)


def read_services(settings: Settings, account: AccountKey) -> Sequence[MessagingService] | Failed:
    """An account's Messaging Services."""
    return attempt(lambda: open_twilio(settings, account).services(), twilio_advice)


def open_openai(settings: Settings) -> OpenAIReader:
    """A reader of OpenAI. Raises `KeyRefused` without a key."""
    if not settings.openai_api_key:
        raise KeyRefused("OPENAI_API_KEY is not set")
    return OpenAIReader(settings)


def open_twilio(settings: Settings, account: AccountKey) -> TwilioReader:
    """A reader of one Twilio account. Raises `KeyRefused` without its SID or token."""
    token = settings.secret(account.token_env)
    if not account.sid:
        raise KeyRefused("TWILIO_ACCOUNT_SID is not set")
    if not token:
        raise KeyRefused(f"{account.token_env}, the auth token of {account.sid}, is not set")
    return TwilioReader(settings, account.sid, token)


def openai_advice(error: ProviderError) -> str:
    """What to do when OpenAI could not be read."""
    if isinstance(error, KeyRefused):
        return "Set OPENAI_API_KEY to a key that is valid for this project."
    if isinstance(error, NotFound):
        return (
            "OpenAI switched the Assistants API off on 2026-08-26: set `engine: responses` in the manifest, or "
            "OPENAI_BASE_URL to a server that still speaks it."
        )
    return "Check OPENAI_BASE_URL and the provider's status, then run again."


def agents_advice(error: ProviderError) -> str:
    """What to do when OpenAI's agents could not be read."""
    if isinstance(error, KeyRefused):
        return "Set OPENAI_API_KEY to a key with the permissions api.agents.read and api.agents.write."
    if isinstance(error, NotFound):
        return "The server at OPENAI_BASE_URL has no Agents API: set `engine: responses`, or name a server that has it."
    return openai_advice(error)


def documents_advice(error: ProviderError) -> str:
    """What to do when OpenAI's vector stores could not be read."""
    if isinstance(error, NotFound):
        return "The server at OPENAI_BASE_URL has no vector stores: remove file_search, or name a server that has them."
    return openai_advice(error)


def contents_advice(error: ProviderError) -> str:
    """What to do when an account's contents could not be read."""
    if isinstance(error, NotFound):
        return "The account has no Content API: remove replies.buttons, or name an account that has it."
    return twilio_advice(error)


def templates_advice(error: ProviderError) -> str:
    """What to do when an account's templates could not be read."""
    if isinstance(error, NotFound):
        return "The account has no Content API: remove templates, or name an account that has it."
    return twilio_advice(error)


def events_advice(error: ProviderError) -> str:
    """What to do when an account's sinks of events could not be read."""
    if isinstance(error, NotFound):
        return "The account has no Event Streams: remove sender.template_events."
    return twilio_advice(error)


def twilio_advice(error: ProviderError) -> str:
    """What to do when Twilio could not be read."""
    if isinstance(error, KeyRefused):
        return "Set TWILIO_ACCOUNT_SID and the auth token to a pair that belongs together."
    if isinstance(error, NotFound):
        return "The account has no WhatsApp Senders API, or the sender does not exist any more."
    return "Check Twilio's status, then run again."
