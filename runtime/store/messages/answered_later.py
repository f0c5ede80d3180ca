"""Turns that were not answered, and are after all: reopened, they are answered together. Functions over a connection.

an away message was sent ──timer, at the next opening──► reopened, where no answer came since ──► one turn
people give a conversation back ──► reopened (`runtime.store.messages.operators`)
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from runtime.store import timers
from runtime.store.database.statement import Statement
from runtime.store.messages import conversations, handoffs
from runtime.store.timers import Timer

OPENING: Final = "opening"
"""The kind of the timer; its key is the conversation's id."""

RETRY = Statement("UPDATE turns SET state = 'retried', starts = 0, reason = NULL WHERE id = :turn_id")
OPEN_AGAIN = Statement(
    "UPDATE inbox SET state = 'open' WHERE conversation_id = :id AND turn_id = :turn_id"
    " AND state IN ('unanswered', 'answered')"
)
REMEMBERED = Statement("SELECT id, item FROM items WHERE conversation_id = :id AND turn_id = :turn_id")
FORGET = Statement("DELETE FROM items WHERE id = :item_id")
KEEP = Statement("UPDATE items SET turn_id = NULL WHERE id = :item_id")
AWAY = Statement(
    "SELECT id FROM turns WHERE conversation_id = :id AND state = 'unanswered' AND reason = 'hours'"
    " AND id > coalesce((SELECT max(id) FROM turns WHERE conversation_id = :id"
    " AND state IN ('running', 'answered', 'operator')), 0) ORDER BY id"
)
"""After an answer they are in what the assistant knew; a turn under way will know them."""


BOT_OF = Statement("SELECT bot_id FROM conversations WHERE id = :id")


def bot_of(connection: Connection, conversation_id: int) -> str | None:
    """The bot of a conversation; None when it does not exist."""
    row = BOT_OF.first(connection, id=conversation_id)
    return None if row is None else str(row[0])


def schedule(connection: Connection, conversation_id: int, opening: str) -> None:
    """Has what was not answered outside of the hours answered at the opening, text of `timestamp`."""
    timers.put(connection, OPENING, str(conversation_id), datetime.fromisoformat(opening), {})


def answer_away(connection: Connection, timer: Timer) -> int:
    """Reopens what came in outside of the hours and was not answered since; returns the number of turns. None where
    people have the conversation, or WhatsApp would not deliver the answer. Raises TimerTakenOver."""
    conversation_id = int(timer.key)
    held = handoffs.locked(connection, conversation_id)
    timers.finish(connection, timer)
    if held is None or held.state != "assistant":
        return 0
    if conversations.open_until(*conversations.window_facts(connection, conversation_id)) is None:
        return 0
    away = [turn_id for (turn_id,) in AWAY.rows(connection, id=conversation_id)]
    reopen(connection, conversation_id, away, keeps_notices=True)
    return len(away)


def reopen(
    connection: Connection, conversation_id: int, turn_ids: Iterable[int], *, keeps_notices: bool = False
) -> None:
    """Opens the messages of turns again; what was remembered of them is remembered by the turn that answers them.
    `keeps_notices`: not what the user got instead of an answer, which was said."""
    for turn_id in turn_ids:
        RETRY.run(connection, turn_id=turn_id)
        OPEN_AGAIN.run(connection, id=conversation_id, turn_id=turn_id)
        for item_id, item in REMEMBERED.rows(connection, id=conversation_id, turn_id=turn_id):
            is_notice = keeps_notices and json.loads(item).get("role") == "assistant"
            (KEEP if is_notice else FORGET).run(connection, item_id=item_id)
