"""The changes that make a client's bot as declared."""

from __future__ import annotations

from dataclasses import replace

from reconciler.kinds.assistant.live import own_assistant_id
from reconciler.kinds.bot.desired import with_contents, with_ids, with_templates
from reconciler.kinds.bot.live import values_of
from reconciler.kinds.bot.moves import check_move, moves_of
from reconciler.kinds.changes import create, removal, update
from reconciler.kinds.client_plan import NOTHING, ClientPlan
from reconciler.kinds.content.live import refused_in, sids_of, summarised
from reconciler.kinds.context import ClientContext
from reconciler.kinds.template.live import matches
from reconciler.kinds.withheld import withhold_namesake
from reconciler.model import Values


def plan(context: ClientContext) -> ClientPlan:
    """The changes of one client's bot. Raises `Withheld`."""
    after = declared(context, own_assistant_id(context))
    number, live = context.manifest.client.number, context.bot
    moves = moves_of(context)
    if live is None:
        withhold_namesake(context.id, "bot", context.store.bots.get(context.id))
        applied = context.applied("bot")
        made = create(context, "bot", number, after, applied.values if applied else None)
        return _shown(ClientPlan(changes=(replace(made, moves=moves.numbers, replaces=moves.replaces),)))
    check_move(context, live)
    before = values_of(live)
    found = update(context, "bot", number, live.id, before, after, before)
    if not moves.numbers or not found.changes:
        return _shown(found)
    changes = [replace(change, moves=moves.numbers, replaces=moves.replaces) for change in found.changes]
    return _shown(ClientPlan(changes=changes))


def declared(context: ClientContext, assistant_id: str) -> Values:
    """The declared bot, with the ids that are known. Raises `Withheld`."""
    after = with_ids(context.desired("bot"), {"assistant": assistant_id})
    if "template_sids" in after["policy"]:
        after = with_templates(after, {name: live.sid for name, live in matches(context).items()})
    if "contents" not in after["policy"]:
        return after
    return with_contents(after, sids_of(context), refused_in(context))


def _shown(found: ClientPlan) -> ClientPlan:
    """The plan with one line for all of Twilio's contents."""
    changes = [replace(change, fields=summarised(change.fields, ("policy", "contents"))) for change in found.changes]
    return replace(found, changes=changes) if changes else found


def plan_absent(context: ClientContext) -> ClientPlan:
    """The delete for a client with `state: absent`."""
    live = context.bot
    if live is None:
        return NOTHING
    return ClientPlan(changes=(removal(context, "bot", live.twilio_phone_number, live.id),))
