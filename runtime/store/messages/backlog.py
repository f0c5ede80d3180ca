"""The backlog of the store, counted over the partial indexes of open rows, and the free messages that are left.
Functions over a connection."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from runtime.store.database.statement import Statement
from runtime.store.database.times import timestamp
from runtime.store.messages.privacy_requests import open_requests
from runtime.store.timers import WaitingTimers, waiting_timers
from runtime.store.usage.sums import FreeMessages, free_messages_left

COUNT_LIMIT = 20_000
"""Maximum number of rows that are read; a longer queue is reported as this long."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A client's messages that are not answered yet."""

    client: str
    messages: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class WithPeople:
    """A client's conversations that people have."""

    client: str
    conversations: int
    waiting: int
    """Number of those in which no person has answered since they have it, or since the user wrote."""


@dataclass(frozen=True, slots=True)
class WaitingRequests:
    """What people asked a client for under the law, without an answer yet."""

    client: str
    state: str
    """open | due_soon | overdue."""
    requests: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """The backlog."""

    waiting: Sequence[Waiting]
    in_doubt: int
    """Messages that are being sent, or were when their process crashed."""
    dead: int
    """Turns that failed for good."""
    timers: Sequence[WaitingTimers]
    free: Sequence[FreeMessages]
    people: Sequence[WithPeople] = ()
    requests: Sequence[WaitingRequests] = ()


WAITING = Statement(
    "SELECT coalesce(bots.client, oldest.bot_id), count(*), min(oldest.received_at) FROM"
    " (SELECT bot_id, received_at FROM inbox WHERE state = 'open' ORDER BY id LIMIT :limit) AS oldest"
    " LEFT JOIN bots ON bots.id = oldest.bot_id GROUP BY 1"
)
IN_DOUBT = Statement(
    "SELECT count(*) FROM (SELECT state FROM outbox WHERE state IN ('ready', 'sending') ORDER BY id LIMIT :limit)"
    " AS open WHERE state = 'sending'"
)
PEOPLE = Statement(
    "SELECT coalesce(bots.client, held.bot_id), count(*), sum(CASE WHEN coalesce(operator_at, '') < state_since OR"
    " coalesce(operator_at, '') < (SELECT max(received_at) FROM inbox WHERE conversation_id = held.id) THEN 1 ELSE 0"
    " END) FROM (SELECT id, bot_id, operator_at, state_since FROM conversations WHERE state <> 'assistant'"
    " AND blocked_at IS NULL AND state = 'human' ORDER BY id LIMIT :limit) AS held"
    " LEFT JOIN bots ON bots.id = held.bot_id GROUP BY 1"
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
        free=free_messages_left(connection),
        people=[
            WithPeople(client, conversations, int(waiting or 0))
            for client, conversations, waiting in PEOPLE.rows(connection, limit=COUNT_LIMIT)
        ],
        requests=_requests(connection),
    )


def _requests(connection: Connection) -> list[WaitingRequests]:
    now = timestamp()
    counts = Counter((one.client, one.state(now)) for one in open_requests(connection))
    return [WaitingRequests(client, state, number) for (client, state), number in sorted(counts.items())]
