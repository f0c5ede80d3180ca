"""The runtime's access to the store: store functions are plain and synchronous, callers are asyncio.

    webhook ─┐                                 ┌── BEGIN · fn · fn · fn, COMMIT in a thread      SQLite
    turn    ─┼─ await database.write(fn, …) ──►┤
    API     ─┘                                 └── a transaction each, brief ones without a thread  PostgreSQL

A caller that awaits `write` continues after the commit, never before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Concatenate, Protocol

from sqlalchemy import Connection

from runtime.store.database.operation import P, T
from runtime.store.database.postgresql import CONNECTIONS, PostgresqlDatabase
from runtime.store.database.sqlite import SqliteDatabase
from runtime.store.database.url import is_sqlite


class Database(Protocol):
    """The store as the runtime uses it, on either database."""

    async def write(
        self, operation: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Runs the function in a transaction and returns when its effect is on disk."""

    async def write_unhurried(
        self, operation: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """As `write`, where a later commit is good enough. On SQLite it joins the next commit of others, and begins one
        of its own only UNHURRIED_SECONDS later."""

    async def read(self, operation: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs a function that only reads."""

    async def read_traced(
        self, operation: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Runs a function that only reads but for the traces that it leaves; returns when these are on disk. Not for
        what changes anything by itself."""

    async def close(self) -> None:
        """Finishes what was queued and closes the database."""


class ErasableDatabase(Database, Protocol):
    """A store in files, in which what was deleted may still be."""

    @property
    def keeps_deleted(self) -> str | None:
        """Where what was deleted is still in the database's files after `expunge`, in a sentence; None: nowhere."""

    async def expunge(self) -> None:
        """Overwrites in the database's files what was deleted, as far as it does not do so by itself."""


async def open_database(url: str, *, serving: bool = True, connections: int = CONNECTIONS) -> ErasableDatabase:
    """Opens the store and brings its schema to head. Only a process that is `serving` creates one, and a second of them
    is refused on SQLite. `connections`: to PostgreSQL, at most."""
    if is_sqlite(url):
        return await asyncio.to_thread(SqliteDatabase, url, serving)
    return await asyncio.to_thread(PostgresqlDatabase, url, serving, connections)
