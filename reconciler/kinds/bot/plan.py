"""The changes that make a client's bot as declared."""

from __future__ import annotations

from dataclasses import replace

from reconciler.kinds.assistant.live import own_assistant_id
from reconciler.kinds.bot.desired import with_ids
from reconciler.kinds.bot.live import values_of
from reconciler.kinds.bot.moves import check_move, moves_of
from reconciler.kinds.changes import create, removal, update
from reconciler.kinds.client_plan import NOTHING, ClientPlan
from reconciler.kinds.context import ClientContext
from reconciler.kinds.withheld import withhold_namesake


def plan(context: ClientContext) -> ClientPlan:
    """The changes of one client's bot. Raises `Withheld`."""
    after = with_ids(context.desired("bot"), {"assistant": own_assistant_id(context)})
    number, live = context.manifest.client.number, context.bot
    moves = moves_of(context)
    if live is None:
        withhold_namesake(context.id, "bot", context.store.bots.get(context.id))
        applied = context.applied("bot")
        made = create(context, "bot", number, after, applied.values if applied else None)
        return ClientPlan(changes=(replace(made, moves=moves.numbers, replaces=moves.replaces),))
    check_move(context, live)
    before = values_of(live)
    found = update(context, "bot", number, live.id, before, after, before)
    if not moves.numbers or not found.changes:
        return found
    changes = [replace(change, moves=moves.numbers, replaces=moves.replaces) for change in found.changes]
    return ClientPlan(changes=changes)


def plan_absent(context: ClientContext) -> ClientPlan:
    """The delete for a client with `state: absent`."""
    live = context.bot
    if live is None:
        return NOTHING
    return ClientPlan(changes=(removal(context, "bot", live.twilio_phone_number, live.id),))
