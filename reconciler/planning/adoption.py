"""What `reconcile adopt` takes over for a client, although it is not what the manifest declares. Pure.

The objects stay as they are: the plan made here puts our mark on them and keeps their live values as the last applied
ones, so that the next plan shows every difference, with the reason `config`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from reconciler.errors import Refused
from reconciler.kinds.assistant import assistant
from reconciler.kinds.bot import bot
from reconciler.kinds.bot.handmade import (
    Handmade,
    Unreadable,
    by_record,
    engine_of,
    may_be_taken,
    read_handmade,
    refuse_foreign,
)
from reconciler.kinds.column import Column, Withheld
from reconciler.kinds.sender import sender
from reconciler.model import Change, Kind, Plan, Values
from reconciler.observation.live_state import AccountSenders, Failed
from reconciler.ownership import foreign_owner
from runtime.store.records import AssistantRecord, BotRecord


@dataclass(slots=True)
class Takeover:
    """What is taken over, and what is not and why."""

    column: Column
    notes: list[str] = field(default_factory=list)

    @property
    def adoptions(self) -> list[Change]:
        """One change for each object, its live values as what is applied."""
        return self.column.adoptions

    def plan(self) -> Plan:
        """A plan that applies the adoptions and nothing else."""
        return Plan(changes=(), findings=(), orphans=(), unresolved=(), clients=1, adoptions=self.adoptions)

    def take(self, kind: Kind, key: str, live_id: str, values: Values, before: Values) -> None:
        """Add one object, as it is."""
        self.column.adopt(kind, key, live_id, values, values, before)


def take_over_as_it_is(column: Column) -> Takeover:
    """What a manifest's client would take over. Raises `Refused` for what belongs to somebody else."""
    found = Takeover(column)
    holder = _bot_of(column)
    if holder is not None:
        _take_bot(found, holder)
    elif column.record is None and (record := _unowned_record(column)) is not None:
        _take_record(found, record)
    _take_sender(found)
    return found


def _bot_of(column: Column) -> BotRecord | None:
    """The bot to take over: that of the declared number, else the one that has the client's id."""
    number = column.manifest.client.number
    holder = column.store.bots_by_number.get(number)
    if holder is not None and holder.client not in (None, column.id):
        raise Refused(
            f"{column.id}: the number {number} belongs to the bot of client {holder.client!r}, which is managed. "
            "Take it out of that client's manifest and apply that first."
        )
    if column.bot is not None:
        return None
    namesake = column.store.bots.get(column.id)
    return holder or (namesake if namesake is not None and namesake.client is None else None)


def _unowned_record(column: Column) -> AssistantRecord | None:
    record = column.store.assistants.get(column.id)
    return record if record is not None and record.client is None else None


def _take_bot(found: Takeover, holder: BotRecord) -> None:
    column = found.column
    engine, wanted = engine_of(holder, column.store), column.manifest.client.assistant.engine
    try:
        refuse_foreign(by_record(holder, None))
        if engine == wanted:
            answering = read_handmade(holder, column.store, column.live_state.objects)
            refuse_foreign(answering)
            _take_assistant(found, answering)
        else:
            found.notes.append(
                f"the assistant {holder.assistant_id} is of the engine {engine} and is left alone; the next apply "
                f"makes one of the engine {wanted}"
            )
    except Unreadable as error:
        found.notes.append(f"{error}; the next apply makes one")
    except Withheld as error:
        raise Refused(f"{column.id}: {error}.") from error
    values = bot.values_of(holder)
    found.take("bot", holder.twilio_phone_number, holder.id, values, values)


def _take_assistant(found: Takeover, answering: Handmade) -> None:
    column = found.column
    if answering.live_id is None:
        found.notes.append("the bot answers by itself; the next apply makes an assistant of what is declared")
    elif not may_be_taken(answering, column.id, column.store):
        found.notes.append(
            f"the assistant {answering.live_id} answers for others too; the next apply makes one of its own"
        )
    elif answering.client is None and column.record is None:
        metadata = {"metadata": dict(answering.metadata)}
        found.take("assistant", answering.engine, answering.live_id, answering.own, {**answering.own, **metadata})


def _take_record(found: Takeover, record: AssistantRecord) -> None:
    owner = foreign_owner(record.metadata)
    if owner is not None:
        raise Refused(f"{found.column.id}: the assistant {record.id!r} carries the mark of {owner!r}.")
    values = assistant.values_of(record)
    found.take("assistant", "responses", record.id, values, {**values, "metadata": dict(record.metadata)})


def _take_sender(found: Takeover) -> None:
    column = found.column
    number = column.manifest.client.number
    senders = column.live_state.senders[column.account]
    live = senders.by_number.get(number) if isinstance(senders, AccountSenders) else senders
    if isinstance(live, Failed):
        raise Refused(f"{column.id}: its sender could not be read, so it cannot be taken over: {live.message}")
    if live is None:
        found.notes.append(f"{number} is not registered as a WhatsApp sender")
    elif column.applied("sender") is None:
        values = sender.declared_part(live, sender.sender_values(column))
        found.take("sender", number, live.sid, values, values)
