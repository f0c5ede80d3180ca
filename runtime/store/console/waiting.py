"""Who has waited for people longer than their client declares. Functions over a connection."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import Connection

from runtime.store.database.statement import Statement
from runtime.store.database.times import is_within
from runtime.store.messages.threads import ConversationSummary
from schemas.policy_document import read_document

POLICY = Statement("SELECT policy FROM bots WHERE id = :id")


def late(connection: Connection, people: Sequence[ConversationSummary], now: str) -> dict[int, int]:
    """Of each conversation that waits longer than its client's `handoff.escalate_after`: those minutes, by its id."""
    allowed = {bot_id: _escalate_after(connection, bot_id) for bot_id in {one.bot_id for one in people}}
    found = {}
    for one in people:
        minutes = allowed[one.bot_id]
        since = max(one.since or "", one.last_inbound or "")
        if minutes is not None and since and not is_within(since, now, minutes * 60):
            found[one.id] = minutes
    return found


def _escalate_after(connection: Connection, bot_id: str) -> int | None:
    row = POLICY.first(connection, id=bot_id)
    handoff = None if row is None else read_document(json.loads(row[0])).policy.handoff
    return None if handoff is None else handoff.escalate_after
