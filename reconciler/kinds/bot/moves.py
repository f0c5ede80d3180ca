"""Bots that change numbers: a number always routes to exactly one bot, so bots that exchange numbers move in one
step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from reconciler.kinds.context import ClientContext
from reconciler.kinds.sender.live import online
from reconciler.kinds.withheld import NotReady, Withheld
from runtime.store.records import BotRecord


class Moves(NamedTuple):
    """What a bot's change moves besides itself."""

    numbers: Mapping[str, str]
    """The numbers of all bots that move with this one, by the bot's id."""
    replaces: str | None
    """The bot of a leaving client, whose number the last of them gets."""


def moves_of(context: ClientContext) -> Moves:
    """The chain from a bot to a free number, to that of a leaving client, or back to its own; empty when its number is
    free. Raises `Withheld` when one of them stays."""
    number = context.manifest.client.number
    ahead = context.store.bots_by_number.get(number)
    if ahead is None or ahead.client == context.id:
        return Moves({}, None)
    moves = {context.bot.id: number} if context.bot is not None else {}
    while ahead is not None and ahead.id not in moves:
        if ahead.client in context.leaving:
            return Moves(moves, ahead.id)
        _check_leaves(context, ahead)
        moves[ahead.id] = context.numbers[str(ahead.client)]
        ahead = context.store.bots_by_number.get(moves[ahead.id])
    return Moves(moves, None)


def check_move(context: ClientContext, live: BotRecord) -> None:
    """Raise `NotReady` while the next number cannot receive messages: until then a client keeps its former one."""
    former, number = live.twilio_phone_number, context.manifest.client.number
    if former == number:
        return
    try:
        online(context)
    except NotReady as waiting:
        raise NotReady(f"it stays on {former} until {number} can receive its messages: {waiting}") from waiting


def _check_leaves(context: ClientContext, holder: BotRecord) -> None:
    """Raise `Withheld` unless the bot of another client leaves its number in this plan."""
    number, client = holder.twilio_phone_number, holder.client
    if client is None:
        raise Withheld(
            f"the number {number} belongs to the bot {holder.id!r} that was made by hand; "
            f"`reconcile adopt {context.id}` adopts it"
        )
    if client in context.moving:
        return
    belongs = f"the number {number} still belongs to the bot of client {client!r}"
    following = context.numbers.get(client)
    if following in (None, number):
        raise Withheld(f"{belongs}; change or remove {client!r} first, then run again")
    raise NotReady(
        f"{belongs}; it is to move to {following}, and is withheld itself or left out by --client; resolve that, "
        "then run again"
    )
