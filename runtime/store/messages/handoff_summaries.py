"""Summaries of conversations that people have, where the model wrote none as it handed one over. Functions over a
connection.

    people have it, no summary ──► timer `handoff_summary` ──► a model is asked, or it is said why none was
                                                               └──► people are notified, and the desk is

The timer is put with the commit that gives people the conversation, so that neither that nor what the user reads waits
for it; the notice and the desk's note wait, for a bounded time, since the summary is for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection

from runtime.store import timers
from runtime.store.database.statement import Statement
from runtime.store.database.times import timestamp
from runtime.store.messages import desk, handoffs
from runtime.store.timers import Timer
from runtime.store.usage import ledger
from runtime.store.usage.ledger import Line


class SummaryFacts(NamedTuple):
    """What a summary depends on beside the messages."""

    turn_id: int
    """The newest turn, under which the ledger has what the summary costs; 0 for none."""
    consent: str | None
    """What its user last said about a model reading their messages: `yes 3f2a9c01b7de 2026-11-29T12:00:00.000Z`."""


FACTS: Final = Statement(
    "SELECT coalesce((SELECT max(id) FROM turns WHERE conversation_id = conversations.id), 0), consent"
    " FROM conversations WHERE id = :id"
)
PENDING: Final = Statement("SELECT 1 FROM timers WHERE kind = 'handoff_summary' AND key = :key")
SET: Final = Statement(
    "UPDATE conversations SET state_summary = :summary WHERE id = :id AND state = 'human' AND state_since = :since"
    " AND state_summary IS NULL AND blocked_at IS NULL AND user_key <> ''"
)


def facts_of(connection: Connection, conversation_id: int) -> SummaryFacts | None:
    """The facts of a conversation; None when it does not exist."""
    row = FACTS.first(connection, id=conversation_id)
    return None if row is None else SummaryFacts(*row)


def is_pending(connection: Connection, conversation_id: int) -> bool:
    """Whether a conversation's summary is yet to be made."""
    return PENDING.first(connection, key=str(conversation_id)) is not None


def settle(connection: Connection, timer: Timer, summary: str | None, since: str, *, has_desk: bool) -> None:
    """Stores a summary, unless people do not have the conversation any more, and lets those know who wait. Raises
    TimerTakenOver."""
    timers.finish(connection, timer)
    SET.run(connection, id=int(timer.key), summary=summary, since=since)
    if timer.payload.get("notify"):
        timers.put(connection, handoffs.NOTICE, timer.key, datetime.now(UTC), {})
    if has_desk:
        desk.offer(connection, [int(timer.key)])


def add_cost(connection: Connection, client: str, bot_id: str, turn_id: int, lines: Sequence[Line]) -> None:
    """Adds what a summary cost to the ledger."""
    ledger.add_spent(connection, client, lines, bot_id=bot_id, turn_id=turn_id, at=timestamp())
