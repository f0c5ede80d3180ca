"""Messages that a store has from before: made by SQL, each with its turn, answer and memory, on both stores."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg

FIRST = 10_000_000
"""Their rows have the ids from here on, and their people write nothing any more."""
MESSAGES_OF_A_PERSON = 25
SAID = "Quería preguntar si tienen hora para el martes en la tarde, y cuánto sale más o menos."
COLUMNS: dict[str, str] = {
    "conversations": "id, bot_id, user_key, phone, created_at",
    "conversation_aliases": "bot_id, alias, conversation_id",
    "inbox": "id, account_sid, message_sid, bot_id, conversation_id, sender, body, params, state, turn_id,"
    " received_at, content",
    "turns": "id, conversation_id, bot_id, state, starts, model, started_at, finished_at",
    "items": "conversation_id, turn_id, item, tokens, created_at",
    "outbox": "id, turn_id, conversation_id, bot_id, part, account_sid, sender, recipient, body, channel, state,"
    " message_sid, status, created_at, claimed_at, settled_at",
}


@dataclass(frozen=True, slots=True)
class OldMessages:
    """Half of them in, half of them answers, spread evenly over a span of time."""

    count: int
    bots: Sequence[tuple[str, str]]
    """Id and number of the bot of each person, in turn: one that is named twice has twice as many."""
    since: datetime
    spread: timedelta

    @property
    def answers(self) -> int:
        """Half of them."""
        return self.count // 2

    def rows(self, table: str) -> Iterator[tuple[object, ...]]:
        """The rows of a table of COLUMNS."""
        content = json.dumps({"v": 1, "parts": [{"kind": "text", "text": SAID}]}, ensure_ascii=False)
        item = json.dumps({"role": "user", "content": SAID}, ensure_ascii=False)
        for number, at in enumerate(self.times()):
            person, row = FIRST + number // MESSAGES_OF_A_PERSON, FIRST + number
            (bot, bot_number), user = self.bots[person % len(self.bots)], f"whatsapp:+569{person:08}"
            match table:
                case "conversations" if number % MESSAGES_OF_A_PERSON == 0:
                    yield person, bot, user, user, at
                case "conversation_aliases" if number % MESSAGES_OF_A_PERSON == 0:
                    yield bot, user, person
                case "inbox":
                    sid = f"SM{row:032x}"
                    yield row, "AC", sid, bot, person, user, SAID, "{}", "answered", row, at, content
                case "turns":
                    yield row, person, bot, "answered", 1, "gpt-6-luna", at, at
                case "items":
                    yield person, row, item, 25, at
                    yield person, row, item.replace("user", "assistant"), 25, at
                case "outbox":
                    sid, sender = f"SN{row:032x}", f"whatsapp:{bot_number}"
                    yield (
                        *(row, row, person, bot, 0, "AC", sender, user, SAID, "rest"),
                        *("sent", sid, "delivered", at, at, at),
                    )

    def times(self) -> Iterator[str]:
        """When each message came; its answer went out at once."""
        step = self.spread / self.answers
        for number in range(self.answers):
            at = self.since + number * step
            yield at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def fill(database: str, messages: OldMessages) -> None:
    """Adds them to a store that has been migrated."""
    for table, names in COLUMNS.items():
        add_rows(database, table, names, messages.rows(table))
    if not database.startswith("sqlite:///"):
        with psycopg.connect(database, autocommit=True) as server:
            # As in a store that has been there for long; autovacuum would do it while something is measured.
            server.execute("VACUUM (ANALYZE)")
            server.execute("CHECKPOINT")


def add_rows(database: str, table: str, names: str, rows: Iterator[tuple[object, ...]]) -> None:
    """Adds rows to a table, and counts them for the planner."""
    if database.startswith("sqlite:///"):
        with closing(sqlite3.connect(database.removeprefix("sqlite:///"))) as store, store:
            store.execute("PRAGMA synchronous = OFF")
            marks = ", ".join("?" * (names.count(",") + 1))
            store.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)
        return
    with psycopg.connect(database) as server, server.cursor() as cursor:
        with cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        if names.split(", ")[0] == "id" and table != "bots":
            # New rows come after these, as they do on SQLite: what looks for new ones looks behind the newest.
            cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))")
        server.execute(f"ANALYZE {table}")
