"""Rolls a client's months up before their messages are deleted. Functions over a connection."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from runtime.store.database.statement import Statement
from runtime.store.database.times import timestamp
from runtime.store.usage.traffic import Traffic, traffic_text

OLDEST = Statement("SELECT min(received_at) FROM inbox WHERE bot_id = :bot_id")
ROLLED_UP = Statement("SELECT month FROM rolled_up_months WHERE client = :client")
KEEP = Statement(
    "INSERT INTO rolled_up_months (client, month, zone, figures, at) VALUES (:client, :month, :zone, :figures, :at)"
    " ON CONFLICT (client, month) DO NOTHING"
)


def oldest_message(connection: Connection, bot_ids: Sequence[str]) -> str | None:
    """When the oldest message of these bots came in."""
    found = [OLDEST.one(connection, bot_id=bot_id)[0] for bot_id in bot_ids]
    return min((at for at in found if at is not None), default=None)


def rolled_up(connection: Connection, client: str) -> set[str]:
    """The months of a client that are rolled up."""
    return {str(month) for (month,) in ROLLED_UP.rows(connection, client=client)}


def keep(connection: Connection, client: str, month: str, zone: str, traffic: Traffic) -> None:
    """Stores a roll-up; the first one of a month stays."""
    KEEP.run(connection, client=client, month=month, zone=zone, figures=traffic_text(traffic), at=timestamp())
