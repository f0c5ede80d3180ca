"""The kind `bot`: the row in the bot store that routes a number to an assistant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reconciler.kinds import sender
from reconciler.kinds.column import Column, Withheld
from reconciler.model import Change
from runtime.store.records import BotRecord
from schemas import FunctionTool


def plan(column: Column) -> list[Change]:
    """The changes of one client's bot. Raises `Withheld`."""
    after = bot_values(column)
    live = column.bot
    _check_number(column, column.manifest.client.number)
    if live is None:
        if column.id in column.store.bots:
            raise Withheld(
                f"the bot store has a bot {column.id!r} that was made by hand; `reconcile adopt {column.id}` takes it "
                "over"
            )
        applied = column.applied("bot")
        return [column.create("bot", column.manifest.client.number, after, applied.values if applied else None)]
    _check_move(column, live)
    before = values_of(live)
    change = column.update("bot", column.manifest.client.number, live.id, before, after, before)
    return [change] if change else []


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
        "metadata": dict(record.metadata),
        "protected": record.protected,
    }


def _check_number(column: Column, number: str) -> None:
    holder = column.store.bots_by_number.get(number)
    if holder is None or holder.client == column.id:
        return
    if holder.client is None:
        raise Withheld(
            f"the number {number} belongs to the bot {holder.id!r} that was made by hand; "
            f"`reconcile adopt {column.id}` takes it over"
        )
    belongs = f"the number {number} still belongs to the bot of client {holder.client!r}"
    raise Withheld(f"{belongs}; {_way_to(column, holder)}")


def _check_move(column: Column, live: BotRecord) -> None:
    """A client stays on its number until the next one can take messages, unless somebody else is to have it."""
    former, number = live.twilio_phone_number, column.manifest.client.number
    if former == number or former in column.numbers.values():
        return
    try:
        sender.online(column)
    except Withheld as waiting:
        raise Withheld(f"it stays on {former} until {number} can take its messages: {waiting}") from waiting


def _way_to(column: Column, holder: BotRecord) -> str:
    """How a client comes to a number that another client's bot holds. A number routes to one bot at every moment, so it
    is free only once that bot has its next one."""
    ring = _ring(column, holder)
    if ring is None:
        return f"change or remove {holder.client!r} first, then run again"
    if ring[-1] != column.id:
        return f"it is to move to {column.numbers[ring[0]]}, so apply and run again"
    numbers = ", ".join(column.numbers[client] for client in (column.id, *ring[:-1]))
    return (
        f"the clients {', '.join((column.id, *ring[:-1]))} exchange {numbers}, which takes a number that nobody has: "
        f"declare one for {ring[0]!r} and apply (only its sender stays withheld), declare the exchange again and apply "
        "until nothing is left; a number is not answered between two of these runs"
    )


def _ring(column: Column, holder: BotRecord) -> Sequence[str] | None:
    """The clients that must move before this one can, each to the number of the next one.

    It ends with this client where they exchange their numbers. None where one of them stays on its number, or where
    nothing is declared for it.
    """
    waiting: list[str] = []
    ahead: BotRecord | None = holder
    while ahead is not None:
        client = ahead.client
        if client is None or column.numbers.get(client) in (None, ahead.twilio_phone_number):
            return None
        if client in waiting:
            return waiting
        waiting.append(client)
        if client == column.id:
            return waiting
        ahead = column.store.bots_by_number.get(column.numbers[client])
    return waiting
