"""SQL of the message path: written once with `:name` parameters, for both databases.

It is executed by the driver directly, inside the connection's transaction, and reads and writes plain tuples
(docs/adr/0002-raw-sql.md). The schema stays in `tables`.

Where STORE_KEY is set, this is where texts are encrypted and decrypted: parameters that are written into encrypted
columns (`runtime.store.encryption.sql`), and cells that say that they are encrypted.

PostgreSQL is a round trip away. In a `pipelined` operation statements are sent one after the other, and only a result
that is read is waited for: `rows`, `first`, `one` and `run` do, `do` and `later` do not (`pipeline`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from operator import itemgetter
from typing import Any, TypeVar

from sqlalchemy import Connection

from runtime.store.encryption import keyring
from runtime.store.encryption.columns import ENCRYPTED, EncryptedColumn
from runtime.store.encryption.keyring import HEAD, HEAD_BYTES, Keyring
from runtime.store.encryption.sql import encrypted_parameters, reads_encrypted

LENGTH = len(HEAD)
PARAMETER = re.compile(r"(?<!:):([a-z_]+)")

Operation = TypeVar("Operation", bound=Callable[..., Any])

_PIPELINED: set[Callable[..., Any]] = set()


def pipelined(operation: Operation) -> Operation:
    """Marks an operation on the store as one that executes nothing but statements of this module, which on PostgreSQL
    are then sent in a pipeline."""
    _PIPELINED.add(operation)
    return operation


def is_pipelined(operation: Callable[..., Any]) -> bool:
    """Whether an operation is marked as `pipelined`."""
    return operation in _PIPELINED


class Statement:
    """One statement, for either database."""

    __slots__ = ("_encrypted", "_numbered", "_once", "_positional", "_pyformat", "_reads", "_values", "sql")

    def __init__(self, sql: str) -> None:
        self.sql = sql
        self._encrypted: Mapping[str, EncryptedColumn] | None = None
        """Parameters of encrypted columns, once the SQL was looked at for them."""
        self._reads = False
        # SQLite gets its parameters by position: Python's driver releases the GIL for each name that it looks up, and
        # waits to get it back. Up to Python 3.12.3 it treats numbers (`?1`) as names too and warns about each, which
        # takes five times as long as the row; so a parameter that is used twice is passed twice.
        names = PARAMETER.findall(sql)
        self._values = _values_of(names)
        self._positional = PARAMETER.sub("?", sql)
        self._pyformat = PARAMETER.sub(r"%(\1)s", sql.replace("%", "%%"))
        numbers = {name: number for number, name in enumerate(dict.fromkeys(names), 1)}
        self._numbered = PARAMETER.sub(lambda found: f"${numbers[found[1]]}", sql).encode()
        self._once = _values_of(list(numbers))

    def rows(self, connection: Connection, /, **parameters: object) -> list[tuple[Any, ...]]:
        """All rows of the answer."""
        found: list[tuple[Any, ...]] = self._executed(connection, parameters).fetchall()
        return found if keyring.current is None else self._readable(found, keyring.current)

    def rows_later(self, connection: Connection, /, **parameters: object) -> Callable[[], list[tuple[Any, ...]]]:
        """As `rows`; they are returned when they are asked for, which waits for everything before them as well. SQLite
        reads them only then."""
        if connection.dialect.name == "sqlite":
            return partial(self.rows, connection, **parameters)
        fetch: Callable[[], list[tuple[Any, ...]]] = self._executed(connection, parameters).fetchall
        keys = keyring.current
        return fetch if keys is None else lambda: self._readable(fetch(), keys)

    def first(self, connection: Connection, /, **parameters: object) -> tuple[Any, ...] | None:
        """The first row, None when there is none."""
        found = self.rows(connection, **parameters)
        return found[0] if found else None

    def one(self, connection: Connection, /, **parameters: object) -> tuple[Any, ...]:
        """The row of a statement that always has one."""
        return self.rows(connection, **parameters)[0]

    def run(self, connection: Connection, /, **parameters: object) -> int:
        """Executes an INSERT, UPDATE or DELETE, and returns the number of changed rows."""
        return self.later(connection, **parameters)()

    def later(self, connection: Connection, /, **parameters: object) -> Callable[[], int]:
        """As `run`; the number is returned when it is asked for, which waits for everything before it as well."""
        raw: Any = connection.connection.driver_connection
        given = self._given(parameters)
        if connection.dialect.name == "sqlite":
            changed: int = raw.execute(self._positional, self._values(given)).rowcount
            return lambda: changed
        if _is_pipeline(connection, raw):
            count: Callable[[], int] = raw.send(self._numbered, self._once(given)).count
            return count
        changed = raw.execute(self._pyformat, given).rowcount
        return lambda: changed

    def last(self, connection: Connection, /, **parameters: object) -> int:
        """As `run`, where nothing that follows must be undone together with it: a pipeline commits here, so that the
        number and the end of the transaction are waited for together."""
        counted = self.later(connection, **parameters)
        raw: Any = connection.connection.driver_connection
        if _is_pipeline(connection, raw):
            raw.commit()
        return counted()

    def do(self, connection: Connection, /, **parameters: object) -> None:
        """Executes without waiting for a result."""
        self._executed(connection, parameters)

    def each(self, connection: Connection, parameters: Sequence[dict[str, object]], /) -> None:
        """Executes once for each set of parameters."""
        for one in parameters:
            self.do(connection, **one)

    def each_row(self, connection: Connection, /, **parameters: object) -> Iterator[tuple[Any, ...]]:
        """As `rows`, one by one where the driver does not have all of them."""
        cursor = self._executed(connection, parameters)
        keys = keyring.current
        return iter(cursor) if keys is None else (row for found in cursor for row in self._readable([found], keys))

    def added(self, connection: Connection, /, **parameters: object) -> int | None:
        """Executes an INSERT on SQLite, and returns the new row's id; None when a conflict prevented it."""
        cursor = self._executed(connection, parameters)
        return int(cursor.lastrowid) if cursor.rowcount else None

    def _executed(self, connection: Connection, parameters: Mapping[str, object]) -> Any:
        """The driver's cursor, after it has executed the statement."""
        raw: Any = connection.connection.driver_connection
        given = self._given(parameters)
        if connection.dialect.name == "sqlite":
            return raw.execute(self._positional, self._values(given))
        if _is_pipeline(connection, raw):
            return raw.send(self._numbered, self._once(given))
        return raw.execute(self._pyformat, given)

    def _given(self, parameters: Mapping[str, object]) -> Mapping[str, object]:
        """The parameters as they are stored."""
        keys = keyring.current
        if keys is None:
            return parameters
        columns = self._encrypted
        if columns is None:
            columns = self._look()
        if not columns:
            return parameters
        given = dict(parameters)
        for name, column in columns.items():
            value = given[name]
            if isinstance(value, (str, bytes)):
                given[name] = keys.encrypted(value, column)
        return given

    def _readable(self, rows: list[tuple[Any, ...]], keys: Keyring) -> list[tuple[Any, ...]]:
        """The rows with the texts of their encrypted cells."""
        if self._encrypted is None:
            self._look()
        return [_decrypted(row, keys) for row in rows] if self._reads else rows

    def _look(self) -> Mapping[str, EncryptedColumn]:
        self._encrypted, self._reads = encrypted_parameters(self.sql), reads_encrypted(self.sql)
        return self._encrypted


def _is_pipeline(connection: object, raw: object) -> bool:
    """Whether an operation is done on a connection of the event loop (`pipeline`), which is its own driver's."""
    return connection is raw


def _decrypted(row: tuple[Any, ...], keys: Keyring) -> tuple[Any, ...]:
    """A row with the texts of its encrypted cells."""
    for cell in row:
        kind = type(cell)
        if (kind is str and cell[:LENGTH] == HEAD) or (kind is bytes and cell[:LENGTH] == HEAD_BYTES):
            return tuple([_text_of(cell, keys) for cell in row])
    return row


def _text_of(cell: Any, keys: Keyring) -> Any:
    kind = type(cell)
    if kind is str:
        return keys.decrypted(cell) if cell[:LENGTH] == HEAD else cell
    return keys.decrypted_bytes(cell) if kind is bytes and cell[:LENGTH] == HEAD_BYTES else cell


def _values_of(names: Sequence[str]) -> Callable[[Mapping[str, object]], Sequence[object]]:
    """What takes the values of these names from a mapping, in their order."""
    if len(names) > 1:
        return itemgetter(*names)
    return lambda parameters: [parameters[name] for name in names]


class InsertRows:
    """A statement that adds several rows: each one more travels to PostgreSQL, and with SQLite gives the GIL away."""

    __slots__ = ("_columns", "_encrypted", "_head", "_values")

    MOST = 16
    """Rows of one statement."""

    def __init__(self, table: str, *columns: str) -> None:
        self._head = f"INSERT INTO {table} ({', '.join(columns)}) VALUES "  # noqa: S608 - our own names
        self._columns = len(columns)
        self._values = _values_of(columns)
        of_table = ENCRYPTED.get(table, {})
        self._encrypted = {name: of_table[name] for name in columns if name in of_table}

    def run(self, connection: Connection, rows: Sequence[Mapping[str, object]], /) -> None:
        """Adds the rows, in their order."""
        raw: Any = connection.connection.driver_connection
        for first in range(0, len(rows), self.MOST):
            part = [self._given(row) for row in rows[first : first + self.MOST]]
            values = [value for row in part for value in self._values(row)]
            if _is_pipeline(connection, raw):
                raw.send(self._head.encode() + _numbered_rows(self._columns, len(part)), values)
            else:
                mark = "?" if connection.dialect.name == "sqlite" else "%s"
                raw.execute(self._head + ", ".join([f"({', '.join([mark] * self._columns)})"] * len(part)), values)

    def _given(self, row: Mapping[str, object]) -> Mapping[str, object]:
        keys = keyring.current
        if keys is None or not self._encrypted:
            return row
        encrypted = {
            name: keys.encrypted(value, column)
            for name, column in self._encrypted.items()
            if isinstance(value := row[name], str | bytes)
        }
        return {**row, **encrypted}


@cache
def _numbered_rows(columns: int, rows: int) -> bytes:
    numbers = [[f"${row * columns + column}" for column in range(1, columns + 1)] for row in range(rows)]
    return ", ".join(f"({', '.join(row)})" for row in numbers).encode()


class Insert:
    """A statement that adds one row to a table whose key `id` the database chooses."""

    __slots__ = ("_on_postgresql", "_on_sqlite")

    def __init__(self, sql: str) -> None:
        self._on_postgresql = Statement(f"{sql} RETURNING id")
        self._on_sqlite = Statement(sql)

    def run(self, connection: Connection, /, **parameters: object) -> int | None:
        """The row's id; None when a conflict prevented the insert."""
        if connection.dialect.name != "sqlite":
            row = self._on_postgresql.first(connection, **parameters)
            return None if row is None else int(row[0])
        # SQLite's driver knows the id; RETURNING would double the time.
        return self._on_sqlite.added(connection, **parameters)

    def one(self, connection: Connection, /, **parameters: object) -> int:
        """The row's id, where no conflict is possible."""
        return self.one_later(connection, **parameters)()

    def one_later(self, connection: Connection, /, **parameters: object) -> Callable[[], int]:
        """As `one`; the id is returned when it is asked for, which waits for everything before it as well."""
        if connection.dialect.name != "sqlite":
            found = self._on_postgresql.rows_later(connection, **parameters)
            return lambda: int(found()[0][0])
        row_id = self._on_sqlite.added(connection, **parameters)
        assert row_id is not None, "an insert without conflicts returned no id"
        return lambda: row_id
