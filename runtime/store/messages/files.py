"""Which file of a message is asked for, and who looked at it. Functions over a connection."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from runtime.content.parts import Media
from runtime.store.audit import Actor, Entry, record
from runtime.store.database.statement import Statement
from runtime.store.messages.content import load_content

KIND = "media"
"""Of the audit's rows about files."""
MESSAGE = Statement(
    "SELECT account_sid, bot_id, content, body, params FROM inbox WHERE id = :id AND conversation_id = :conversation_id"
)


@dataclass(frozen=True, slots=True)
class ReceivedFile:
    """A file that a user sent, at Twilio."""

    account_sid: str
    bot_id: str
    part: Media


def file_of(connection: Connection, conversation_id: int, inbox_id: int, index: int) -> ReceivedFile | None:
    """The file with this index among those of a message; None where there is none."""
    row = MESSAGE.first(connection, id=inbox_id, conversation_id=conversation_id)
    if row is None:
        return None
    account_sid, bot_id, content, body, params = row
    files = [part for part in load_content(content, body, params).parts if isinstance(part, Media)]
    return ReceivedFile(account_sid, bot_id, files[index]) if index < len(files) else None


def record_reading(connection: Connection, actor: Actor, client: str, conversation_id: int, inbox_id: int) -> None:
    """Records in the audit that a file was looked at: when, by whom, of which client, and of which message."""
    fields = (f"conversation {conversation_id}", f"message {inbox_id}")
    record(connection, actor, Entry("read", KIND, client, client, [conversation_id], fields))
