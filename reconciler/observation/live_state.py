"""The result of an observation: every source, with the look-ups that planning needs.

A source that could not be read is not empty, it is unresolved: it is a `Failed` with the reason, and every client that
depends on it is left unchanged.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from reconciler.event_streams import KIND as EVENT_STREAM
from reconciler.intents import Intent, intents_of
from reconciler.model import KIND_ORDER, SHOWN, AccountKey, KindName, Values
from reconciler.origin import KIND as ORIGIN
from reconciler.origin import Origin, origin_of
from reconciler.readers.openai import LiveAssistant, Model, ObjectEngine, StoreFile, VectorStore
from reconciler.readers.twilio import LiveSender, LiveSink, LiveTemplate, MessagingService
from runtime.store.records import AppliedRecord, AssistantRecord, BotRecord, DamagedRecord, Snapshot
from runtime.store.tariffs_record import KIND as TARIFFS


@dataclass(frozen=True, slots=True)
class Failed:
    """A source that could not be read, in a sentence with the next step."""

    message: str
    gone: bool = False
    """The server has no such API, so no object can be left there."""
    refused: bool = False
    """The credentials are not set, or not accepted."""


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
    origin: Origin = field(default_factory=Origin)
    """Whose objects the records are."""
    tariffs: Values | None = None
    """The record of the installation's tariffs, as it was read; see `runtime.store.tariffs`."""
    event_streams: Mapping[str, AppliedRecord] = field(default_factory=dict)
    """By Twilio account, the subscription to events that was applied last."""
    intents: Mapping[tuple[str, KindName], Intent] = field(default_factory=dict)
    """By client and kind, what a run was creating when it was interrupted."""
    damaged: Sequence[DamagedRecord] = ()
    """Rows that cannot be read, so that they are in none of the above."""
    damaged_by_name: Mapping[str, Sequence[DamagedRecord]] = field(default_factory=dict)
    """Those that planning a client needs: by its client, its own id, and its number."""

    @property
    def clients(self) -> set[str]:
        """Every client in the store."""
        damaged = (record.client for record in self.damaged if record.client and _is_planned_with(record))
        return {*self.bots_by_client, *self.assistants_by_client, *(client for client, _ in self.applied), *damaged}


class Renaming(NamedTuple):
    """A client that has another id than before."""

    former: str
    is_in_store: bool
    """Whether the bot store has something under the former id."""
    both: str | None = None
    """The kind of which the store has one under each id, so that the client cannot be renamed."""


@dataclass(frozen=True, slots=True)
class AccountSenders:
    """One Twilio account's senders, indexed."""

    account_sid: str
    by_number: Mapping[str, LiveSender | Failed]
    """A `Failed` where the list lacked fields and the sender itself could not be read."""
    by_sid: Mapping[str, LiveSender]


@dataclass(frozen=True, slots=True)
class Documents:
    """OpenAI's vector stores, indexed."""

    stores: Mapping[str, VectorStore] = field(default_factory=dict)
    """By id."""
    by_client: Mapping[str, Sequence[VectorStore]] = field(default_factory=dict)
    """Those with a client's marker."""
    files: Mapping[str, Sequence[StoreFile] | Failed] = field(default_factory=dict)
    """The files in those of clients whose documents are in git, as far as they were read; by the store's id."""


@dataclass(frozen=True, slots=True)
class LiveState:
    """All sources, as read in one observation."""

    store: Store | Failed
    models: Mapping[str, Model] | Failed
    objects: Mapping[ObjectEngine, Sequence[LiveAssistant] | Failed]
    """Assistants that live at the provider, by engine; empty and not read when no client uses it."""
    objects_by_client: Mapping[str, Sequence[LiveAssistant]] = field(default_factory=dict)
    """Those of them with a client's marker."""
    senders: Mapping[AccountKey, AccountSenders | Failed] = field(default_factory=dict)
    """By account: one SID with two tokens is read twice, since each may be refused."""
    contents: Mapping[AccountKey, Mapping[str, str] | Failed] = field(default_factory=dict)
    """Contents for buttons and lists by account: name → `HX…`; of accounts whose clients offer choices."""
    templates: Mapping[AccountKey, Sequence[LiveTemplate] | Failed] = field(default_factory=dict)
    """Every content of an account that may be a template; of accounts whose clients have any."""
    services: Mapping[AccountKey, Sequence[MessagingService] | Failed] = field(default_factory=dict)
    """The Messaging Services of the declared accounts."""
    documents: Documents | Failed = field(default_factory=Documents)
    """Empty and not read when no client searches in documents."""
    origin: Origin = field(default_factory=Origin)
    """Whose credentials the sources were read with."""
    renames: Mapping[str, Renaming] = field(default_factory=dict)
    """By client, as manifests declare them; the rest of the live state is as if they had been applied."""
    former_marks: Collection[str] = ()
    """Ids of objects that have the marker of a former id."""
    event_streams: Mapping[AccountKey, Sequence[LiveSink] | Failed] = field(default_factory=dict)
    """The sinks of events of the accounts that declare a subscription, or have one of ours."""
    missed: Mapping[tuple[str, KindName], Failed] = field(default_factory=dict)
    """By client and kind: the list lacks the recorded object, or one that was being created, which exists or may."""


def index_store(snapshot: Snapshot) -> Store:
    """The snapshot with the look-ups that planning needs."""
    whole, damaged = _whole(snapshot.applied)
    damaged = [*snapshot.damaged, *damaged]
    return Store(
        bots={bot.id: bot for bot in snapshot.bots},
        bots_by_number={bot.twilio_phone_number: bot for bot in snapshot.bots},
        bots_by_client={bot.client: bot for bot in snapshot.bots if bot.client is not None},
        assistants={assistant.id: assistant for assistant in snapshot.assistants},
        assistants_by_client={record.client: record for record in snapshot.assistants if record.client is not None},
        applied={(record.client, record.kind): record for record in whole if record.kind in KIND_ORDER},
        exists=snapshot.exists,
        bots_of_assistant=Counter(bot.assistant_id for bot in snapshot.bots if bot.assistant_id is not None),
        origin=origin_of(whole),
        tariffs=next((record.values for record in whole if record.kind == TARIFFS), None),
        event_streams={record.client: record for record in whole if record.kind == EVENT_STREAM},
        damaged=damaged,
        damaged_by_name=_by_name(damaged),
        intents=intents_of(whole),
    )


def _whole(records: Iterable[AppliedRecord]) -> tuple[Sequence[AppliedRecord], Sequence[DamagedRecord]]:
    """The records whose values have the shape that planning relies on, and the others."""
    whole, damaged = [], []
    for record in records:
        problem = _problem(record)
        if problem is None:
            whole.append(record)
        else:
            key = {"client": record.client, "kind": record.kind}
            damaged.append(DamagedRecord("applied", key, problem, record.client))
    return whole, damaged


def _problem(record: AppliedRecord) -> str | None:
    if record.kind == ORIGIN:
        strange = next((name for name, value in record.values.items() if not isinstance(value, str | None)), None)
        return None if strange is None else f"`values.{strange}` is not a text"
    for part in ("webhook", "profile", SHOWN) if record.kind == "sender" else ():
        if not isinstance(record.values.get(part, {}), Mapping):
            return f"`values.{part}` is not a JSON object"
    calls = record.values.get("webhook", {}).get("callback_url", "") if record.kind == "sender" else ""
    return None if isinstance(calls, str) else "`values.webhook.callback_url` is not a text"


def _by_name(damaged: Iterable[DamagedRecord]) -> Mapping[str, Sequence[DamagedRecord]]:
    found: dict[str, list[DamagedRecord]] = defaultdict(list)
    for record in damaged:
        if _is_planned_with(record):
            for name in {record.client, record.key.get("id"), record.number} - {None}:
                found[str(name)].append(record)
    return dict(found)


def _is_planned_with(record: DamagedRecord) -> bool:
    return record.key.get("kind") in (None, *KIND_ORDER)
