"""Gives the space of deleted rows back, where SQLite's file is prepared for it (`migrate --compact`). Functions over a
connection. PostgreSQL does it by itself."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

INCREMENTAL = 2
"""SQLite: `auto_vacuum`."""


def free_pages(connection: Connection) -> int:
    """Pages of the file that can be given back; 0 where it is not prepared for it."""
    if connection.dialect.name != "sqlite" or _pragma(connection, "auto_vacuum") != INCREMENTAL:
        return 0
    return _pragma(connection, "freelist_count")


def give_back(connection: Connection, pages: int) -> None:
    """Gives up to this many pages back to the file system, with the next checkpoint."""
    # The statement does its work as its rows are read.
    raw: Any = connection.connection.driver_connection
    raw.execute(f"PRAGMA incremental_vacuum({int(pages)})").fetchall()


def _pragma(connection: Connection, name: str) -> int:
    return int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
