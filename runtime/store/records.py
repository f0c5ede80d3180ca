"""The bot store's records for the reconciler and the runtime, as plain frozen values.

Times are ISO 8601 in UTC ("2026-11-22T12:00:00Z"). Nothing here reads or writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

State = Literal["active", "paused"]

ASSISTANT_PREFIX, AGENT_PREFIX = LIVE_PREFIXES = ("asst_", "agent_")
"""Prefixes of a provider's ids: of the Assistants API, and of the Agents API."""
INSTALLATION: Final = "installation"
"""In place of a client's id, in a record of the last apply that is of no client."""
ATTEMPTS_OF_SENDER: Final = "verification"
"""Under this kind, and the number in place of a client, are the attempts at registering a number with WhatsApp."""


@dataclass(frozen=True, slots=True)
class AssistantRecord:
    """An assistant of the engine `responses`, which is sent to the model with each turn."""

    id: str
    name: str
    instructions: str
    model: str
    tools: Sequence[Mapping[str, Any]] = ()
    """Tools as the Responses API accepts them; the endpoints of functions are in the bot's `functions`."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """`reasoning_effort`, `max_output_tokens`."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    client: str | None = None
    managed_by: str | None = None
    """Manifest that declares it, None when it was created through the API."""
    version: int = 1
    created_at: str = ""
    updated_at: str = ""

    @property
    def label(self) -> str:
        """Whose it is: its client's id, or its own where it was created through the API."""
        return self.client or self.id


@dataclass(frozen=True, slots=True)
class BotRecord:
    """Routes one WhatsApp number to one assistant."""

    id: str
    name: str
    twilio_phone_number: str
    """E.164, unique."""
    assistant_id: str | None = None
    """An AssistantRecord's id, or the id of a live object of the Assistants API or the Agents API."""
    instructions: str | None = None
    """Replaces the assistant's instructions on this number when set; likewise `model`."""
    model: str | None = None
    state: State = "active"
    account_sid: str | None = None
    """Twilio account of the client's own."""
    auth_token_env: str | None = None
    """Name of the environment variable with that account's token."""
    fallback_message: str | None = None
    functions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Function tool name → its endpoint, in the shape of `endpoint_values`."""
    policy: Mapping[str, Any] = field(default_factory=dict)
    """How the runtime answers, as `schemas.policy` writes and reads it. Stored unchanged: an unknown key comes from a
    newer program."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    protected: bool = False
    """The reconciler refuses to delete its client; stored here so that it outlives the manifest."""
    client: str | None = None
    managed_by: str | None = None
    version: int = 1
    created_at: str = ""
    updated_at: str = ""

    @property
    def label(self) -> str:
        """Its name in logs and metrics: its client's id, or its own where it was created through the API."""
        return self.client or self.id


def endpoint_values(
    url: object,
    secret_env: object,
    timeout_seconds: float,
    authorization_env: object = None,
    follow_redirects: bool = False,
    user: object = None,
    idempotent: bool = False,
) -> dict[str, Any]:
    """A function's endpoint as a bot has it. What is not used of the keys that the first version did not have is left
    out: an older replica accepts such a bot, and its rows are equal to these.
    """
    values = {"url": url, "secret_env": secret_env, "timeout_seconds": timeout_seconds}
    if authorization_env is not None:
        values["authorization_env"] = authorization_env
    if follow_redirects:
        values["follow_redirects"] = True
    if user is not None:
        values["user"] = user
    if idempotent:
        values["idempotent"] = True
    return values


@dataclass(frozen=True, slots=True)
class AppliedRecord:
    """The values that the last successful apply wrote for one resource: the base of a three-way diff, and the binding
    of a client to a live object without metadata (a Twilio sender)."""

    client: str
    kind: str
    live_id: str
    values: Mapping[str, Any]
    """The declared values, normalised; never a secret."""
    applied_at: str = ""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One apply, for `reconcile history`."""

    id: str
    started_at: str
    actor: str
    digest: str
    git_sha: str | None = None
    finished_at: str | None = None
    outcome: str | None = None
    """applied | partial | failed | interrupted; None while it runs."""
    changes: Sequence[Mapping[str, Any]] | None = ()
    """{"client", "kind", "action", "outcome", "error"}; None when the stored value is damaged."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The owner of the right to apply, and its expiry."""

    owner: str
    acquired_at: str
    expires_at: str


LOOP_PAUSE_SECONDS = 1800.0
"""How long a conversation is not answered once it was found to be a loop between programs."""


@dataclass(frozen=True, slots=True)
class ActivityRecord:
    """A bot's last message, and the result of its last turn."""

    bot_id: str
    last_message_at: str
    last_turn: str | None = None
    """running | answered | unanswered | dead; None before the first one."""
    last_error: str | None = None
    last_undelivered: str | None = None
    """Twilio's error code of the last turn's messages, where one reached no phone (`runtime.store.delivery_errors`)."""
    undelivered: Mapping[str, int] = field(default_factory=dict)
    """Number of messages of the last UNDELIVERED_HOURS that reached no phone, by Twilio's error code."""
    loops: int = 0
    """Number of conversations that are paused, since they are loops between programs."""
    loops_since: str | None = None
    """When the newest of them was paused."""
    last_delivery: str | None = None
    """The outcome of the last turn's messages: delivered | sent (not all of them are reported yet) | undelivered; None
    where it has none."""
    requests: int = 0
    """Number of people's requests to its client that are not answered."""
    request_due_at: str | None = None
    """When the first of them is due by law."""
    blocked: int = 0
    """Number of people of whom nothing is processed."""
    erasures: int = 0
    """Number of erased people of whom something is left elsewhere, which is tried again."""


@dataclass(frozen=True, slots=True)
class ReplyCounts:
    """What the answers to a client's messages of a period took, and what was saved. A turn counts in the period in
    which its messages came in."""

    answered: int
    """Turns with an answer."""
    messages: int
    """Messages of those answers that Twilio accepted; a part of a long answer is one."""
    saved_by_list: int
    """Turns without an answer, since their messages were thanks or goodbyes."""
    saved_by_model: int
    """Turns that the model chose not to answer."""

    @property
    def saved(self) -> int:
        """Replies that were saved, at least one message each."""
        return self.saved_by_list + self.saved_by_model


@dataclass(frozen=True, slots=True)
class UsageRecord:
    """What a client's answers used of one kind of one model in some time."""

    client: str
    kind: str
    """One of `schemas.prices.ModelKind`."""
    model: str
    quantity: int
    nano_usd: int | None
    """10⁻⁹ USD; None where no price is known."""
    turns: int
    """In how many turns it was used."""


@dataclass(frozen=True, slots=True)
class CanaryRecord:
    """The declared canary of a bot, and whether the runtime has stopped it."""

    bot_id: str
    canary: str
    """Its digest (`schemas.canary`)."""
    since: str
    """When it was declared."""
    stopped_at: str | None = None
    reason: str | None = None
    """A word of `runtime.turns.canaries.StopReason`."""


@dataclass(frozen=True, slots=True)
class RatingRecord:
    """What Twilio and Meta said of a number from a time on."""

    number: str
    """E.164."""
    since: str
    """When it was first seen so."""
    status: str
    """ONLINE, OFFLINE, …; an open list."""
    quality: str | None = None
    """HIGH, MEDIUM, LOW, …; None before there is one."""
    messaging_limit: str | None = None
    """In Twilio's words, like `10K Customers/24hr`."""


@dataclass(frozen=True, slots=True)
class VariantRecord:
    """What one of a client's two variants did, in its turns of some time that were the variant's to answer."""

    variant: str
    """`stable` or `canary`."""
    turns: int
    answered: int
    failed: int
    handoffs: int
    """Turns after which people had the conversation."""
    unanswered: int
    """Turns that needed no answer: thanks, or the model's choice."""
    messages: int
    """Messages of its answers that Twilio accepted; a part of a long answer is one."""
    output_tokens: int
    """Of the model's, for those answers: how long they are. What they say may be encrypted."""
    nano_usd: int | None
    """What its turns cost, in 10⁻⁹ USD; None where the price of a part is not known."""


@dataclass(frozen=True, slots=True)
class EditRecord:
    """A change through the API to an object that a manifest declares."""

    kind: str
    """`bot` or `assistant`."""
    object_id: str
    action: str
    """`change`, `declare` (as the reconciler sends it) or `delete`."""
    actor: str
    """The token's name."""
    at: str
    overridden: str | None = None
    """The manifest that declares it."""
    fields: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class NoticeRecord:
    """A finding of drift that was sent to one channel: it is not sent there again until it is resolved."""

    channel: str
    """A digest of the channel's address, which may hold a secret itself."""
    finding: str
    """The resource: `la-cocina/sender/+56912345678`."""
    fingerprint: str
    """A digest of the finding; another one is new."""
    notified_at: str


@dataclass(frozen=True, slots=True)
class SpentRecord:
    """What the ledger has of a client with a budget, for the current month in UTC."""

    client: str
    month: str
    amount: int
    """10⁻⁹ USD."""
    unknown: int
    """Number of rows without a known price, which are not in `amount`."""


@dataclass(frozen=True, slots=True)
class OlderRecord:
    """How many of a client's messages are older than a timestamp, and settled."""

    messages: int
    people: int


@dataclass(frozen=True, slots=True)
class RetentionRecord:
    """A run that deleted of a client what its retention is over for."""

    client: str
    began_at: str
    ended_at: str | None
    """None: it is running, or its process crashed and it is resumed."""
    retention: Mapping[str, Any]
    """As it was declared."""
    deleted: Mapping[str, int]
    """How many of what: messages, sent, turns, memory, notes, transcripts, people, recipients, usage."""
    kept: Mapping[str, int]
    """How many of what is over and not settled: `open`, `dead_letters`."""


@dataclass(frozen=True, slots=True)
class DamagedRecord:
    """A row that cannot be read, since something in it is not what this program writes. The other rows can."""

    table: str
    key: Mapping[str, str]
    """The columns of its primary key, in their order."""
    damaged: str
    """What is wrong with it, without a final stop: "`functions` is not JSON"."""
    client: str | None = None
    """The client that it belongs to; None for a bot or an assistant that was created through the API."""
    number: str | None = None
    """A bot's."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that planning needs from the store, read in one transaction."""

    bots: Sequence[BotRecord]
    assistants: Sequence[AssistantRecord]
    applied: Sequence[AppliedRecord]
    exists: bool = True
    """False when there is no store yet: the first apply creates it."""
    damaged: Sequence[DamagedRecord] = ()
    """Rows of these tables that cannot be read."""
