"""What `reconcile adopt` adopts for a client, although it differs from the manifest. Pure.

The objects stay as they are: the plan made here puts our marker on them and records their live values as the last
applied ones, so that the next plan shows every difference, with the reason `config`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.errors import Refused
from reconciler.kinds.assistant.live import values_of_record
from reconciler.kinds.bot.live import values_of
from reconciler.kinds.changes import adoption
from reconciler.kinds.context import ClientContext
from reconciler.kinds.sender.live import declared_part
from reconciler.kinds.unmanaged_bots import (
    AssistantUnavailable,
    UnmanagedBot,
    answered_by_record,
    engine_of,
    read_unmanaged,
)
from reconciler.kinds.withheld import Withheld
from reconciler.model import Change, KindName, Plan, Values
from reconciler.observation.live_state import AccountSenders, Failed
from reconciler.ownership import foreign_owner
from runtime.store.records import AssistantRecord, BotRecord


@dataclass(frozen=True, slots=True)
class Takeover:
    """What is adopted, and what is not and why."""

    adoptions: Sequence[Change] = ()
    """One change for each object, with its live values as the applied ones."""
    notes: Sequence[str] = ()

    def __add__(self, other: Takeover) -> Takeover:
        return Takeover((*self.adoptions, *other.adoptions), (*self.notes, *other.notes))

    def plan(self) -> Plan:
        """A plan that applies the adoptions and nothing else."""
        return Plan(changes=(), findings=(), orphans=(), unresolved=(), clients=1, adoptions=self.adoptions)


def take_over_as_it_is(context: ClientContext) -> Takeover:
    """What a manifest's client would adopt. Raises `Refused` for objects that belong to another client or tool."""
    found = Takeover()
    holder = _bot_of(context)
    if holder is not None:
        found += _bot(context, holder)
    elif context.record is None and (record := _unowned_record(context)) is not None:
        found += _record(context, record)
    return found + _sender(context)


def _bot_of(context: ClientContext) -> BotRecord | None:
    """The bot to adopt: that of the declared number, else the one that has the client's id."""
    number = context.manifest.client.number
    holder = context.store.bots_by_number.get(number)
    if holder is not None and holder.client not in (None, context.id):
        raise Refused(
            f"{context.id}: the number {number} belongs to the bot of client {holder.client!r}, which is managed. "
            "Remove it from that client's manifest and apply that first."
        )
    if context.bot is not None:
        return None
    namesake = context.store.bots.get(context.id)
    return holder or (namesake if namesake is not None and namesake.client is None else None)


def _unowned_record(context: ClientContext) -> AssistantRecord | None:
    record = context.store.assistants.get(context.id)
    return record if record is not None and record.client is None else None


def _bot(context: ClientContext, holder: BotRecord) -> Takeover:
    try:
        answered_by_record(holder, None).withhold_foreign()
        found = _answering(context, holder)
    except AssistantUnavailable as error:
        found = _note(f"{error}; the next apply creates one")
    except Withheld as error:
        raise Refused(f"{context.id}: {error}.") from error
    values = values_of(holder)
    return found + _taken(context, "bot", holder.twilio_phone_number, holder.id, values, values)


def _answering(context: ClientContext, holder: BotRecord) -> Takeover:
    engine, wanted = engine_of(holder, context.store), context.manifest.client.assistant.engine
    if engine != wanted:
        return _note(
            f"the assistant {holder.assistant_id} is of the engine {engine} and is left unchanged; the next apply "
            f"creates one of the engine {wanted}"
        )
    answering = read_unmanaged(holder, context.store, context.live_state.objects)
    answering.withhold_foreign()
    return _assistant(context, answering)


def _assistant(context: ClientContext, answering: UnmanagedBot) -> Takeover:
    if answering.live_id is None:
        return _note("the bot has no assistant; the next apply creates the declared one")
    if not answering.may_be_taken(context.id, context.store):
        return _note(
            f"the assistant {answering.live_id} answers for others too; the next apply creates one for this client"
        )
    if answering.client is not None or context.record is not None:
        return Takeover()
    before = {**answering.own, "metadata": dict(answering.metadata)}
    return _taken(context, "assistant", answering.engine, answering.live_id, answering.own, before)


def _record(context: ClientContext, record: AssistantRecord) -> Takeover:
    owner = foreign_owner(record.metadata)
    if owner is not None:
        raise Refused(f"{context.id}: the assistant {record.id!r} has the marker of {owner!r}.")
    values = values_of_record(record)
    before = {**values, "metadata": dict(record.metadata)}
    return _taken(context, "assistant", "responses", record.id, values, before)


def _sender(context: ClientContext) -> Takeover:
    number = context.manifest.client.number
    senders = context.live_state.senders[context.account]
    live = senders.by_number.get(number) if isinstance(senders, AccountSenders) else senders
    if isinstance(live, Failed):
        raise Refused(f"{context.id}: its sender could not be read, so it cannot be adopted: {live.message}")
    if live is None:
        return _note(f"{number} is not registered as a WhatsApp sender")
    if context.applied("sender") is not None:
        return Takeover()
    values = declared_part(live, context.desired("sender"))
    return _taken(context, "sender", number, live.sid, values, values)


def _taken(context: ClientContext, kind: KindName, key: str, live_id: str, values: Values, before: Values) -> Takeover:
    return Takeover(adoptions=(adoption(context, kind, key, live_id, values, values, before),))


def _note(text: str) -> Takeover:
    return Takeover(notes=(text,))
