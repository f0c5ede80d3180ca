"""A turn whose messages say yes gets what its person had written before. Functions over a connection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection

from runtime.store.database.statement import Statement
from runtime.store.messages import consents
from runtime.store.messages.consents import Consent
from runtime.store.messages.turn_start import attached_messages
from runtime.store.messages.turns import Turn, WaitingMessage, taken_over

MOST_WAITING: Final = 99
"""Messages that are answered with a yes, the newest ones."""

HOLDS = Statement(
    "UPDATE turns SET started_at = started_at"
    " WHERE id = :id AND state = 'running' AND starts = :starts AND started_at = :started_at"
)
REOPEN = Statement(
    "UPDATE inbox SET state = 'open', turn_id = :turn_id WHERE id IN (SELECT inbox.id FROM inbox"
    " JOIN turns ON turns.id = inbox.turn_id WHERE inbox.conversation_id = :conversation_id"
    " AND inbox.state = 'unanswered' AND inbox.sender <> '' AND turns.reason = 'consent'"
    " ORDER BY inbox.id DESC LIMIT :most)"
)


def give(connection: Connection, turn: Turn, consent: Consent) -> tuple[str, Sequence[WaitingMessage]]:
    """Records a yes, and gives the turn that it came with what the person had written before; returns what then stands
    in the conversation's row, and all messages of the turn. Raises TurnTakenOver."""
    if not HOLDS.run(connection, id=turn.id, starts=turn.starts, started_at=turn.started_at):
        raise taken_over(turn.id)
    stated = consents.record(connection, turn.conversation.id, turn.conversation.bot_id, consent)
    REOPEN.run(connection, turn_id=turn.id, conversation_id=turn.conversation.id, most=MOST_WAITING)
    return stated, attached_messages(connection, turn.id)
