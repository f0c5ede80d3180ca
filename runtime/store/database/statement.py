"""SQL of the message path: written once with `:name` parameters, for both databases.

It is executed by the driver directly, inside the connection's transaction, and reads and writes plain tuples
(docs/adr/0002-raw-sql.md). The schema stays in `tables`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

PARAMETER = re.compile(r"(?<!:):([a-z_]+)")


class Statement:
    """One statement, for either database."""

    __slots__ = ("_names", "_positional", "_pyformat")

    def __init__(self, sql: str) -> None:
        # SQLite gets its parameters by position: Python's driver releases the GIL for each name that it looks up, and
        # waits to get it back. Up to Python 3.12.3 it treats numbers (`?1`) as names too and warns about each, which
        # takes five times as long as the row; so a parameter that is used twice is passed twice.
        self._names = tuple(PARAMETER.findall(sql))
        self._positional = PARAMETER.sub("?", sql)
        self._pyformat = PARAMETER.sub(r"%(\1)s", sql)

    def rows(self, connection: Connection, /, **parameters: object) -> list[tuple[Any, ...]]:
        """All rows of the answer."""
        found: list[tuple[Any, ...]] = self.executed(connection, parameters).fetchall()
        return found

    def first(self, connection: Connection, /, **parameters: object) -> tuple[Any, ...] | None:
        """The first row, None when there is none."""
        found = self.rows(connection, **parameters)
        return found[0] if found else None

    def one(self, connection: Connection, /, **parameters: object) -> tuple[Any, ...]:
        """The row of a statement that always has one."""
        return self.rows(connection, **parameters)[0]

    def run(self, connection: Connection, /, **parameters: object) -> int:
        """Executes and returns the number of changed rows."""
        changed: int = self.executed(connection, parameters).rowcount
        return changed

    def each(self, connection: Connection, parameters: Sequence[dict[str, object]], /) -> None:
        """Executes once for each set of parameters."""
        if parameters:
            raw: Any = connection.connection.driver_connection
            if connection.dialect.name == "sqlite":
                raw.executemany(self._positional, [[row[name] for name in self._names] for row in parameters])
            else:
                raw.cursor().executemany(self._pyformat, parameters)

    def executed(self, connection: Connection, parameters: Mapping[str, object]) -> Any:
        """The driver's cursor, after it has executed the statement."""
        raw: Any = connection.connection.driver_connection
        if connection.dialect.name == "sqlite":
            return raw.execute(self._positional, [parameters[name] for name in self._names])
        return raw.execute(self._pyformat, parameters)


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
        cursor = self._on_sqlite.executed(connection, parameters)
        return int(cursor.lastrowid) if cursor.rowcount else None

    def one(self, connection: Connection, /, **parameters: object) -> int:
        """The row's id, where no conflict is possible."""
        row_id = self.run(connection, **parameters)
        assert row_id is not None, "an insert without conflicts returned no id"
        return row_id
