"""Brings all texts of a store to the first key of STORE_KEY, or to plain text, while the service runs.

    find rows that are otherwise ──► read and write each back ──► commit ──► the next ones … ──► a pass that finds none
         (locks nothing)              (a few at a time)                                              ──► retire old keys

It begins again where it was interrupted, for what it has rewritten is as it should be. A row that is being changed is
skipped, and found by the next pass.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Engine, LargeBinary

from runtime.store.database.engine import open_engine, store_errors
from runtime.store.database.migrate import open_migrated
from runtime.store.database.overwriting import overwriting
from runtime.store.database.statement import Statement
from runtime.store.encryption import in_use
from runtime.store.encryption.columns import ENCRYPTED
from runtime.store.encryption.keyring import HEAD, KeyMissing, Keyring, TextDamaged, keys_in
from runtime.store.errors import StoreError
from runtime.store.tables import metadata

FOUND_AT_ONCE: Final = 2000
ROWS_OF_A_COMMIT: Final = 50
BUSY_SECONDS: Final = 0.5
"""Pause before a pass over rows that others were changing in the one before."""


@dataclass(frozen=True, slots=True)
class Retired:
    """The outcome for the keys that new texts are not encrypted with."""

    retired: Sequence[str]
    """Their ids; nothing is encrypted with them any more."""
    kept: Sequence[str]
    """Those that a process at work still encrypts with."""


class DamagedRow(StoreError):
    """A text cannot be read, so it cannot be encrypted with another key."""

    def __init__(self, error: StoreError, table: str, key: Mapping[str, Any]) -> None:
        where = " and ".join(f"{column} {value}" for column, value in key.items())
        super().__init__(f"{error} It is in the table {table}, {where}. What was rewritten before stays so.")


class _Table:
    """The statements on a table."""

    def __init__(self, name: str, dialect: str, keys: Keyring) -> None:
        table = metadata.tables[name]
        self._name = name
        self._key = [column.name for column in table.primary_key.columns]
        self._columns = list(ENCRYPTED[name])
        self._head = {
            f"head_of_{column}": keys.head.encode() if isinstance(table.c[column].type, LargeBinary) else keys.head
            for column in self._columns
        }
        compared = "=" if keys.writes_with is None else "<>"
        otherwise = " OR ".join(
            f"substr({column}, 1, {len(keys.head)}) {compared} :head_of_{column} AND length({column}) > 0"
            for column in self._columns
        )
        key, of_row = ", ".join(self._key), " AND ".join(f"{column} = :{column}_of_row" for column in self._key)
        after = ", ".join(f":after_{column}" for column in self._key)
        first = f"SELECT {key} FROM {name} WHERE ({otherwise})"  # noqa: S608 - our own names, here and below
        in_order = f" ORDER BY {key} LIMIT {FOUND_AT_ONCE}"
        self._first = Statement(first + in_order)
        self._next = Statement(f"{first} AND ({key}) > ({after}){in_order}")
        lock = "" if dialect == "sqlite" else " FOR UPDATE SKIP LOCKED"
        self._read = Statement(f"SELECT {', '.join(self._columns)} FROM {name} WHERE {of_row}{lock}")  # noqa: S608
        values = ", ".join(f"{column} = :{column}" for column in self._columns)
        self._write = Statement(f"UPDATE {name} SET {values} WHERE {of_row}")  # noqa: S608

    def found(self, connection: Connection, after: Sequence[Any] | None) -> list[tuple[Any, ...]]:
        """The keys of the next rows with a text that is not as it should be."""
        if after is None:
            return self._first.rows(connection, **self._head)
        last = {f"after_{column}": value for column, value in zip(self._key, after, strict=True)}
        return self._next.rows(connection, **last, **self._head)

    def rewrite(self, connection: Connection, keys: Sequence[Sequence[Any]]) -> int:
        """Reads the texts of rows, and writes them back; returns of how many. A row that is being changed is skipped;
        on SQLite there is none. Raises DamagedRow."""
        written = 0
        for key in keys:
            of_row = {f"{column}_of_row": value for column, value in zip(self._key, key, strict=True)}
            try:
                texts = self._read.first(connection, **of_row)
            except (KeyMissing, TextDamaged) as error:
                raise DamagedRow(error, self._name, dict(zip(self._key, key, strict=True))) from error
            if texts is not None:
                written += self._write.run(connection, **dict(zip(self._columns, texts, strict=True)), **of_row)
        return written


def rewrite(url: str, keys: Keyring, report: Callable[[str, int], None]) -> int:
    """Rewrites all texts that are not as the first key of STORE_KEY says; returns the number of rows. `report` gets a
    table's name and the number of its rows that were rewritten so far, after each commit. The process's keys are
    `keys`. Raises DamagedRow."""
    total = 0
    with ExitStack() as opened, store_errors(url):
        writing = open_migrated(url, create=False)
        opened.callback(writing.dispose)
        reading = open_engine(url, read_only=True)
        opened.callback(reading.dispose)
        tables = {name: _Table(name, writing.dialect.name, keys) for name in ENCRYPTED}
        while True:
            passes = [_rewrite_table(reading, writing, name, table, report) for name, table in tables.items()]
            total += sum(written for _, written in passes)
            if not any(found for found, _ in passes):
                return total
            if not any(written for _, written in passes):
                time.sleep(BUSY_SECONDS)


def _rewrite_table(
    reading: Engine, writing: Engine, name: str, table: _Table, report: Callable[[str, int], None]
) -> tuple[int, int]:
    """How many rows were found, and how many of them were rewritten."""
    after, rows, written = None, 0, 0
    while found := _found(reading, table, after):
        for first in range(0, len(found), ROWS_OF_A_COMMIT):
            begun = time.monotonic()
            with writing.begin() as connection, overwriting(connection):
                written += table.rewrite(connection, found[first : first + ROWS_OF_A_COMMIT])
            report(name, written)
            # As long again for the service, which on SQLite waits meanwhile.
            time.sleep(time.monotonic() - begun)
        after, rows = found[-1], rows + len(found)
    return rows, written


def _found(reading: Engine, table: _Table, after: Sequence[Any] | None) -> list[tuple[Any, ...]]:
    with reading.begin() as connection:
        return table.found(connection, after)


def retire(connection: Connection, keys: Keyring) -> Retired:
    """Records that nothing is encrypted any more with the keys that are not the first one, after `rewrite`, unless a
    process at work still encrypts with one."""
    others = [key_id for key_id in in_use.keys_of(connection) if key_id != keys.writes_with]
    writing = {key_id for name in in_use.names_of_others(connection) for key_id in keys_in(name)[:1]}
    retired = [key_id for key_id in others if key_id not in writing]
    for key_id in retired:
        in_use.retire(connection, key_id)
    return Retired(retired, [key_id for key_id in others if key_id in writing])


def count_by_key(connection: Connection) -> Mapping[str | None, int]:
    """How many texts are encrypted with each key, by its id; None: with none. Reads all of them."""
    counts: dict[str | None, int] = {}
    for table, columns in ENCRYPTED.items():
        for column in columns:
            for key_id, count in _counted(connection, table, column):
                counts[key_id] = counts.get(key_id, 0) + count
    return counts


def _counted(connection: Connection, table: str, column: str) -> list[tuple[str | None, int]]:
    head: str | bytes = HEAD
    key_id = f"substr({column}, {len(HEAD) + 1}, 8)"
    if isinstance(metadata.tables[table].c[column].type, LargeBinary):
        head = HEAD.encode()
        key_id = f"CAST({key_id} AS TEXT)" if connection.dialect.name == "sqlite" else f"encode({key_id}, 'escape')"
    statement = Statement(
        f"SELECT CASE WHEN substr({column}, 1, {len(HEAD)}) = :head THEN {key_id} END, count(*) FROM {table}"  # noqa: S608
        f" WHERE length({column}) > 0 GROUP BY 1"
    )
    return [(key_id, int(count)) for key_id, count in statement.rows(connection, head=head)]
