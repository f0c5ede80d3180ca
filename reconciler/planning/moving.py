"""Clients whose bots leave their numbers in one plan, so that others may get these. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from reconciler.kinds.context import ClientContext
from reconciler.manifest import Manifest
from reconciler.observation.accounts import account_of_bot
from reconciler.observation.live_state import Store
from reconciler.planning.client import plan_client
from reconciler.planning.unresolved import is_unresolved, unread_of


def with_other_numbers(manifests: Iterable[Manifest], numbers: Mapping[str, str], store: Store) -> list[Manifest]:
    """Clients whose bots have other numbers than declared. `numbers`: the declared ones, by client."""
    found = []
    for manifest in manifests:
        live, following = store.bots_by_client.get(manifest.client.id), numbers.get(manifest.client.id)
        if live is not None and following not in (None, live.twilio_phone_number):
            found.append(manifest)
    return found


def moving(contexts: Iterable[ClientContext]) -> Collection[str]:
    """Which of these clients get their new numbers in this plan. A client that is withheld also withholds the one that
    waits for its number, and no other."""
    waiting = {context.id: context for context in contexts if _is_free_to_move(context)}
    clients = frozenset(waiting)
    while True:
        held_up = [client for client in clients if not _moves(replace(waiting[client], moving=clients))]
        if not held_up:
            return clients
        clients = clients.difference(held_up)


def _is_free_to_move(context: ClientContext) -> bool:
    # A client that also moves to another Twilio account has a number there that no client here can have.
    return account_of_bot(context.bot, context.settings) == context.account and not is_unresolved(unread_of(context))


def _moves(context: ClientContext) -> bool:
    return any(change.kind == "bot" for change in plan_client(context).changes)
