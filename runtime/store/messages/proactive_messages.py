"""Proactive messages as those who sent them look at them. Functions over a connection."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from runtime.store.database.statement import Statement

LONGEST_CHAIN: Final = 16
"""How often one message is replaced by another at most: what is not delivered is sent again five times."""


@dataclass(frozen=True, slots=True)
class ProactiveRecord:
    """A message outside of any answer."""

    id: int
    message_sid: str | None
    state: str
    status: str | None
    sender: str
    recipient: str
    error: str | None
    error_code: str | None
    waits_until: str | None


GET = Statement(
    "SELECT outbox.id, message_sid, outbox.state, status, sender, recipient, error, error_code, waits_until,"
    " replaced_by, coalesce(bots.client, bots.id) FROM outbox LEFT JOIN bots ON bots.id = outbox.bot_id"
    " WHERE outbox.id = :id AND turn_id IS NULL"
)


def get(connection: Connection, row_id: int, clients: Collection[str] | None) -> ProactiveRecord | None:
    """A message, or the one that replaced it; None where none of these clients (None: of any) sent it."""
    for _ in range(LONGEST_CHAIN):
        row = GET.first(connection, id=row_id)
        if row is None or (clients is not None and row[-1] not in clients):
            return None
        *values, replaced_by, _client = row
        if replaced_by is None:
            return ProactiveRecord(*values)
        row_id = replaced_by
    return None
