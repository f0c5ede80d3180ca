"""How many messages a client's answers took, and how many replies were saved. A function over a connection, and the
query for those who read the store without SQLAlchemy (`runtime.store.client.history`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from runtime.store.activity_records import ReplyCounts

if TYPE_CHECKING:
    from sqlalchemy import Connection

REPLY_COUNTS: Final = """
    SELECT COALESCE(SUM(CASE WHEN turns.state = 'answered' THEN 1 ELSE 0 END), 0),
        COALESCE(SUM(CASE WHEN turns.state = 'answered' THEN (
            SELECT COUNT(*) FROM outbox WHERE outbox.turn_id = turns.id AND outbox.state = 'sent'
        ) ELSE 0 END), 0),
        COALESCE(SUM(CASE WHEN turns.reason = 'no_reply' AND turns.model IS NULL THEN 1 ELSE 0 END), 0),
        COALESCE(SUM(CASE WHEN turns.reason = 'no_reply' AND turns.model IS NOT NULL THEN 1 ELSE 0 END), 0)
    FROM turns WHERE turns.id IN (
        SELECT turn_id FROM inbox
        WHERE bot_id IN (SELECT id FROM bots WHERE client = :client)
            AND received_at >= :since AND received_at < :until AND turn_id IS NOT NULL
    )
"""
"""The fields of ReplyCounts, in their order. `since`, `until`: text of `timestamp`. Along the index on
(bot_id, received_at), so that no message of another client or time is looked at."""


def reply_counts(connection: Connection, client: str, since: str, until: str) -> ReplyCounts:
    """The counts of a client's messages that came in from `since` on and before `until`."""
    from runtime.store.database.statement import Statement  # it imports SQLAlchemy

    return ReplyCounts(*Statement(REPLY_COUNTS).one(connection, client=client, since=since, until=until))
