"""The kind `bot`: the row in the bot store that routes a number to an assistant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from reconciler.kinds.column import Column, Withheld
from reconciler.kinds.sender import sender
from reconciler.model import Change
from runtime.store.records import BotRecord
from schemas import FunctionTool
from schemas.policy import keys_of, keys_of_document


def plan(column: Column) -> list[Change]:
    """The changes of one client's bot. Raises `Withheld`."""
    after = bot_values(column)
    live = column.bot
    moves = _moves(column)
    if live is None:
        column.withhold_namesake("bot", column.store.bots.get(column.id))
        applied = column.applied("bot")
        made = column.create("bot", column.manifest.client.number, after, applied.values if applied else None)
        return [replace(made, moves=moves)]
    _check_move(column, live)
    before = values_of(live)
    change = column.update("bot", column.manifest.client.number, live.id, before, after, before)
    return [replace(change, moves=moves)] if change else []


def plan_absent(column: Column) -> list[Change]:
    """The delete for a client that shall be absent."""
    live = column.bot
    return [column.take_away("bot", live.twilio_phone_number, live.id)] if live else []


def bot_values(column: Column) -> dict[str, Any]:
    """What the manifest declares of the bot. `instructions` and `model` are the assistant's own, so never set here."""
    client = column.manifest.client
    account = client.sender.account
    return {
        "name": client.name,
        "twilio_phone_number": client.number,
        "assistant_id": column.assistant_id,
        "instructions": None,
        "model": None,
        "state": client.state,
        "account_sid": account.sid if account else None,
        "auth_token_env": account.auth_token.env if account else None,
        "fallback_message": client.fallback_message,
        "functions": {
            tool.name: {
                "url": tool.endpoint.url,
                "secret_env": tool.endpoint.secret.env if tool.endpoint.secret else None,
                "timeout_seconds": tool.endpoint.timeout_seconds,
            }
            for tool in client.assistant.tools
            if isinstance(tool, FunctionTool)
        },
        "policy": keys_of(client),
        "metadata": dict(client.metadata),
        "protected": client.protected,
    }


def values_of(record: BotRecord) -> dict[str, Any]:
    """A live bot in the same shape."""
    return {
        "name": record.name,
        "twilio_phone_number": record.twilio_phone_number,
        "assistant_id": record.assistant_id,
        "instructions": record.instructions,
        "model": record.model,
        "state": record.state,
        "account_sid": record.account_sid,
        "auth_token_env": record.auth_token_env,
        "fallback_message": record.fallback_message,
        "functions": {name: dict(function) for name, function in record.functions.items()},
        "policy": keys_of_document(record.policy),
        "metadata": dict(record.metadata),
        "protected": record.protected,
    }


def _moves(column: Column) -> Mapping[str, str]:
    """The numbers of all bots that move with this one, by the bot's id: those ahead of it, down to a free number or
    back to its own. Empty when its number is free. Raises `Withheld` when one of them stays.

    A number routes to one bot at every moment, so they move at one moment.
    """
    number = column.manifest.client.number
    ahead = column.store.bots_by_number.get(number)
    if ahead is None or ahead.client == column.id:
        return {}
    moves = {column.bot.id: number} if column.bot is not None else {}
    while ahead is not None and ahead.id not in moves:
        _check_leaves(column, ahead)
        moves[ahead.id] = column.numbers[str(ahead.client)]
        ahead = column.store.bots_by_number.get(moves[ahead.id])
    return moves


def _check_leaves(column: Column, holder: BotRecord) -> None:
    """Raise `Withheld` unless another's bot leaves its number in this plan."""
    number, client = holder.twilio_phone_number, holder.client
    if client is None:
        raise Withheld(
            f"the number {number} belongs to the bot {holder.id!r} that was made by hand; "
            f"`reconcile adopt {column.id}` takes it over"
        )
    if client in column.moving:
        return
    belongs = f"the number {number} still belongs to the bot of client {client!r}"
    following = column.numbers.get(client)
    if following in (None, number):
        raise Withheld(f"{belongs}; change or remove {client!r} first, then run again")
    raise Withheld(
        f"{belongs}; it is to move to {following}, and is held up itself or left out by --client; mend that, then run "
        "again"
    )


def _check_move(column: Column, live: BotRecord) -> None:
    """A client stays on its number until the next one can take messages."""
    former, number = live.twilio_phone_number, column.manifest.client.number
    if former == number:
        return
    try:
        sender.online(column)
    except Withheld as waiting:
        raise Withheld(f"it stays on {former} until {number} can take its messages: {waiting}") from waiting
