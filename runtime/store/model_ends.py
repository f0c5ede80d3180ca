"""Which client uses which model, and what was last found of their ends. Functions over a connection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from sqlalchemy import Connection

from runtime.store import timers
from runtime.store.catalog import list_all
from runtime.store.records import AssistantRecord, BotRecord

ENDS: Final = "model_ends"
"""The kind of the timer that looks at all models; its payload is what it found."""
GONE: Final = "model_gone"
"""The kind of the timers of models that turns found missing; the key is the model."""
KEY: Final = "all"


@dataclass(frozen=True, slots=True)
class ModelUse:
    """One client's use of one model."""

    client: str
    """The label of its bot."""
    name: str
    """The bot's, for people."""
    model: str
    key: str
    """Where a manifest declares it: `model`, `fallback_model`, `budget.cheaper_model`, `canary.model`."""
    fallback: str | None
    """What answers where that one is not available; None where nothing does, or it is the fallback itself."""


def models_in_use(connection: Connection) -> list[ModelUse]:
    """Every model that a bot names. A live object at the provider has its model there."""
    bots = [row for row in list_all(connection, BotRecord) if isinstance(row, BotRecord)]
    assistants = {row.id: row for row in list_all(connection, AssistantRecord) if isinstance(row, AssistantRecord)}
    return [use for bot in bots for use in _of_bot(bot, assistants)]


def _of_bot(bot: BotRecord, assistants: Mapping[str, AssistantRecord]) -> list[ModelUse]:
    assistant = assistants.get(bot.assistant_id or "")
    fallback = bot.policy.get("fallback_model")
    named = {
        "model": bot.model or (assistant.model if assistant else None),
        "fallback_model": fallback,
        "budget.cheaper_model": _inner(bot.policy, "budget", "cheaper_model"),
        "canary.model": _inner(bot.policy, "canary", "model"),
    }
    first: dict[str, ModelUse] = {}
    for key, model in named.items():
        if isinstance(model, str):
            other = fallback if isinstance(fallback, str) and fallback != model else None
            first.setdefault(model, ModelUse(bot.label, bot.name, model, key, other))
    return list(first.values())


def _inner(policy: Mapping[str, Any], block: str, key: str) -> Any:
    value = policy.get(block)
    return value.get(key) if isinstance(value, Mapping) else None


def dates_of(connection: Connection) -> dict[tuple[str, str], date]:
    """By client and model in use, when that model is shut down, as the last look found it."""
    payload = timers.payload_of(connection, ENDS, KEY) or {}
    rows = payload.get("ends")
    return {(client, model): date.fromisoformat(on) for client, model, on in rows} if rows else {}


def payload(ends: Mapping[tuple[str, str], date]) -> dict[str, Any]:
    """What the timer keeps for `dates_of`."""
    rows = [[client, model, on.isoformat()] for (client, model), on in sorted(ends.items())]
    return {"ends": rows}
