"""Conversations that are searched for: by a number, among all clients; by words, among what people wrote to one client
in the last SEARCHED_DAYS. Functions over a connection, recorded in the audit.

Words are compared in Python, not by the database: texts may be encrypted there.
"""

from __future__ import annotations

import re
import time
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from sqlalchemy import Connection

from runtime.content.rendering import as_text
from runtime.store.audit import Actor, Entry, record
from runtime.store.database.statement import Statement
from runtime.store.database.times import timestamp
from runtime.store.messages import threads
from runtime.store.messages.content import load_content
from runtime.store.messages.threads import ConversationSummary
from schemas.addresses import other_spelling, whatsapp_address

SEARCHED_DAYS: Final = 30
MOST_READ: Final = 20_000
"""Messages of one bot that a search reads, the newest ones."""
LEAST_DIGITS: Final = 6
"""From this number of digits on, and with nothing else, a text is taken for a number."""

ACCENTS: Final = re.compile("[\u0300-\u036f]")
"""What compatibility decomposition takes off a Latin letter."""
NOT_ONE: Final = b"\0"
"""In LATIN, of a letter that becomes several, or one of another alphabet."""


def _decomposed(text: str) -> str:
    return ACCENTS.sub("", unicodedata.normalize("NFKD", text.casefold()))


LATIN: Final = b"".join(
    plain.encode("latin-1") if len(plain := _decomposed(chr(code))) == 1 and plain < "\u0100" else NOT_ONE
    for code in range(256)
)
BOTS = Statement("SELECT id, coalesce(client, id) FROM bots")
BY_ALIAS = Statement("SELECT conversation_id FROM conversation_aliases WHERE bot_id = :bot_id AND alias = :alias")
RECENT = Statement(
    "SELECT inbox.conversation_id, content, body, params, profile_name FROM inbox"
    " JOIN conversations ON conversations.id = inbox.conversation_id WHERE inbox.bot_id = :bot_id"
    " AND received_at >= :since AND sender <> '' ORDER BY received_at DESC LIMIT :limit"
)


def is_number(text: str) -> bool:
    """Whether a text is searched for as a telephone's number."""
    rest = text.strip().removeprefix("+")
    return len(_digits(rest)) >= LEAST_DIGITS and set(rest) <= set("0123456789 -().")


def search(
    connection: Connection, actor: Actor, text: str, *, clients: Sequence[str] | None, limit: int
) -> list[ConversationSummary]:
    """What is found among these clients, or among all; the newest first. Words are looked for in one client only."""
    bots = [bot_id for bot_id, client in BOTS.rows(connection) if clients is None or client in clients]
    found = _by_number(connection, bots, text) if is_number(text) else _by_words(connection, bots, text)
    ids = list(islice(_each_once(found), limit))
    summaries = [one for id_ in ids if (one := threads.summary_of(connection, id_)) is not None]
    for client in sorted({one.client for one in summaries}):
        mine = [one.id for one in summaries if one.client == client]
        record(connection, actor, Entry("read", threads.KIND, client, client, mine, ["search"]))
    return sorted(summaries, key=lambda one: -one.newest)


def _by_number(connection: Connection, bots: Sequence[str], text: str) -> Iterator[int]:
    address = whatsapp_address(f"+{_digits(text)}")
    for bot_id in bots:
        for alias in {address, other_spelling(address)}:
            yield from (int(row[0]) for row in BY_ALIAS.rows(connection, bot_id=bot_id, alias=alias))


def _by_words(connection: Connection, bots: Sequence[str], text: str) -> Iterator[int]:
    wanted, since = _plain(text), timestamp(time.time() - SEARCHED_DAYS * 86_400)
    for bot_id in bots:
        for conversation_id, content, body, params, name in RECENT.each_row(
            connection, bot_id=bot_id, since=since, limit=MOST_READ
        ):
            if wanted in _plain(name or "") or wanted in _plain(as_text(load_content(content, body, params))):
                yield int(conversation_id)


def _each_once(ids: Iterable[int]) -> Iterator[int]:
    """Read no further than they are asked for."""
    known: set[int] = set()
    for id_ in ids:
        if id_ not in known:
            known.add(id_)
            yield id_


def _plain(text: str) -> str:
    """Without capitals and accents. By a table of bytes where that has all letters of a text: 1.3 µs for 90 of
    them, not 5.5."""
    try:
        plain = text.encode("latin-1").translate(LATIN)
    except UnicodeEncodeError:
        return _decomposed(text)
    return _decomposed(text) if NOT_ONE in plain else plain.decode("latin-1")


def _digits(text: str) -> str:
    return "".join(letter for letter in text if letter.isascii() and letter.isdigit())
