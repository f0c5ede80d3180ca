"""What is new in conversations, for pages that update themselves. Functions over a connection; each look is bounded by
what changed, not by what there is.

    inbox, outbox, audit: the newest ids ──► clients in which something happened     for lists
    conversations that are shown         ──► a digest of each, which changes with it  for threads
    sessions                             ──► those that still count

Ids become visible in the order of commits, which is another one on PostgreSQL: the last OVERLAP ids are looked at again
each time, and the caller knows those that it has seen.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, NamedTuple

from sqlalchemy import Connection

from runtime.store.audit import CLIENT_OF_BOT
from runtime.store.console import accounts
from runtime.store.database.statement import Statement, pipelined
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


@pipelined
def look(
    connection: Connection, cursor: NewsCursor | None, conversations: Collection[int], sessions: Collection[str]
) -> ConversationNews:
    """What is new since a look, about what is shown; the first one begins now, with rows that are not new."""
    found = {id_: _digest_later(connection, id_) for id_ in conversations}
    newest = NewsCursor(*NEWEST.one(connection))
    rows = _rows(connection, cursor or newest)
    visitors = {token: accounts.visitor(connection, token) for token in sessions}
    return ConversationNews(
        newest,
        rows,
        {id_: digest for id_, later in found.items() if (digest := later()) is not None},
        {token: found[0].clients for token, found in visitors.items() if found is not None},
    )


def _rows(connection: Connection, cursor: NewsCursor) -> list[NewsRow]:
    most = MOST + OVERLAP
    received = RECEIVED.rows_later(connection, after=cursor.inbox - OVERLAP, limit=most)
    sent = SENT.rows_later(connection, after=cursor.outbox - OVERLAP, limit=most)
    done = DONE.rows(connection, after=cursor.audit - OVERLAP, kind=KIND, limit=most)
    found = [("inbox", id_, bot_id) for id_, bot_id in received()] + [("outbox", id_, bot_id) for id_, bot_id in sent()]
    asked = {bot_id: CLIENT_OF_BOT.rows_later(connection, id=bot_id) for bot_id in {bot_id for *_, bot_id in found}}
    clients = {bot_id: client[0][0] if (client := later()) else bot_id for bot_id, later in asked.items()}
    return [
        *(NewsRow(table, id_, clients[bot_id]) for table, id_, bot_id in found),
        *(NewsRow("audit", id_, client) for id_, client in done),
    ]


def digest_of(connection: Connection, conversation_id: int) -> str | None:
    """What changes with a conversation: its state, its last messages and their delivery, notes, what is remembered.
    None when there is no such conversation."""
    return _digest_later(connection, conversation_id)()


def _digest_later(connection: Connection, conversation_id: int) -> Callable[[], str | None]:
    """As `digest_of`; read when it is asked for."""
    state = STATE.rows_later(connection, id=conversation_id)
    received = LAST_IN.rows_later(connection, id=conversation_id)
    sent = LAST_OUT.rows_later(connection, id=conversation_id, limit=NEWEST_SENT)

    def digest() -> str | None:
        found = state()
        if not found:
            return None
        return sha256(repr((found[0], received(), sent())).encode()).hexdigest()[:16]

    return digest
