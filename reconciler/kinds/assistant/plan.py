"""The changes that make a client's assistant as declared: the record of the engine `responses`, or a live object."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from reconciler.kinds.assistant.desired import with_ids
from reconciler.kinds.assistant.live import objects_of, values_of_object, values_of_record
from reconciler.kinds.changes import create, removal, update
from reconciler.kinds.client_plan import ClientPlan
from reconciler.kinds.context import ClientContext
from reconciler.kinds.knowledge.live import own_store_id
from reconciler.kinds.withheld import Withheld, withhold_foreign, withhold_namesake
from reconciler.model import Change, Values
from reconciler.ownership import foreign_owner
from reconciler.readers.openai import OBJECT_ENGINES, ObjectEngine

RECORD: Final = "responses"
"""The engine whose assistant is a record in the bot store."""


def plan(context: ClientContext) -> ClientPlan:
    """The changes of one client's assistant. Raises `Withheld`."""
    engine = context.manifest.client.assistant.engine
    after = declared(context)
    found = _plan_record(context, after) if engine == "responses" else _plan_object(context, after, engine)
    deferred = _removals(context, but=engine)
    return replace(found, deferred=deferred) if deferred else found


def plan_absent(context: ClientContext) -> ClientPlan:
    """The deletes for a client with `state: absent`."""
    return ClientPlan(changes=_removals(context))


def declared(context: ClientContext) -> Values:
    """The declared assistant, with the id of the client's own vector store as far as that is known."""
    after = context.desired("assistant")
    if "knowledge" not in context.client.resources:
        return after
    return with_ids(after, {"knowledge": own_store_id(context)})


def _plan_record(context: ClientContext, after: Values) -> ClientPlan:
    live = context.record
    if live is None:
        withhold_namesake(context.id, "assistant", context.store.assistants.get(context.id))
        return _create(context, after, RECORD)
    values = values_of_record(live)
    before = {**values, "metadata": dict(live.metadata)}
    return update(context, "assistant", RECORD, live.id, values, after, before)


def _plan_object(context: ClientContext, after: Values, engine: ObjectEngine) -> ClientPlan:
    found = objects_of(context, engine)
    if len(found) > 1:
        ids = ", ".join(live.id for live in found)
        raise Withheld(f"{len(found)} live assistants have this client's marker ({ids}); delete all but the one in use")
    if not found:
        return _create(context, after, engine)
    [live] = found
    withhold_foreign("assistant", live.id, live.metadata)
    values = values_of_object(live)
    before = {**values, "metadata": dict(live.metadata), "reasoning": dict(live.reasoning)}
    return update(context, "assistant", engine, live.id, values, after, before)


def _create(context: ClientContext, after: Values, engine: str) -> ClientPlan:
    applied = context.applied("assistant")
    last = applied.values if applied and applied.values.get("engine") == engine else None
    return ClientPlan(changes=(create(context, "assistant", engine, after, last),))


def _removals(context: ClientContext, *, but: str | None = None) -> list[Change]:
    """The deletes of the client's assistants, except those of one engine, and live objects with another tool's
    marker."""
    removals = [
        removal(context, "assistant", engine, live.id)
        for engine in OBJECT_ENGINES
        if engine != but
        for live in objects_of(context, engine)
        if foreign_owner(live.metadata) is None
    ]
    if context.record is not None and but != RECORD:
        removals.append(removal(context, "assistant", RECORD, context.record.id))
    return removals
