"""Turns that failed for good: listed, retried or dropped. Functions over a connection.

    dead ──retry──► retried ──► running    with its messages and what else waits, from the progress that it had
      └────drop───► dropped                final

A retried turn makes no call of a function again. What it left in memory is taken back, and left again at its next end;
so nothing of it is there twice. It is not retried once its user's later messages were answered, unless it is forced.
What a dropped one left stays.

The serving process finds the reopened messages by itself, so any process may do this.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter

from sqlalchemy import Connection

from runtime.store.audit import Actor, Entry, client_of_conversation, record
from runtime.store.database.statement import Statement
from runtime.store.delivery_errors import in_words
from runtime.store.errors import NotDeadLetters, OutOfPlace

KIND = "dead_letter"


@dataclass(frozen=True, slots=True)
class DeadMessage:
    """A message that got only the fallback message."""

    message_sid: str
    sender: str
    body: str | None
    """What the user wrote; None in the API's answer to a token without the scope `messages`."""
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
    answered_since: str | None
    """When the newest later message of its user was answered: an answer to this one would come out of place."""
    conversation_id: int
    messages: Sequence[DeadMessage]
    error_code: str | None = None
    """Twilio's, where the notice to the user reached no phone."""
    undelivered: str | None = None
    """The same in words."""


LIST = Statement(
    "SELECT turns.id, turns.bot_id, coalesce(bots.client, turns.bot_id), coalesce(turns.error, ''), turns.finished_at,"
    " (SELECT max(later.finished_at) FROM turns AS later WHERE later.conversation_id = turns.conversation_id"
    " AND later.id > turns.id AND later.state = 'answered'), turns.conversation_id, (SELECT min(error_code) FROM outbox"
    " WHERE outbox.turn_id = turns.id AND error_code IS NOT NULL) FROM turns"
    " LEFT JOIN bots ON bots.id = turns.bot_id WHERE turns.state = 'dead'"
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
LATER = Statement(
    "SELECT max(CASE WHEN later.state = 'answered' THEN later.finished_at END), max(CASE WHEN later.state = 'running'"
    " THEN 1 ELSE 0 END) FROM turns JOIN turns AS later ON later.conversation_id = turns.conversation_id"
    " AND later.id > turns.id WHERE turns.id = :id AND turns.state = 'dead'"
)
RETRY = Statement(
    "UPDATE turns SET state = 'retried', starts = 0 WHERE id = :id AND state = 'dead' RETURNING conversation_id"
)
LEAVE = Statement(
    "UPDATE turns SET state = 'dropped', progress = NULL WHERE id = :id AND state = 'dead' RETURNING conversation_id"
)
OPEN_AGAIN = Statement(
    "UPDATE inbox SET state = 'open' WHERE conversation_id = :conversation_id AND turn_id = :turn_id AND state = 'dead'"
)
TAKE_BACK = Statement("DELETE FROM items WHERE conversation_id = :conversation_id AND turn_id = :turn_id")
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
    rows = LIST.rows(connection, clients=wanted, limit=limit, after=after)
    return [
        DeadLetter(
            turn_id,
            bot_id,
            label,
            error,
            at,
            since,
            conversation_id,
            _messages(connection, conversation_id, turn_id),
            code,
            in_words(code),
        )
        for turn_id, bot_id, label, error, at, since, conversation_id, code in rows
    ]


def listed_by(
    connection: Connection,
    actor: Actor,
    *,
    clients: Collection[str] | None = None,
    limit: int = 1000,
    after: int = 0,
    texts: bool = True,
) -> list[DeadLetter]:
    """As `list_dead_letters`, for a person or a program: recorded in the audit, for each client. Without `texts`, what
    people wrote is left out."""
    found = list_dead_letters(connection, clients=clients, limit=limit, after=after)
    for client, letters in groupby(sorted(found, key=attrgetter("client", "id")), attrgetter("client")):
        ids = {letter.conversation_id for letter in letters}
        what = ["texts" if texts else "addresses"]
        record(connection, actor, Entry("read", KIND, client, client, sorted(ids), what))
    return found if texts else [_without_texts(letter) for letter in found]


def _without_texts(letter: DeadLetter) -> DeadLetter:
    return replace(letter, messages=[replace(message, body=None) for message in letter.messages])


def client_of(connection: Connection, turn_id: int) -> str | None:
    """The client of a turn, as it is listed; None when there is no such turn."""
    row = CLIENT_OF.first(connection, id=turn_id)
    return None if row is None else str(row[0])


def retry(connection: Connection, turn_id: int, actor: Actor) -> bool:
    """Reopens a dead letter's messages, in their position before later ones; False when the turn is not a dead
    letter. Raises OutOfPlace."""
    answered, is_running = LATER.one(connection, id=turn_id)
    if answered is not None or is_running:
        raise OutOfPlace(turn_id, answered)
    return force_retry(connection, turn_id, actor)


def force_retry(connection: Connection, turn_id: int, actor: Actor) -> bool:
    """The same, also when the answer comes after those to later messages."""
    return _leave(connection, turn_id, actor, "retried", RETRY, OPEN_AGAIN, TAKE_BACK)


def drop(connection: Connection, turn_id: int, actor: Actor) -> bool:
    """Drops a dead letter; False when the turn is not a dead letter."""
    return _leave(connection, turn_id, actor, "dropped", LEAVE, DROP)


def leave_all(
    connection: Connection, way: Callable[[Connection, int, Actor], bool], turn_ids: Sequence[int], actor: Actor
) -> None:
    """Retries or drops dead letters, all of them or none; raises NotDeadLetters or OutOfPlace."""
    unknown = [turn_id for turn_id in dict.fromkeys(turn_ids) if not way(connection, turn_id, actor)]
    if unknown:
        raise NotDeadLetters(unknown)


def _leave(
    connection: Connection, turn_id: int, actor: Actor, action: str, leave: Statement, *changes: Statement
) -> bool:
    left = leave.first(connection, id=turn_id)
    if left is None:
        return False
    for change in changes:
        change.run(connection, conversation_id=left[0], turn_id=turn_id)
    entry = Entry(action, KIND, str(turn_id), client_of_conversation(connection, left[0]), [left[0]])
    record(connection, actor, entry)
    return True


def _messages(connection: Connection, conversation_id: int, turn_id: int) -> list[DeadMessage]:
    return [DeadMessage(*row) for row in MESSAGES.rows(connection, conversation_id=conversation_id, turn_id=turn_id)]
