"""Messages that came in for a bot whose number has passed to another client meanwhile: that one answers them.

They move to a conversation of the bot that has the number now, and wait there; what was said before stays where it was.
Functions over a connection.
"""

from __future__ import annotations

from sqlalchemy import Connection

from runtime.content.opting import opting_of
from runtime.store.database.statement import Statement
from runtime.store.messages import conversations, jobs
from runtime.store.messages.turns import Ending, Turn, end_turn

REASON = "handed_over"
"""Why a turn of the former bot ends without an answer."""

SUCCESSOR = Statement(
    "SELECT successor FROM handovers JOIN bots ON bots.id = successor WHERE handovers.bot_id = :bot_id"
)
MOVE = Statement(
    "UPDATE inbox SET bot_id = :bot_id, conversation_id = :conversation_id, turn_id = NULL"
    " WHERE turn_id = :turn_id AND state = 'open'"
)


def hand_over(connection: Connection, turn: Turn) -> bool:
    """Ends a turn of a deleted bot by moving its messages to the bot that its number has passed to; False when there is
    none. Raises TurnTakenOver."""
    row = SUCCESSOR.first(connection, bot_id=turn.conversation.bot_id)
    if row is None:
        return False
    (successor,) = row
    last = turn.messages[-1]
    user_key = turn.conversation.user_key or last.sender
    conversation_id = conversations.conversation_of(
        connection, successor, user_key, last.sender, last.content.profile_name
    )
    MOVE.run(connection, bot_id=successor, conversation_id=conversation_id, turn_id=turn.id)
    for message in turn.messages:
        if (opting := opting_of(message.content)) is not None:
            conversations.record_opting(connection, conversation_id, opting, "word", message.received_at)
    end_turn(connection, turn, Ending("unanswered", reason=REASON))
    if connection.dialect.name == "postgresql":
        jobs.defer_rest(connection, conversation_id)
    return True
