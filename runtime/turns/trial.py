"""A conversation with an assistant outside of the service: `reconcile chat`, `test` and `compare`, and the console's
page for trying.

    messages ──► Turns.run: policy → prepare → engine → split     the code of the service, all of it
                   │ store      in memory (`trial_store`)
                   │ model      what the caller gives: a server, or recordings of one
                   │ functions  what the caller gives: fixtures, a person, the endpoints
                   └ delivery   nothing is sent: the messages are in the ending

Nothing is written outside of this process, and Twilio is not called. A trial has no budget: what a client's month has
left would decide what it answers; and no canary: the assistant that is given answers.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from runtime.budgets.budgets import Budgets
from runtime.catalog import Catalog
from runtime.content.parts import Audio, Content, Document, Image, Media, Text, Video, Voice
from runtime.content.rendering import for_model
from runtime.delivery.reply_window import ReplyWindows
from runtime.engines.functions import FunctionCall, Functions
from runtime.engines.responses_api import ModelApi, ResponsesApi
from runtime.engines.selection import Engines
from runtime.errors import PermanentError
from runtime.media.documents import DocumentOpener
from runtime.media.fetching import TooLarge
from runtime.media.file_types import HEAD_BYTES, OGG_OPUS, type_of
from runtime.media.folder import MediaFolder
from runtime.memory import remembered
from runtime.observability.metrics import Metrics
from runtime.price_list import PriceList
from runtime.resilience.breakers import Breakers
from runtime.resilience.poison import Suspects
from runtime.settings import Secrets, Settings
from runtime.store.database.times import timestamp
from runtime.store.messages.consents import stated_as
from runtime.store.messages.conversations import Conversation
from runtime.store.messages.outbox import OutboxRow
from runtime.store.messages.turns import Ending, TurnTakenOver
from runtime.store.records import AssistantRecord, BotRecord
from runtime.turns.ownership import OwnedTurns
from runtime.turns.ports import CallsFunctions
from runtime.turns.read_files import FileReader
from runtime.turns.trial_store import CONVERSATION, TrialStore
from runtime.turns.turn import Turns
from runtime.twilio.accounts import Account, Accounts
from schemas.policy_document import read_document
from schemas.tariffs import Tariffs

PHONE: Final = "+56900000000"
"""Of a person who has no number in a trial."""
ACCOUNT: Final = f"AC{0:032x}"
_NOT_TRIED: Final = ("budget", "canary", "fallback_model")
"""Keys of a policy that let another assistant answer than the one that is tried, or none."""
_SALT: Final = "trial"
"""The same in every run: the pseudonym of a person is part of a request."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One answer, or that there is none."""

    ending: Ending
    calls: Sequence[Mapping[str, Any]]
    """The functions that were called, built-in ones included: `name`, `arguments` (JSON) and `output`, in order."""

    @property
    def messages(self) -> Sequence[str]:
        """What would be sent, a message each, as a person reads it."""
        return [message.content.readable for message in self.ending.outbound]

    @property
    def text(self) -> str:
        """All of it."""
        return "\n\n".join(self.messages)

    @property
    def nano_usd(self) -> int | None:
        """10⁻⁹ USD that its models cost; None where a price is not known."""
        amounts = [line.amount for line in self.ending.lines]
        known = [amount for amount in amounts if amount is not None]
        return sum(known) if len(known) == len(amounts) else None


class AnswerNeeded(TurnTakenOver):
    """A function is answered by a person: the turn is left, and continues with what they say."""


class AsksPerson:
    """Functions that a person answers: a CallsFunctions."""

    secrets: Secrets

    def __init__(self) -> None:
        self.secrets = PlaceholderSecrets()

    async def call(self, endpoint: Mapping[str, Any] | None, call: FunctionCall) -> str:
        """See CallsFunctions. Raises AnswerNeeded."""
        raise AnswerNeeded(call.name)


class Trials:
    """What the conversations of one run share. Close it at the end."""

    def __init__(
        self,
        tariffs: Tariffs,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        settings: Settings | None = None,
    ) -> None:
        """`settings`: of the installation, where it is one that tries; its own way to the model is taken then."""
        away: dict[str, Any] = {
            "twilio_account_sid": ACCOUNT,
            "twilio_auth_token": SecretStr("none"),
            "debounce_seconds": 0.0,
        }
        self.settings = (
            settings.model_copy(update=away)
            if settings is not None
            else Settings.model_construct(
                openai_api_key=SecretStr(api_key) if api_key else None, openai_base_url=base_url, **away
            )
        )
        self.tariffs = tariffs
        self.metrics = Metrics()
        self.breakers = Breakers(self.settings.breaker_seconds, self.metrics)
        self.folder = MediaFolder(None)
        nothing = TrialStore(_NO_BOT, None, _conversation(_NO_BOT, None, None), tariffs, {}, 0, lambda: 0.0)
        self.prices = PriceList(nothing, Catalog(nothing, _SALT))

    def server(self) -> ResponsesApi:
        """The model's provider; close it."""
        key = self.settings.openai_api_key
        secret = key.get_secret_value() if key else None
        return ResponsesApi(self.settings.openai_base_url, secret, self.settings.model_timeout_seconds)

    def close(self) -> None:
        """Removes what lay on disk."""
        self.folder.close()


class TrialConversation:
    """One conversation of a person with an assistant."""

    def __init__(
        self,
        trials: Trials,
        bot: BotRecord,
        assistant: AssistantRecord,
        api: ModelApi,
        functions: CallsFunctions,
        *,
        name: str | None = None,
        phone: str | None = None,
        has_consented: bool = True,
    ) -> None:
        """`has_consented`: to a model reading what they write, where the client asks for that."""
        self.now = 0.0
        """When the person writes, in seconds since 1970: the caller's to set."""
        bot = _triable(bot)
        policy = bot.policy
        self._sender = f"whatsapp:{phone or PHONE}"
        self._name = name
        sizes = {file["sha256"]: file["size"] for file in (policy.get("files") or {}).values()}
        items = (policy.get("memory") or {}).get("items") or trials.settings.memory_items
        conversation = _conversation(bot, self._sender, name)
        if has_consented and (version := _consent_version(bot)) is not None:
            conversation = conversation._replace(consent=stated_as("yes", version, timestamp(0.0)))
        self._store = TrialStore(bot, assistant, conversation, trials.tariffs, sizes, items, lambda: self.now)
        self._turns = self._composed(trials, self._store, api, functions)

    def _composed(self, trials: Trials, store: TrialStore, api: ModelApi, functions: CallsFunctions) -> Turns:
        settings, metrics = trials.settings, trials.metrics
        catalog = Catalog(store, _SALT)
        budgets = Budgets(store, trials.prices)
        engines = Engines(settings, metrics, trials.breakers, store, trials.prices, budgets, api)
        accounts = Accounts(settings, functions.secrets)
        self._owned = OwnedTurns(store)
        return Turns(
            settings,
            store,
            catalog,
            engines,
            functions,
            [FileReader(_LocalFiles(), DocumentOpener(), engines.transcriber, accounts)],
            trials.folder,
            _NoTyping(),
            _NoDelivery(),
            ReplyWindows(),
            self._owned,
            Suspects(),
            trials.prices,
            budgets,
            metrics,
            lambda: self.now,
        )

    async def say(self, texts: Sequence[str], files: Sequence[Path] = (), progress: str | None = None) -> Tried:
        """What is answered to these messages, which come together; each file is one of its own. `progress`: of a turn
        that AnswerNeeded left, with the answer. Raises AnswerNeeded where functions ask for one."""
        contents = [Content((Text(text),), profile_name=self._name) for text in texts]
        contents += [Content((_media(path),), profile_name=self._name) for path in files]
        turn = self._store.begin(contents, ACCOUNT, self._sender, progress)
        self._owned.adopt(turn)
        again = await self._turns.run(CONVERSATION, begun=turn)
        while again and self._store.ending is None:
            again = await self._turns.run(CONVERSATION)
        if self._store.ending is None:
            raise LookupError("a turn ended without an ending")
        return Tried(self._store.ending, list(_calls(self._store.ending)))

    def replace(self, bot: BotRecord, assistant: AssistantRecord) -> None:
        """Lets another assistant answer from now on; what was said stays."""
        self._store.bot, self._store.assistant = _triable(bot), assistant

    def given(self, texts: Sequence[str], answer: str) -> None:
        """Adds an exchange that took place before, with its answer; no model is asked."""
        said = [{"role": "user", "content": for_model(Content((Text(text),)))} for text in texts]
        self._store.given([remembered(item) for item in (*said, {"role": "assistant", "content": answer})], answer)

    @property
    def progress(self) -> str | None:
        """The notes of the newest turn, as JSON."""
        return self._store.progress

    def state(self) -> Mapping[str, Any]:
        """What a later conversation continues from, as JSON values."""
        return self._store.state()

    def resume(self, state: Mapping[str, Any]) -> None:
        """Continues from what `state` returned."""
        self._store.resume(state)

    @property
    def is_with_people(self) -> bool:
        """Whether people have it, so that the assistant does not answer."""
        return self._store.conversation.state == "human"


class _LocalFiles:
    """Files of this machine, at `file:` URLs."""

    async def fetch(self, url: str, account: Account, path: Path, limit: int, deadline: float | None = None) -> int:
        """See FetchesFiles."""
        return await asyncio.to_thread(_copied, Path(unquote(urlsplit(url).path)), path, limit)


def _copied(source: Path, path: Path, limit: int) -> int:
    try:
        size = source.stat().st_size
        if size > limit:
            raise TooLarge(f"{source.name} has {size:,} bytes")
        shutil.copyfile(source, path)
    except OSError as error:
        raise PermanentError(f"{source.name} cannot be read: {error.strerror}") from error
    return size


class _NoTyping:
    """No person waits at a phone."""

    def while_answering(self, bot: BotRecord, message_sid: str) -> AbstractContextManager[None]:
        """See ShowsTyping."""
        return nullcontext()


class _NoDelivery:
    """A trial's store returns no row to deliver."""

    async def deliver(self, rows: Sequence[OutboxRow], bot: BotRecord | None) -> None:
        """See Delivers."""


_NO_BOT: Final = BotRecord("none", "none", PHONE)
_KINDS: Final = {"image": Image, "video": Video, "audio": Audio}


def _consent_version(bot: BotRecord) -> str | None:
    """Of the text with which people are asked; None where they are not."""
    data = read_document(bot.policy).policy.data
    return data.consent.version if data is not None and data.consent is not None else None


def _triable(bot: BotRecord) -> BotRecord:
    policy = {key: value for key, value in bot.policy.items() if key not in _NOT_TRIED}
    return replace(bot, policy=policy, account_sid=None, auth_token_env=None)


def _conversation(bot: BotRecord, sender: str | None, name: str | None) -> Conversation:
    return Conversation(CONVERSATION, bot.id, sender or "", name, None, "assistant", None, None, None, None)


def _media(path: Path) -> Media:
    """A file as Twilio would report it: by the first bytes."""
    with path.open("rb") as file:
        content_type = type_of(file.read(HEAD_BYTES), "application/octet-stream")
    kind = Voice if content_type == OGG_OPUS else _KINDS.get(content_type.partition("/")[0], Document)
    return kind(path.resolve().as_uri(), content_type)


def _calls(ending: Ending) -> Sequence[Mapping[str, Any]]:
    """The calls in what a turn leaves, with their results."""
    items = [json.loads(item) for item, _ in ending.items]
    outputs = {item["call_id"]: item["output"] for item in items if item.get("type") == "function_call_output"}
    return [
        {"name": item["name"], "arguments": item["arguments"], "output": outputs.get(item["call_id"])}
        for item in items
        if item.get("type") == "function_call"
    ]


PLACEHOLDER: Final = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")


class PlaceholderSecrets(Secrets):
    """Every variable is set, to a text that stands for it: a request is the same wherever it is made, and holds no
    secret."""

    def __init__(self) -> None:
        super().__init__(Path(os.devnull))

    def get(self, name: str) -> str | None:
        """See Secrets."""
        return f"${{{name}}}"


def endpoints(*, allow_private: bool) -> Functions:
    """The clients' endpoints themselves, with the secrets of this machine; close it."""
    return Functions(Secrets(), allow_private=allow_private)
