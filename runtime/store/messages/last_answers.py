"""The last message to a user, where it was an answer of the assistant's. It is read with the messages that wait
(`turn_start`), in the same statement.

It is none where something else happened since: a proactive message, a notice, a fallback message, a message that Twilio
did not deliver, or words of the user that got no answer, unless they needed none (`no_reply`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple


class LastAnswer(NamedTuple):
    """An answer that Twilio accepted, and has not reported as failed."""

    text: str
    """All of its parts."""
    at: str
    """When it was written, as text of `timestamp`."""


class SentLast(NamedTuple):
    """The columns below, of the newest row of a conversation's outbox; all None where that is anything else."""

    turn_id: int | None
    part: int | None
    body: str | None
    at: str | None


COLUMNS = "last_sent.turn_id, last_sent.part, last_sent.body, last_sent.created_at"
"""The fields of SentLast, in their order."""
JOIN = (
    " LEFT JOIN outbox AS last_sent ON last_sent.id = (SELECT max(id) FROM outbox"
    " WHERE conversation_id = :conversation_id) AND last_sent.state = 'sent' AND last_sent.content IS NULL"
    " AND coalesce(last_sent.status, '') NOT IN ('failed', 'undelivered', 'canceled')"
    " AND EXISTS (SELECT 1 FROM turns WHERE turns.id = last_sent.turn_id AND turns.state = 'answered')"
    " AND NOT EXISTS (SELECT 1 FROM turns WHERE turns.conversation_id = :conversation_id"
    " AND turns.id > last_sent.turn_id AND turns.state <> 'running' AND coalesce(turns.reason, '') <> 'no_reply')"
)
"""A turn that has ended without an answer, or is to be retried, left words that may need one."""


def last_answer(sent: SentLast, history: Sequence[tuple[str, int, str, int | None]]) -> LastAnswer | None:
    """The answer, from that row and the newest items of the memory: JSON, size, time, turn.

    Items without a turn are of a message that was stored without one (`limited`), or of a proactive one. An answer in
    several parts is whole in the memory only, where the engine `assistants` keeps none.
    """
    if sent.turn_id is None or sent.body is None or sent.at is None:
        return None
    if any(turn_id is None and at >= sent.at for _, _, at, turn_id in history):
        return None
    said = [json.loads(item) for item, _, _, turn_id in history if turn_id == sent.turn_id]
    texts = [str(item["content"]) for item in said if item.get("role") == "assistant"]
    if not texts and sent.part != 0:
        return None
    return LastAnswer("\n".join([*texts, sent.body]), sent.at)
