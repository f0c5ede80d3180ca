"""Live bots in the shape of the declared values."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from reconciler.model import Orphan, Unmanaged
from reconciler.observation.live_state import LiveState, Store
from runtime.store.records import BotRecord
from schemas.policy import keys_of_document


def values_of(record: BotRecord) -> dict[str, Any]:
    """A row of the bot store."""
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


def undeclared(
    live_state: LiveState, store: Store, clients: Collection[str], numbers: Collection[str]
) -> Iterator[Orphan | Unmanaged]:
    """Bots that belong to none of these clients."""
    for client, record in store.bots_by_client.items():
        if client not in clients:
            yield Orphan(client, "bot", record.twilio_phone_number, record.id)
    for record in store.bots.values():
        if not record.client:
            yield Unmanaged("bot", record.twilio_phone_number, record.id)
