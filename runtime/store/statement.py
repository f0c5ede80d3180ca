"""SQL of the message path: written once with `:name` parameters, understood by both databases.

SQLAlchemy's Core costs more per statement here than SQLite needs to run it, and as much as PostgreSQL's driver does, so
these go to the driver directly, inside the transaction that the connection is in. They read and write plain tuples; the
schema stays in `tables`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

PARAMETER = re.compile(r"(?<!:):([a-z_]+)")


class Statement:
    """One statement, for either database."""

    __slots__ = ("_named", "_pyformat")

    def __init__(self, sql: str) -> None:
        self._named = sql
        self._pyformat = PARAMETER.sub(r"%(\1)s", sql)

    def rows(self, connection: Connection, /, **parameters: object) -> list[tuple[Any, ...]]:
        """All rows of the answer."""
        found: list[tuple[Any, ...]] = self._executed(connection, parameters).fetchall()
        return found

    def first(self, connection: Connection, /, **parameters: object) -> tuple[Any, ...] | None:
        """The first row, None when there is none."""
        found = self.rows(connection, **parameters)
        return found[0] if found else None

    def one(self, connection: Connection, /, **parameters: object) -> tuple[Any, ...]:
        """The row of a statement that always has one."""
        return self.rows(connection, **parameters)[0]

    def run(self, connection: Connection, /, **parameters: object) -> int:
        """Executes and says how many rows were changed."""
        changed: int = self._executed(connection, parameters).rowcount
        return changed

    def each(self, connection: Connection, parameters: Sequence[dict[str, object]], /) -> None:
        """Executes once for each set of parameters."""
        if parameters:
            raw: Any = connection.connection.driver_connection
            is_sqlite = connection.dialect.name == "sqlite"
            raw.cursor().executemany(self._named if is_sqlite else self._pyformat, parameters)

    def _executed(self, connection: Connection, parameters: Mapping[str, object]) -> Any:
        """The driver's cursor."""
        raw: Any = connection.connection.driver_connection
        return raw.execute(self._named if connection.dialect.name == "sqlite" else self._pyformat, parameters)
