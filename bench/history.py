"""A store in which people have written before: conversations with items of memory, as the runtime leaves them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing

import psycopg

ITEMS = 60
"""Items of each person: what a turn loads by default."""
_SAID = "Quería preguntar si tienen hora para el martes en la tarde, y cuánto sale más o menos."
_ANSWERED = "Sí, el martes tenemos a las 15:30 y a las 17:00. El valor depende del servicio; ¿cuál le interesa?"
_AT = "2026-01-01T12:00:00.000Z"
_CONVERSATION = ("conversations", ("id", "bot_id", "user_key", "profile_name", "created_at"))
_ALIAS = ("conversation_aliases", ("bot_id", "alias", "conversation_id"))
_ITEM = ("items", ("conversation_id", "turn_id", "item", "tokens", "created_at"))


def remember(database_url: str, bots: Sequence[str], people: int) -> None:
    """Adds people 0 to `people`, each with the bot that they write to and ITEMS items."""
    for (table, columns), rows in (
        (_CONVERSATION, _conversations(bots, people)),
        (_ALIAS, _aliases(bots, people)),
        (_ITEM, _items(people)),
    ):
        if database_url.startswith("sqlite:///"):
            _to_sqlite(database_url.removeprefix("sqlite:///"), table, columns, rows)
        else:
            _to_postgresql(database_url, table, columns, rows)


def address(person: int) -> str:
    """A person's address, as `bench.traffic` writes from."""
    return f"whatsapp:+569{person:08}"


def _conversations(bots: Sequence[str], people: int) -> Iterator[tuple[object, ...]]:
    return ((person + 1, bots[person % len(bots)], address(person), "Ana", _AT) for person in range(people))


def _aliases(bots: Sequence[str], people: int) -> Iterator[tuple[object, ...]]:
    return ((bots[person % len(bots)], address(person), person + 1) for person in range(people))


def _items(people: int) -> Iterator[tuple[object, ...]]:
    said = json.dumps({"role": "user", "content": _SAID}, ensure_ascii=False)
    answered = json.dumps({"role": "assistant", "content": _ANSWERED}, ensure_ascii=False)
    for person in range(people):
        for number in range(ITEMS):
            yield person + 1, None, answered if number % 2 else said, 25, _AT


def _to_sqlite(path: str, table: str, columns: Sequence[str], rows: Iterator[tuple[object, ...]]) -> None:
    marks = ", ".join("?" * len(columns))
    with closing(sqlite3.connect(path, timeout=60)) as store, store:
        store.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows)


def _to_postgresql(url: str, table: str, columns: Sequence[str], rows: Iterator[tuple[object, ...]]) -> None:
    with psycopg.connect(url) as server, server.cursor() as cursor:
        with cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        if "id" in columns:
            cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))")
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(f"ANALYZE {table}")
