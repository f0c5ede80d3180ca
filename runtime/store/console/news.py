"""What is new in conversations, for pages that update themselves. Functions over a connection; each look is bounded by
what changed, not by what there is.

    inbox, outbox, audit: the newest ids ──► clients in which something happened     for lists
    conversations that are shown         ──► a digest of each, which changes with it  for threads
    sessions                             ──► those that still count

Ids become visible in the order of commits, which is another one on PostgreSQL: the last OVERLAP ids are looked at again
each time, and the caller knows those that it has seen.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, NamedTuple

from sqlalchemy import Connection

from runtime.store.audit import client_of_bot
from runtime.store.console import accounts
from runtime.store.database.statement import Statement
from runtime.store.messages.threads import KIND

OVERLAP: Final = 50
MOST: Final = 500
"""New rows of a table that one look reads; after more of them every list counts as changed."""
NEWEST_SENT: Final = 20
"""Messages to a person whose delivery is watched: the newest ones."""


class NewsCursor(NamedTuple):
    """Up to where was looked: ids."""

    inbox: int
    outbox: int
    audit: int


class NewsRow(NamedTuple):
    """A row that may be new."""

    table: str
    id: int
    client: str | None
    """None: not known, so it may be any."""


@dataclass(frozen=True, slots=True)
class ConversationNews:
    """What one look found."""

    cursor: NewsCursor
    rows: Sequence[NewsRow]
    digests: Mapping[int, str]
    """By conversation; those that do not exist any more are not in it."""
    sessions: Mapping[str, Sequence[str] | None]
    """The clients that the operator of a session sees, None: all. Sessions that have ended are not in it."""


NEWEST = Statement(
    "SELECT coalesce((SELECT max(id) FROM inbox), 0), coalesce((SELECT max(id) FROM outbox), 0),"
    " coalesce((SELECT max(id) FROM audit), 0)"
)
RECEIVED = Statement("SELECT id, bot_id FROM inbox WHERE id > :after ORDER BY id LIMIT :limit")
SENT = Statement("SELECT id, bot_id FROM outbox WHERE id > :after ORDER BY id LIMIT :limit")
DONE = Statement(
    "SELECT id, client FROM audit WHERE id > :after AND kind = :kind AND action <> 'read' ORDER BY id LIMIT :limit"
)
STATE = Statement(
    "SELECT state, state_since, state_until, operator, blocked_at, opted_out_at, opted_in_at, window_refused_at,"
    " (SELECT max(id) FROM conversation_notes WHERE conversation_id = :id),"
    " (SELECT max(id) FROM items WHERE conversation_id = :id) FROM conversations WHERE id = :id"
)
LAST_IN = Statement("SELECT id, state FROM inbox WHERE conversation_id = :id AND sender <> '' ORDER BY id DESC LIMIT 3")
LAST_OUT = Statement(
    "SELECT id, state, status, error_code FROM outbox WHERE conversation_id = :id ORDER BY id DESC LIMIT :limit"
)


def look(
    connection: Connection, cursor: NewsCursor | None, conversations: Collection[int], sessions: Collection[str]
) -> ConversationNews:
    """What is new since a look, about what is shown; the first one begins now, with rows that are not new."""
    newest = NewsCursor(*NEWEST.one(connection))
    visitors = {token: accounts.visitor(connection, token) for token in sessions}
    digests = {id_: digest for id_ in conversations if (digest := digest_of(connection, id_)) is not None}
    return ConversationNews(
        newest,
        _rows(connection, cursor or newest),
        digests,
        {token: found[0].clients for token, found in visitors.items() if found is not None},
    )


def _rows(connection: Connection, cursor: NewsCursor) -> list[NewsRow]:
    clients: dict[str | None, str | None] = {}
    found: list[NewsRow] = []
    for table, statement, after in (("inbox", RECEIVED, cursor.inbox), ("outbox", SENT, cursor.outbox)):
        for id_, bot_id in statement.rows(connection, after=after - OVERLAP, limit=MOST + OVERLAP):
            if bot_id not in clients:
                clients[bot_id] = client_of_bot(connection, bot_id)
            found.append(NewsRow(table, id_, clients[bot_id]))
    done = DONE.rows(connection, after=cursor.audit - OVERLAP, kind=KIND, limit=MOST + OVERLAP)
    return [*found, *(NewsRow("audit", id_, client) for id_, client in done)]


def digest_of(connection: Connection, conversation_id: int) -> str | None:
    """What changes with a conversation: its state, its last messages and their delivery, notes, what is remembered.
    None when there is no such conversation."""
    state = STATE.first(connection, id=conversation_id)
    if state is None:
        return None
    received = LAST_IN.rows(connection, id=conversation_id)
    sent = LAST_OUT.rows(connection, id=conversation_id, limit=NEWEST_SENT)
    return sha256(repr((state, received, sent)).encode()).hexdigest()[:16]
