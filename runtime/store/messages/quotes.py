"""The text of a message that a user's message replies to. Functions over a connection."""

from __future__ import annotations

from sqlalchemy import Connection

from runtime.store.database.statement import Statement

OURS = Statement("SELECT body FROM outbox WHERE message_sid = :message_sid AND conversation_id = :conversation_id")
THEIRS = Statement(
    "SELECT body FROM inbox WHERE account_sid = :account_sid AND message_sid = :message_sid"
    " AND conversation_id = :conversation_id"
)


def quoted_text(connection: Connection, conversation_id: int, account_sid: str, message_sid: str) -> str | None:
    """What a message of the conversation said, ours or the user's; None when it is not known here."""
    row = OURS.first(connection, message_sid=message_sid, conversation_id=conversation_id) or THEIRS.first(
        connection, account_sid=account_sid, message_sid=message_sid, conversation_id=conversation_id
    )
    return None if row is None else str(row[0])
