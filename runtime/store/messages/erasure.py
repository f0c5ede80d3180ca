"""Forgets a user for good: what they wrote and were answered, under every address they were seen under. Functions over
a connection.

    forget ──► what was said is gone; addresses and the provider's thread lead to the rest elsewhere ──► let_go

What stays in the end says nothing of anybody: that a message was taken in, by its id, so that no sweep brings it back,
and when. After `forget` a turn under way cannot end, nor note a thread, nor can a message be sent that had not been
handed to Twilio; who writes again begins a new conversation. Whoever is forgotten again is found by the addresses that
were not let go.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection

from runtime.store.catalog import record_audit
from runtime.store.database.statement import Statement
from runtime.store.messages import conversations

KIND = "conversation"


@dataclass(frozen=True, slots=True)
class Forgotten:
    """A conversation of which nothing is left here but what leads to the rest of it elsewhere."""

    id: int
    bot_id: str
    assistant_id: str | None
    """The bot's, as it is now; None when the bot is gone or answers by itself."""
    thread_id: str | None
    """The session or thread that the provider of the model has."""
    messages: int
    """What the user had written."""
    addresses: Sequence[str]
    """All addresses of the user, `whatsapp:+…`."""
    account_sids: Sequence[str]
    """Twilio accounts that the user's messages came from."""
    cut_off: Sequence[tuple[int, str]]
    """Turns that were under way, with what their engine had noted, as JSON."""


@dataclass(frozen=True, slots=True)
class Erased:
    """What was found of a user."""

    conversations: Sequence[Forgotten]
    notices: int
    """Messages that were sent to them outside of any conversation."""


OF_USER = Statement(
    "SELECT conversations.id, conversations.bot_id, assistant_id, thread_id FROM conversations"
    " LEFT JOIN bots ON bots.id = conversations.bot_id WHERE conversations.id IN"
    " (SELECT conversation_id FROM conversation_aliases WHERE alias = :address"
    " OR alias = :forgotten || CAST(conversation_id AS TEXT) || ':' || :address) ORDER BY conversations.id"
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


def forget(connection: Connection, address: str, actor: str) -> Erased:
    """Forgets whoever has an address (`whatsapp:+…`), with all bots, and notes who did it; returns what was found.

    What leads to the rest elsewhere stays until it is let go.
    """
    with _overwriting(connection):
        found = OF_USER.rows(connection, address=address, forgotten=conversations.FORGOTTEN)
        emptied = [_forgotten(connection, *row, actor=actor) for row in found]
        known = {address, *(known for one in emptied for known in one.addresses)}
        notices = sum(DELETE_NOTICES.run(connection, address=one) for one in sorted(known))
    return Erased(emptied, notices)


def let_go(connection: Connection, conversation_ids: Sequence[int]) -> None:
    """Forgets the last of forgotten conversations: addresses, and the provider's thread.

    On PostgreSQL a message may have been on its way into one while it was forgotten; it goes as well.
    """
    with _overwriting(connection):
        for id_ in conversation_ids:
            _empty(connection, id_)
            conversations.detach(connection, id_)


def _forgotten(
    connection: Connection, id_: int, bot_id: str, assistant_id: str | None, thread_id: str | None, *, actor: str
) -> Forgotten:
    addresses = conversations.set_aside(connection, id_)
    accounts = [sid for (sid,) in ACCOUNTS.rows(connection, id=id_)]
    cut_off = [(turn_id, progress) for turn_id, progress in CUT_OFF.rows(connection, id=id_)]
    messages = _empty(connection, id_)
    record_audit(connection, actor=actor, action="forgotten", kind=KIND, object_id=str(id_), overridden=None, fields=())
    return Forgotten(id_, bot_id, assistant_id, thread_id, messages, addresses, accounts, cut_off)


def _empty(connection: Connection, id_: int) -> int:
    """Deletes what was said in a conversation; returns how many messages the user had written."""
    for deletion in DELETIONS:
        deletion.run(connection, id=id_)
    conversations.wipe(connection, id_)
    return EMPTY_MESSAGES.run(connection, id=id_)


@contextmanager
def _overwriting(connection: Connection) -> Iterator[None]:
    """Has SQLite overwrite what is deleted, which else stays in its file."""
    if connection.dialect.name != "sqlite":
        yield
        return
    before = connection.exec_driver_sql("PRAGMA secure_delete").scalar_one()
    connection.exec_driver_sql("PRAGMA secure_delete = ON")
    try:
        yield
    finally:
        connection.exec_driver_sql(f"PRAGMA secure_delete = {before}")
