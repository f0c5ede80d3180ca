"""Reads every side at once: the bot store, OpenAI and each Twilio account.

A side that cannot be read is not empty, it is unresolved: it stands in the world as a `Failed` with the reason, and
every client that depends on it is left alone.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from reconciler.kinds.marker import client_of
from reconciler.manifest import Fleet, Manifest
from reconciler.model import KINDS, AccountKey
from reconciler.readers.http import NotFound, ReadError, Unauthorized
from reconciler.readers.openai import (
    OBJECT_ENGINES,
    OBJECT_PREFIXES,
    LiveAssistant,
    Model,
    ObjectEngine,
    OpenAIReader,
    StoreFile,
    VectorStore,
)
from reconciler.readers.twilio import ONLINE, LiveSender, TwilioReader
from reconciler.settings import Settings
from runtime.store.errors import StoreError
from runtime.store.records import AppliedRecord, AssistantRecord, BotRecord, Snapshot
from runtime.store.snapshot import read_snapshot

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Failed:
    """A side that could not be read, in a sentence with the next step."""

    message: str
    gone: bool = False
    """The server has no such API, so nothing can be left there."""


@dataclass(frozen=True, slots=True)
class Store:
    """The bot store's snapshot, indexed."""

    bots: Mapping[str, BotRecord]
    bots_by_number: Mapping[str, BotRecord]
    bots_by_client: Mapping[str, BotRecord]
    assistants: Mapping[str, AssistantRecord]
    assistants_by_client: Mapping[str, AssistantRecord]
    applied: Mapping[tuple[str, str], AppliedRecord]
    exists: bool
    bots_of_assistant: Mapping[str, int]
    """How many bots each assistant answers for, by the assistant's id."""

    @property
    def clients(self) -> set[str]:
        """Every client that the store has anything of."""
        return {*self.bots_by_client, *self.assistants_by_client, *(client for client, _ in self.applied)}


@dataclass(frozen=True, slots=True)
class Senders:
    """One Twilio account's senders, indexed."""

    account_sid: str
    by_number: Mapping[str, LiveSender | Failed]
    """A `Failed` where the list left something out and the sender itself could not be read."""
    by_sid: Mapping[str, LiveSender]


@dataclass(frozen=True, slots=True)
class Documents:
    """OpenAI's vector stores, indexed."""

    stores: Mapping[str, VectorStore] = field(default_factory=dict)
    """By id."""
    by_client: Mapping[str, Sequence[VectorStore]] = field(default_factory=dict)
    """Those that carry a client's mark."""
    files: Mapping[str, Sequence[StoreFile] | Failed] = field(default_factory=dict)
    """What is in those, and in those that were applied last, by the store's id."""


@dataclass(frozen=True, slots=True)
class World:
    """All that was read, at one moment."""

    store: Store | Failed
    models: Mapping[str, Model] | Failed
    objects: Mapping[ObjectEngine, Sequence[LiveAssistant] | Failed]
    """Assistants that live at the provider, by engine; empty and not asked for when nobody uses it."""
    objects_by_client: Mapping[str, Sequence[LiveAssistant]] = field(default_factory=dict)
    """Those of them that carry a client's mark."""
    senders: Mapping[str, Senders | Failed] = field(default_factory=dict)
    """By account SID."""
    documents: Documents | Failed = field(default_factory=Documents)
    """Empty and not asked for when nobody searches in documents."""


MANAGED_URLS = ("callback_url", "fallback_url", "status_callback_url")
"""Of a sender's webhook; its methods are POST where Twilio names none."""

SHARED_TOKEN_ENV = "TWILIO_AUTH_TOKEN"  # noqa: S105 - the name of the variable, not its value


def account_of(manifest: Manifest, settings: Settings) -> AccountKey:
    """The Twilio account that a client's number lives in: its own, else the shared one."""
    own = manifest.client.sender.account
    return AccountKey(own.sid, own.auth_token.env) if own else shared_account(settings)


def account_of_bot(bot: BotRecord | None, settings: Settings) -> AccountKey:
    """The same for a client without a manifest, as its bot remembers it."""
    if bot is None or bot.account_sid is None:
        return shared_account(settings)
    return AccountKey(bot.account_sid, bot.auth_token_env or SHARED_TOKEN_ENV)


def shared_account(settings: Settings) -> AccountKey:
    """The account of every client that has none of its own."""
    return AccountKey(settings.twilio_account_sid, SHARED_TOKEN_ENV)


@dataclass(frozen=True, slots=True)
class Begun:
    """Reads on their way that no manifest decides."""

    store: Future[Store | Failed]
    objects: Mapping[ObjectEngine, Future[Sequence[LiveAssistant] | Failed | None]]
    """None where the store knows of nobody who uses that engine."""


def begin(settings: Settings) -> Begun:
    """Begin to read the store, and the objects of each engine of which the store says that somebody uses it.

    Each page of those lists names the next one, so this is the longest way; manifests are parsed meanwhile.
    """
    store = _begin_store(settings)

    def objects(engine: ObjectEngine) -> Sequence[LiveAssistant] | Failed | None:
        return read_objects(settings, engine) if _is_used(engine, store.result()) else None

    return Begun(store, {engine: _in_background(partial(objects, engine)) for engine in OBJECT_ENGINES})


def _begin_store(settings: Settings) -> Future[Store | Failed]:
    def read() -> Store | Failed:
        return attempt(lambda: read_store(settings))

    if not settings.bot_store_url.startswith("sqlite:"):
        return _in_background(read)
    # SQLite lets go of the interpreter at each row; beside a busy parser it would get it back thousands of times late.
    store: Future[Store | Failed] = Future()
    store.set_result(read())
    return store


def _in_background(read: Callable[[], T]) -> Future[T]:
    """Read in a daemon thread: a command that finds its manifests wrong ends without waiting for it."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(read())
        except BaseException as error:  # noqa: BLE001 - raised again where the result is asked for
            future.set_exception(error)

    threading.Thread(target=run, name="begun", daemon=True).start()
    return future


def observe(fleet: Fleet, settings: Settings, *, whole_senders: bool = False, begun: Begun | None = None) -> World:
    """Read all sides concurrently; live objects only of the engines that the store or a manifest uses.

    A sender is fetched by itself where the list left out what we manage, or why it is not online; with `whole_senders`
    also where it left out the quality rating. What was `begun` is not read again.
    """
    begun = begun or begin(settings)
    manifests = {manifest.client.number: manifest for manifest in fleet.clients}
    declared = {account_of(manifest, settings) for manifest in fleet.clients}
    with ThreadPoolExecutor(max_workers=32, thread_name_prefix="observe") as pool:

        def reading_senders(account: AccountKey) -> Future[Senders | Failed]:
            return pool.submit(attempt, partial(read_senders, settings, account, is_wanted), twilio_advice)

        def is_wanted(live: LiveSender) -> bool:
            manifest = manifests.get(live.number)
            return manifest is not None and (is_sparse(live, manifest) or (whole_senders and not live.is_rating_told))

        models = pool.submit(attempt, lambda: open_openai(settings).models(), openai_advice)
        senders = {account: reading_senders(account) for account in declared}
        store = begun.store.result()
        applied = _applied_vector_stores(store)
        documents = None
        if applied or any(manifest.search is not None for manifest in fleet.clients):
            documents = pool.submit(read_documents, settings, applied)
        late = [engine for engine in _declared_engines(fleet) if not _is_used(engine, store)]
        reading = dict(begun.objects)
        for engine in late:
            reading[engine] = pool.submit(read_objects, settings, engine)
        for account in _accounts_of_orphans(fleet, store, settings) - declared:
            senders[account] = reading_senders(account)
        objects = {engine: read.result() or () for engine, read in reading.items()}
        return World(
            store=store,
            models=models.result(),
            objects=objects,
            objects_by_client=_by_client(objects.values()),
            senders={account.sid or "": reading.result() for account, reading in senders.items()},
            documents=documents.result() if documents else Documents(),
        )


def _by_client(objects: Iterable[Sequence[LiveAssistant] | Failed]) -> Mapping[str, Sequence[LiveAssistant]]:
    found: dict[str, list[LiveAssistant]] = {}
    for read in objects:
        for live in () if isinstance(read, Failed) else read:
            owner = client_of(live.metadata)
            if owner is not None:
                found.setdefault(owner, []).append(live)
    return found


def _accounts_of_orphans(fleet: Fleet, store: Store | Failed, settings: Settings) -> set[AccountKey]:
    """Accounts of clients whose manifest is gone; asked so that an orphan can be described and pruned."""
    if isinstance(store, Failed):
        return set()
    declared = {manifest.client.id for manifest in fleet.clients}
    return {account_of_bot(store.bots_by_client.get(client), settings) for client in store.clients - declared}


def attempt(read: Callable[[], T], advice: Callable[[ReadError], str] = lambda error: "") -> T | Failed:
    """What was read, or that it could not be, in a sentence with the next step."""
    try:
        return read()
    except ReadError as error:
        return Failed(f"{error}. {advice(error)}".rstrip(), gone=isinstance(error, NotFound))
    except StoreError as error:
        return Failed(str(error))


def read_store(settings: Settings) -> Store:
    """The bot store as it is now. Raises `StoreError`."""
    return index_store(read_snapshot(settings.bot_store_url, settings.api_token, settings.timeout))


def read_objects(settings: Settings, engine: ObjectEngine) -> Sequence[LiveAssistant] | Failed:
    """Every live object of an engine."""
    advice = openai_advice if engine == "assistants" else agents_advice
    return attempt(lambda: open_openai(settings).objects(engine), advice)


def read_documents(settings: Settings, applied: Collection[str]) -> Documents | Failed:
    """Every vector store, and the files in those that are ours: by their mark, or by their id among the `applied`."""
    found = attempt(lambda: open_openai(settings).vector_stores(), documents_advice)
    if isinstance(found, Failed):
        return found
    by_client: dict[str, list[VectorStore]] = {}
    for live in found:
        owner = client_of(live.metadata)
        if owner is not None:
            by_client.setdefault(owner, []).append(live)
    ours = [live.id for live in found if live.id in applied or client_of(live.metadata) is not None]
    reader = open_openai(settings)
    with ThreadPoolExecutor(settings.openai_concurrency, thread_name_prefix="documents") as pool:
        files = pool.map(lambda key: attempt(lambda: reader.store_files(key), documents_advice), ours)
        return Documents({live.id: live for live in found}, by_client, dict(zip(ours, files, strict=True)))


def _applied_vector_stores(store: Store | Failed) -> set[str]:
    if isinstance(store, Failed):
        return set()
    return {record.live_id for record in store.applied.values() if record.kind == "knowledge"}


def index_store(snapshot: Snapshot) -> Store:
    """The snapshot with the look-ups that planning needs."""
    return Store(
        bots={bot.id: bot for bot in snapshot.bots},
        bots_by_number={bot.twilio_phone_number: bot for bot in snapshot.bots},
        bots_by_client={bot.client: bot for bot in snapshot.bots if bot.client is not None},
        assistants={assistant.id: assistant for assistant in snapshot.assistants},
        assistants_by_client={record.client: record for record in snapshot.assistants if record.client is not None},
        applied={(record.client, record.kind): record for record in snapshot.applied if record.kind in KINDS},
        exists=snapshot.exists,
        bots_of_assistant=Counter(bot.assistant_id for bot in snapshot.bots if bot.assistant_id is not None),
    )


def open_openai(settings: Settings) -> OpenAIReader:
    """A reader of OpenAI. Raises `Unauthorized` without a key."""
    if not settings.openai_api_key:
        raise Unauthorized("OPENAI_API_KEY is not set")
    return OpenAIReader(settings)


def open_twilio(settings: Settings, account: AccountKey) -> TwilioReader:
    """A reader of one Twilio account. Raises `Unauthorized` without its SID or token."""
    token = settings.secret(account.token_env)
    if not account.sid:
        raise Unauthorized("TWILIO_ACCOUNT_SID is not set")
    if not token:
        raise Unauthorized(f"{account.token_env}, the auth token of {account.sid}, is not set")
    return TwilioReader(settings, account.sid, token)


def read_senders(settings: Settings, account: AccountKey, needs_fetch: Callable[[LiveSender], bool]) -> Senders:
    """An account's senders: listed, and those of which the list leaves out too much fetched one by one."""
    reader = open_twilio(settings, account)
    found = reader.senders()
    by_number: dict[str, LiveSender | Failed] = {live.number: live for live in found}
    sparse = [live for live in found if needs_fetch(live)]
    if sparse:
        with ThreadPoolExecutor(settings.twilio_concurrency, thread_name_prefix="senders") as pool:
            whole = pool.map(lambda live: attempt(lambda: reader.sender(live.sid), twilio_advice), sparse)
            by_number.update(zip((live.number for live in sparse), whole, strict=True))
    by_sid = {live.sid: live for live in (*found, *by_number.values()) if isinstance(live, LiveSender)}
    return Senders(reader.account_sid, by_number, by_sid)


def is_sparse(live: LiveSender, manifest: Manifest) -> bool:
    """Whether the list left a field empty that we manage, or why a sender is not online, so that it must be fetched."""
    webhook = live.webhook or {}
    if live.status not in ONLINE or any(webhook.get(key) is None for key in MANAGED_URLS):
        return True
    return live.profile is None and manifest.client.sender.profile.model_fields_set != set()


def _declared_engines(fleet: Fleet) -> list[ObjectEngine]:
    wanted = {manifest.client.assistant.engine for manifest in fleet.clients}
    return [engine for engine in OBJECT_ENGINES if engine in wanted]


def _is_used(engine: ObjectEngine, store: Store | Failed) -> bool:
    """Whether the store knows of anyone who uses an engine.

    Bots that somebody made by hand count for agents only: the Assistants API is mostly gone, and asked for a manifest.
    """
    if isinstance(store, Failed):
        return False
    if any(item.kind == "assistant" and item.values.get("engine") == engine for item in store.applied.values()):
        return True
    prefix = OBJECT_PREFIXES[engine]
    return engine == "agents" and any(named.startswith(prefix) for named in store.bots_of_assistant)


def openai_advice(error: ReadError) -> str:
    """What to do when OpenAI could not be read."""
    if isinstance(error, Unauthorized):
        return "Set OPENAI_API_KEY to a key that is valid for this project."
    if isinstance(error, NotFound):
        return (
            "OpenAI switched the Assistants API off on 2026-08-26: set `engine: responses` in the manifest, or "
            "OPENAI_BASE_URL to a server that still speaks it."
        )
    return "Check OPENAI_BASE_URL and the provider's status, then run again."


def agents_advice(error: ReadError) -> str:
    """What to do when OpenAI's agents could not be read."""
    if isinstance(error, Unauthorized):
        return "Set OPENAI_API_KEY to a key with the permissions api.agents.read and api.agents.write."
    if isinstance(error, NotFound):
        return "The server at OPENAI_BASE_URL has no Agents API: set `engine: responses`, or name a server that has it."
    return openai_advice(error)


def documents_advice(error: ReadError) -> str:
    """What to do when OpenAI's vector stores could not be read."""
    if isinstance(error, NotFound):
        return "The server at OPENAI_BASE_URL has no vector stores: remove file_search, or name a server that has them."
    return openai_advice(error)


def twilio_advice(error: ReadError) -> str:
    """What to do when Twilio could not be read."""
    if isinstance(error, Unauthorized):
        return "Set TWILIO_ACCOUNT_SID and the auth token to a pair that belongs together."
    if isinstance(error, NotFound):
        return "The account has no WhatsApp Senders API, or the sender is gone."
    return "Check Twilio's status, then run again."
