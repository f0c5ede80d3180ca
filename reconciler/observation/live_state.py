"""The result of an observation: every source, with the look-ups that planning needs.

A source that could not be read is not empty, it is unresolved: it is a `Failed` with the reason, and every client that
depends on it is left unchanged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from reconciler.intents import Intent, intents_of
from reconciler.model import KIND_ORDER, AccountKey, KindName
from reconciler.origin import Origin, origin_of
from reconciler.readers.openai import LiveAssistant, Model, ObjectEngine, StoreFile, VectorStore
from reconciler.readers.twilio import LiveSender
from runtime.store.records import AppliedRecord, AssistantRecord, BotRecord, Snapshot


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
    intents: Mapping[tuple[str, KindName], Intent] = field(default_factory=dict)
    """By client and kind, what a run was creating when it was interrupted."""

    @property
    def clients(self) -> set[str]:
        """Every client in the store."""
        return {*self.bots_by_client, *self.assistants_by_client, *(client for client, _ in self.applied)}


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
    documents: Documents | Failed = field(default_factory=Documents)
    """Empty and not read when no client searches in documents."""
    origin: Origin = field(default_factory=Origin)
    """Whose credentials the sources were read with."""
    missed: Mapping[tuple[str, KindName], Failed] = field(default_factory=dict)
    """By client and kind: the list lacks the recorded object, or one that was being created, which exists or may."""


def index_store(snapshot: Snapshot) -> Store:
    """The snapshot with the look-ups that planning needs."""
    return Store(
        bots={bot.id: bot for bot in snapshot.bots},
        bots_by_number={bot.twilio_phone_number: bot for bot in snapshot.bots},
        bots_by_client={bot.client: bot for bot in snapshot.bots if bot.client is not None},
        assistants={assistant.id: assistant for assistant in snapshot.assistants},
        assistants_by_client={record.client: record for record in snapshot.assistants if record.client is not None},
        applied={(record.client, record.kind): record for record in snapshot.applied if record.kind in KIND_ORDER},
        exists=snapshot.exists,
        bots_of_assistant=Counter(bot.assistant_id for bot in snapshot.bots if bot.assistant_id is not None),
        origin=origin_of(snapshot.applied),
        intents=intents_of(snapshot.applied),
    )
