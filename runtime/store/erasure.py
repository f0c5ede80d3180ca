"""Forgets a user for good: what they wrote and were answered, under every address they were seen under. Functions over
a connection.

What stays says nothing of anybody: that a message was taken in, by its id, so that no sweep brings it back, and when. A
turn under way cannot end after this, nor can a message be sent that had not been handed to Twilio.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from runtime.store.catalog import record_audit
from runtime.store.statement import Statement

KIND = "conversation"


@dataclass(frozen=True, slots=True)
class Forgotten:
    """A conversation of which nothing is left here."""

    bot_id: str
    messages: int
    """What the user had written."""
    thread_id: str | None
    """The session or thread that the provider of the model still has."""


OF_USER = Statement(
    "SELECT id, conversations.bot_id, thread_id FROM conversations WHERE id IN"
    " (SELECT conversation_id FROM conversation_aliases WHERE alias = :address) ORDER BY id"
)
ADDRESSES = Statement("SELECT alias FROM conversation_aliases WHERE conversation_id = :id")
EMPTY_MESSAGES = Statement(
    "UPDATE inbox SET sender = '', body = '', params = '{}', turn_id = NULL,"
    " state = CASE WHEN state = 'open' THEN 'dropped' ELSE state END WHERE conversation_id = :id"
)
EMPTY_CONVERSATION = Statement(
    "UPDATE conversations SET user_key = '', profile_name = NULL, thread_id = NULL WHERE id = :id"
)
DELETIONS = (
    Statement("DELETE FROM items WHERE conversation_id = :id"),
    Statement("DELETE FROM turns WHERE conversation_id = :id"),
    Statement("DELETE FROM outbox WHERE conversation_id = :id"),
    Statement("DELETE FROM conversation_aliases WHERE conversation_id = :id"),
)
DELETE_NOTICES = Statement("DELETE FROM outbox WHERE conversation_id IS NULL AND recipient = :address")


def forget(connection: Connection, address: str, actor: str) -> Sequence[Forgotten]:
    """Forgets whoever has an address (`whatsapp:+…`), with all bots, and notes who did it; returns what was found."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete = ON")  # else the file keeps what was in deleted rows
    found = OF_USER.rows(connection, address=address)
    known = {alias for id_, _, _ in found for (alias,) in ADDRESSES.rows(connection, id=id_)}
    for one in sorted({address, *known}):
        DELETE_NOTICES.run(connection, address=one)
    return [_forgotten(connection, id_, bot_id, thread_id, actor) for id_, bot_id, thread_id in found]


def _forgotten(connection: Connection, id_: int, bot_id: str, thread_id: str | None, actor: str) -> Forgotten:
    for deletion in DELETIONS:
        deletion.run(connection, id=id_)
    messages = EMPTY_MESSAGES.run(connection, id=id_)
    EMPTY_CONVERSATION.run(connection, id=id_)
    record_audit(connection, actor=actor, action="forgotten", kind=KIND, object_id=str(id_), overridden=None, fields=())
    return Forgotten(bot_id, messages, thread_id)
