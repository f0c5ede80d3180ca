"""Deleting so that nothing of it stays in SQLite's file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection


@contextmanager
def overwriting(connection: Connection) -> Iterator[None]:
    """Makes SQLite overwrite deleted data, which otherwise stays in its file."""
    if connection.dialect.name != "sqlite":
        yield
        return
    raw: Any = connection.connection.driver_connection
    (before,) = raw.execute("PRAGMA secure_delete").fetchone()
    raw.execute("PRAGMA secure_delete = ON").fetchall()
    try:
        yield
    finally:
        raw.execute(f"PRAGMA secure_delete = {before}").fetchall()
