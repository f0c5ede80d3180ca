"""Clients that leave, and whose numbers pass to others in the same plan. Pure.

A number always routes to one bot: that of the leaving client is deleted in the step in which the other's gets its
number. What else is left of the leaving client goes after that; until then it answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reconciler.kinds.context import ClientContext, DesiredClient, Successor
from reconciler.observation.live_state import LiveState, Store
from reconciler.planning.client import plan_client
from reconciler.planning.unresolved import is_unresolved, unread_of
from reconciler.settings import Settings


def handing_over(
    leaving: Iterable[DesiredClient],
    numbers: Mapping[str, str],
    live_state: LiveState,
    store: Store,
    settings: Settings,
) -> Mapping[str, str]:
    """By leaving client, the one that gets the number of its bot; without those of which a source could not be read.
    `numbers`: the declared ones, by client."""
    wanted = {number: client for client, number in numbers.items()}
    found = {}
    for client in leaving:
        bot = store.bots_by_client.get(client.id)
        successor = wanted.get(bot.twilio_phone_number) if bot is not None else None
        if successor is not None and not is_unresolved(unread_of(ClientContext(client, live_state, store, settings))):
            found[client.id] = successor
    return found


def successors(
    handed: Mapping[str, str], contexts: Mapping[str, ClientContext], store: Store
) -> Mapping[str, Successor]:
    """By leaving client, its successor. `contexts`: those of the successors that this plan considers."""
    return {
        client: Successor(successor, _takes_over(contexts.get(successor), store.bots_by_client[client].id))
        for client, successor in handed.items()
    }


def _takes_over(context: ClientContext | None, bot_id: str) -> str | None:
    """Id of the change with which a client gets the number of a leaving one; None when its plan has none."""
    if context is None or is_unresolved(unread_of(context)):
        return None
    return next((change.id for change in plan_client(context).changes if change.replaces == bot_id), None)
