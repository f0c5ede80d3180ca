"""How many messages a bot receives, from one user and from all, on PostgreSQL, where each replica knows only its own.
Functions over a connection."""

from __future__ import annotations

import time

from sqlalchemy import Connection

from runtime.store.database.statement import Statement
from runtime.store.database.times import SKEW_SECONDS, timestamp

WANTED_SINCE = Statement(
    "SELECT count(*) FROM (SELECT state, received_at FROM inbox WHERE conversation_id = (SELECT conversation_id"
    " FROM conversation_aliases WHERE bot_id = :bot_id AND alias = :alias) ORDER BY id DESC LIMIT :limit) AS newest"
    " WHERE received_at > :since AND received_at <= :until AND state <> 'limited'"
)
WANTED_OF_BOT = Statement(
    "SELECT count(*) FROM (SELECT received_at FROM inbox WHERE bot_id = :bot_id AND received_at > :since"
    " AND received_at <= :until"
    " AND state <> 'limited' ORDER BY received_at DESC LIMIT :limit) AS wanted"
)
"""The order makes PostgreSQL use the index: by its estimate of the number of rows, it would read the whole table."""


def wanted_since(connection: Connection, bot_id: str, alias: str, seconds: float, limit: int) -> int:
    """How many of a user's newest `limit` messages to a bot came in the last seconds and were not limited."""
    (count,) = WANTED_SINCE.one(connection, bot_id=bot_id, alias=alias, limit=limit, **_last(seconds))
    return int(count)


def wanted_of_bot(connection: Connection, bot_id: str, seconds: float, limit: int) -> int:
    """How many messages to a bot came in the last seconds and were not limited, at most `limit`."""
    (count,) = WANTED_OF_BOT.one(connection, bot_id=bot_id, limit=limit, **_last(seconds))
    return int(count)


def _last(seconds: float) -> dict[str, str]:
    """The span of the last seconds. What is still to come by a clock that was set back is not in it."""
    now = time.time()
    return {"since": timestamp(now - seconds), "until": timestamp(now + SKEW_SECONDS)}
