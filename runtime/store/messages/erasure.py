"""Erases a user for good: messages and answers, under every address of theirs. Functions over a connection.

    forget ──► messages are deleted; addresses and the provider's thread lead to the rest elsewhere ──► erase_ids

What remains identifies no person: ids of messages, so that no sweep accepts them again, and when they came. After
`forget` a running turn can neither end nor store a thread, and no message can be sent that was not passed to Twilio
before; a user who writes again begins a new conversation. A user who is erased again is found by the remaining
addresses.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection

from runtime.store.catalog import record_audit
from runtime.store.database.statement import Statement
from runtime.store.messages import conversations
from schemas.addresses import other_spelling

KIND = "conversation"


@dataclass(frozen=True, slots=True)
class ErasedUser:
    """A conversation of which only the ids that lead to the rest elsewhere are left here."""

    id: int
    bot_id: str
    assistant_id: str | None
    """The bot's current assistant; None when the bot was deleted or has none."""
    thread_id: str | None
    """The session or thread at the model's provider."""
    messages: int
    """Number of the user's messages."""
    addresses: Sequence[str]
    """All addresses of the user, `whatsapp:+…`."""
    account_sids: Sequence[str]
    """Twilio accounts that the user's messages came from."""
    cut_off: Sequence[tuple[int, str]]
    """Turns that were running, with their engine's notes, as JSON."""


@dataclass(frozen=True, slots=True)
class ErasedConversation:
    """What was found of a user."""

    conversations: Sequence[ErasedUser]
    notices: int
    """Number of messages to them outside of any conversation."""


OF_USER = Statement(
    "SELECT conversations.id, conversations.bot_id, assistant_id, thread_id FROM conversations"
    " LEFT JOIN bots ON bots.id = conversations.bot_id WHERE conversations.id IN"
    " (SELECT conversation_id FROM conversation_aliases WHERE alias IN (:address, :other)"
    " OR alias IN (:forgotten || CAST(conversation_id AS TEXT) || ':' || :address,"
    " :forgotten || CAST(conversation_id AS TEXT) || ':' || :other)) ORDER BY conversations.id"
)
ACCOUNTS = Statement("SELECT DISTINCT account_sid FROM inbox WHERE conversation_id = :id ORDER BY account_sid")
CUT_OFF = Statement("SELECT id, progress FROM turns WHERE conversation_id = :id AND progress IS NOT NULL ORDER BY id")
EMPTY_MESSAGES = Statement(
    "UPDATE inbox SET sender = '', body = '', params = '{}', content = NULL, turn_id = NULL,"
    " state = CASE WHEN state = 'open' THEN 'dropped' ELSE state END WHERE conversation_id = :id AND sender <> ''"
)
DELETIONS = (
    Statement("DELETE FROM items WHERE conversation_id = :id"),
    Statement("DELETE FROM turns WHERE conversation_id = :id"),
    Statement("DELETE FROM outbox WHERE conversation_id = :id"),
)
DELETE_NOTICES = Statement("DELETE FROM outbox WHERE conversation_id IS NULL AND recipient = :address")


def forget(connection: Connection, address: str, actor: str) -> ErasedConversation:
    """Erases the user with an address (`whatsapp:+…`), with all bots, and records who did it; returns what was found.

    The ids that lead to the rest elsewhere stay until `erase_ids`.
    """
    with _overwriting(connection):
        other = other_spelling(address)
        found = OF_USER.rows(connection, address=address, other=other, forgotten=conversations.FORGOTTEN)
        emptied = [_forgotten(connection, *row, actor=actor) for row in found]
        known = {address, other, *(known for one in emptied for known in one.addresses)}
        notices = sum(DELETE_NOTICES.run(connection, address=one) for one in sorted(known))
    return ErasedConversation(emptied, notices)


def erase_ids(connection: Connection, conversation_ids: Sequence[int]) -> None:
    """Deletes the rest of erased conversations: addresses, and the provider's thread.

    On PostgreSQL a message may have been stored in one while it was erased; it is deleted as well.
    """
    with _overwriting(connection):
        for id_ in conversation_ids:
            _empty(connection, id_)
            conversations.detach(connection, id_)


def _forgotten(
    connection: Connection, id_: int, bot_id: str, assistant_id: str | None, thread_id: str | None, *, actor: str
) -> ErasedUser:
    addresses = conversations.set_aside(connection, id_)
    accounts = [sid for (sid,) in ACCOUNTS.rows(connection, id=id_)]
    cut_off = [(turn_id, progress) for turn_id, progress in CUT_OFF.rows(connection, id=id_)]
    messages = _empty(connection, id_)
    record_audit(connection, actor=actor, action="forgotten", kind=KIND, object_id=str(id_), overridden=None, fields=())
    return ErasedUser(id_, bot_id, assistant_id, thread_id, messages, addresses, accounts, cut_off)


def _empty(connection: Connection, id_: int) -> int:
    """Deletes the messages of a conversation; returns how many the user had written."""
    for deletion in DELETIONS:
        deletion.run(connection, id=id_)
    conversations.wipe(connection, id_)
    return EMPTY_MESSAGES.run(connection, id=id_)


@contextmanager
def _overwriting(connection: Connection) -> Iterator[None]:
    """Makes SQLite overwrite deleted data, which otherwise stays in its file."""
    if connection.dialect.name != "sqlite":
        yield
        return
    before = connection.exec_driver_sql("PRAGMA secure_delete").scalar_one()
    connection.exec_driver_sql("PRAGMA secure_delete = ON")
    try:
        yield
    finally:
        connection.exec_driver_sql(f"PRAGMA secure_delete = {before}")
