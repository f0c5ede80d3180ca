"""Opens a database by its URL with the settings that the store relies on. Knows no table."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, exc, make_url

from runtime.store.database.revision import misfit
from runtime.store.database.url import is_postgresql, is_sqlite, sqlite_path, unknown_kind
from runtime.store.encryption.keyring import connection_name
from runtime.store.errors import StoreBusy, StoreError, StoreRefused, StoreUnreachable, masked

BUSY_SECONDS = 30
"""How long a writer of SQLite waits for another process's transaction, in seconds."""


def open_engine(url: str, *, pool_size: int = 5, read_only: bool = False, program: str | None = None) -> Engine:
    """An engine for `sqlite:///…` or `postgresql://…`; the folder of a SQLite file is created when it is missing.

    A `read_only` transaction of SQLite waits for no writer and blocks none. `program`: what PostgreSQL lists its
    connections under; by default as those of a process that reads what people wrote.
    """
    if is_sqlite(url):
        return _sqlite(url, read_only)
    if is_postgresql(url):
        first, servers = _servers(url.replace("postgres://", "postgresql://", 1))
        return create_engine(
            make_url(first).set(drivername="postgresql+psycopg"),
            pool_size=pool_size,
            max_overflow=0,
            connect_args={"connect_timeout": 10, "application_name": program or connection_name(), **servers},
        )
    raise unknown_kind(url)


def _servers(url: str) -> tuple[str, dict[str, str]]:
    """A URL with its first server alone, and where it names several the parameters `host` and `port` of all of them
    (libpq: Specifying Multiple Hosts): SQLAlchemy parses one."""
    authority = re.split(r"[/?#]", url.partition("://")[2], maxsplit=1)[0]
    _, _, rest = authority.rpartition("@")[2].partition(",")
    if not rest:
        return url, {}
    from psycopg.conninfo import conninfo_to_dict  # loaded with the engine; never needed on SQLite

    read = conninfo_to_dict(url)
    return url.replace(f",{rest}", "", 1), {name: str(read[name]) for name in ("host", "port") if read.get(name)}


def _sqlite(url: str, read_only: bool) -> Engine:
    path = sqlite_path(url)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnreachable(
            f"The folder of the store {masked(url)} cannot be created: {error.strerror}; check its path."
        ) from error
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _record: Any) -> None:
        # SQLAlchemy does not close a connection whose configuration fails, as in a file that is not a database.
        with ExitStack() as opened:
            opened.callback(connection.close)
            # The driver's own implicit transactions would leave DDL and SAVEPOINT outside of one.
            connection.isolation_level = None
            if not path.exists() or not path.stat().st_size:
                # So that a new file can shrink; one that has tables stays as it is (`compact`), and is not asked: that
                # would wait for another process's transaction.
                connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            if read_only:
                connection.execute("PRAGMA query_only = ON")
            opened.pop_all()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        raw: Any = connection.connection.driver_connection
        if not raw.in_transaction:
            # A lock requested at the beginning is waited for; one requested later fails with "database is locked".
            connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


@contextmanager
def store_errors(url: str) -> Iterator[None]:
    """Translates the driver's errors into the store's."""
    try:
        yield
    except Exception as error:
        told = store_error(url, error)
        if told is error:
            raise
        raise told from error


def store_error(url: str, error: Exception) -> Exception:
    """The StoreError for an error of the driver, with that as its cause; any other error itself."""
    told: Exception = error
    match error:
        case _ if may_begin_again(error):
            detail = _first_line(str(error))
            told = StoreBusy(f"The store {masked(url)} has ended a transaction because of others: {detail}; try again.")
        case exc.OperationalError():
            told = operational_error(url, str(error.orig))
        case sqlite3.Error():  # from a Statement, which calls the driver directly
            told = operational_error(url, str(error))
        case exc.DatabaseError():
            told = _refusal(url, error.orig)
        case _ if not is_sqlite(url):
            told = _of_postgresql(url, error)
    if told is not error:
        told.__cause__ = error
    return told


def _of_postgresql(url: str, error: Exception) -> Exception:
    from psycopg import DatabaseError, Error  # loaded with the engine; never needed on SQLite

    if not isinstance(error, Error):
        return error
    # Broken connections are operational or interface errors; those that a server refused have a code of their own.
    refused = isinstance(error, DatabaseError) and error.sqlstate is not None and error.sqlstate[:2] in _REFUSALS
    return _refusal(url, error) if refused else operational_error(url, str(error))


def may_begin_again(error: Exception) -> bool:
    """Whether PostgreSQL has ended a transaction only because of others, so that it may be begun again."""
    return _sqlstate(error) in _ENDED_FOR_OTHERS


def _sqlstate(error: Exception) -> str:
    return getattr(error.orig if isinstance(error, exc.DBAPIError) else error, "sqlstate", None) or ""


_ENDED_FOR_OTHERS = ("40001", "40P01")
"""PostgreSQL's codes of transactions that cannot be one after the other, and of a deadlock. 40003, of the same class,
is left out: what it ended may have changed something."""
_REFUSALS = ("22", "23", "42")
"""PostgreSQL's error classes of a wrong statement: its data, a constraint, its syntax or a name in it."""


def _refusal(url: str, error: object) -> StoreError:
    detail = _first_line(str(error))
    return misfit(masked(url), detail, getattr(error, "sqlstate", None)) or StoreError(
        f"The store {masked(url)} refused a statement: {detail}; check that its address names a store of this program."
    )


def operational_error(url: str, detail: str) -> StoreError:
    """The StoreError for a driver's connection error."""
    if "authentication failed" in detail or ("role" in detail and "does not exist" in detail):
        return StoreRefused(
            f"The store {masked(url)} does not accept this user or password; check the user and password in its URL."
        )
    return misfit(masked(url), _first_line(detail)) or StoreUnreachable(
        f"The store {masked(url)} cannot be reached: {_first_line(detail)}; check its address and that it is running."
    )


def _first_line(detail: str) -> str:
    lines = detail.strip().splitlines()
    return lines[0].rstrip(".") if lines else "no detail given"
