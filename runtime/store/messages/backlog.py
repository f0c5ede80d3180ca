"""The backlog of the store, counted over the partial indexes of open rows. Functions over a connection."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from runtime.store.database.statement import Statement
from runtime.store.timers import WaitingTimers, waiting_timers

COUNT_LIMIT = 20_000
"""Maximum number of rows that are read; a longer queue is reported as this long."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A client's messages that are not answered yet."""

    client: str
    messages: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class Backlog:
    """The backlog."""

    waiting: Sequence[Waiting]
    in_doubt: int
    """Messages that are being sent, or were when their process crashed."""
    dead: int
    """Turns that failed for good."""
    timers: Sequence[WaitingTimers]


WAITING = Statement(
    "SELECT coalesce(bots.client, oldest.bot_id), count(*), min(oldest.received_at) FROM"
    " (SELECT bot_id, received_at FROM inbox WHERE state = 'open' ORDER BY id LIMIT :limit) AS oldest"
    " LEFT JOIN bots ON bots.id = oldest.bot_id GROUP BY 1"
)
IN_DOUBT = Statement(
    "SELECT count(*) FROM (SELECT state FROM outbox WHERE state IN ('ready', 'sending') ORDER BY id LIMIT :limit)"
    " AS open WHERE state = 'sending'"
)
DEAD = Statement("SELECT count(*) FROM (SELECT id FROM turns WHERE state = 'dead' ORDER BY id LIMIT :limit) AS dead")


def read_backlog(connection: Connection) -> Backlog:
    """Counts open rows, by client where they have one."""
    now = time.time()
    return Backlog(
        waiting=[
            Waiting(client, messages, max(now - datetime.fromisoformat(oldest).timestamp(), 0.0))
            for client, messages, oldest in WAITING.rows(connection, limit=COUNT_LIMIT)
        ],
        in_doubt=IN_DOUBT.one(connection, limit=COUNT_LIMIT)[0],
        dead=DEAD.one(connection, limit=COUNT_LIMIT)[0],
        timers=waiting_timers(connection, COUNT_LIMIT),
    )
