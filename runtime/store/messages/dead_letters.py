"""Turns that failed for good: listed, retried or dropped. Functions over a connection.

    dead ──retry──► retried    its messages are open again and join a turn with other waiting ones
      └────drop───► dropped    final

The serving process finds the reopened messages by itself, so any process may do this.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from runtime.store.catalog import record_audit
from runtime.store.database.statement import Statement
from runtime.store.errors import NotDeadLetters

KIND = "dead_letter"


@dataclass(frozen=True, slots=True)
class DeadMessage:
    """A message that got only the fallback message."""

    message_sid: str
    sender: str
    body: str
    received_at: str


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A turn that failed for good."""

    id: int
    """The turn's."""
    bot_id: str
    client: str
    """The client's id; the bot's for a bot that was created through the API."""
    error: str
    failed_at: str
    messages: Sequence[DeadMessage]


LIST = Statement(
    "SELECT turns.id, turns.bot_id, coalesce(bots.client, turns.bot_id), coalesce(turns.error, ''), turns.finished_at,"
    " turns.conversation_id FROM turns LEFT JOIN bots ON bots.id = turns.bot_id WHERE turns.state = 'dead'"
    " AND turns.id > :after AND (CAST(:clients AS text) = ''"
    " OR replace(CAST(:clients AS text), ' ' || coalesce(bots.client, turns.bot_id) || ' ', '')"
    " <> CAST(:clients AS text))"
    " ORDER BY turns.id LIMIT :limit"
)
MESSAGES = Statement(
    "SELECT message_sid, sender, body, received_at FROM inbox WHERE conversation_id = :conversation_id"
    " AND turn_id = :turn_id ORDER BY id"
)
CLIENT_OF = Statement(
    "SELECT coalesce(bots.client, turns.bot_id) FROM turns LEFT JOIN bots ON bots.id = turns.bot_id"
    " WHERE turns.id = :id"
)
LEAVE = Statement("UPDATE turns SET state = :state WHERE id = :id AND state = 'dead' RETURNING conversation_id")
OPEN_AGAIN = Statement(
    "UPDATE inbox SET state = 'open', turn_id = NULL"
    " WHERE conversation_id = :conversation_id AND turn_id = :turn_id AND state = 'dead'"
)
DROP = Statement(
    "UPDATE inbox SET state = 'dropped'"
    " WHERE conversation_id = :conversation_id AND turn_id = :turn_id AND state = 'dead'"
)


def list_dead_letters(
    connection: Connection, *, clients: Collection[str] | None = None, limit: int = 1000, after: int = 0
) -> list[DeadLetter]:
    """Dead letters by id, of these clients or of all; `after` is the last id of the previous page."""
    # No id has a blank in it. Two of them, so that the blank between neighbours is each one's own; no client is none.
    wanted = "" if clients is None else f" {'  '.join(clients)} "
    return [
        DeadLetter(turn_id, bot_id, label, error, failed_at, _messages(connection, conversation_id, turn_id))
        for turn_id, bot_id, label, error, failed_at, conversation_id in LIST.rows(
            connection, clients=wanted, limit=limit, after=after
        )
    ]


def client_of(connection: Connection, turn_id: int) -> str | None:
    """The client of a turn, as it is listed; None when there is no such turn."""
    row = CLIENT_OF.first(connection, id=turn_id)
    return None if row is None else str(row[0])


def retry(connection: Connection, turn_id: int, actor: str) -> bool:
    """Reopens a dead letter's messages, in their position before later ones; False when the turn is not a dead
    letter."""
    return _leave(connection, turn_id, actor, "retried", OPEN_AGAIN)


def drop(connection: Connection, turn_id: int, actor: str) -> bool:
    """Drops a dead letter; False when the turn is not a dead letter."""
    return _leave(connection, turn_id, actor, "dropped", DROP)


def leave_all(
    connection: Connection, way: Callable[[Connection, int, str], bool], turn_ids: Sequence[int], actor: str
) -> None:
    """Retries or drops dead letters, all of them or none; raises NotDeadLetters."""
    unknown = [turn_id for turn_id in dict.fromkeys(turn_ids) if not way(connection, turn_id, actor)]
    if unknown:
        raise NotDeadLetters(unknown)


def _leave(connection: Connection, turn_id: int, actor: str, state: str, change: Statement) -> bool:
    left = LEAVE.first(connection, id=turn_id, state=state)
    if left is None:
        return False
    change.run(connection, conversation_id=left[0], turn_id=turn_id)
    record_audit(connection, actor=actor, action=state, kind=KIND, object_id=str(turn_id), overridden=None, fields=())
    return True


def _messages(connection: Connection, conversation_id: int, turn_id: int) -> list[DeadMessage]:
    return [DeadMessage(*row) for row in MESSAGES.rows(connection, conversation_id=conversation_id, turn_id=turn_id)]
