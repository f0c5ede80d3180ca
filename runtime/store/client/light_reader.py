"""Reads the bot store's tables without the libraries that the runtime needs to serve; never creates or migrates a
store.

Importing this module imports nothing heavier than `sqlite3`; reading imports psycopg where it is needed.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

from runtime.store.database.revision import fits, misfit, too_old
from runtime.store.database.url import is_postgresql, is_sqlite, sqlite_path, unknown_kind
from runtime.store.errors import StoreError, StoreRefused, StoreUnreachable, masked

T = TypeVar("T")
_PARAMETER = re.compile(r"(?<!:):([a-z_]+)")


class Run(Protocol):
    """Runs one SELECT, with its `:name` parameters if it has any, and returns its rows."""

    def __call__(self, query: str, parameters: Mapping[str, str] = ..., /) -> Iterable[tuple[Any, ...]]: ...


def read_tables(url: str, timeout: float, read: Callable[[Run], T], empty: T) -> T:
    """The result of `read` on a store at `sqlite:///…` or `postgresql://…`, in one transaction, so it is consistent.

    Returns `empty` when there is no store yet. `timeout` in seconds. Raises StoreUnreachable, StoreRefused or
    StoreOutdated.
    """
    if is_sqlite(url):
        return _from_sqlite(url, timeout, read, empty)
    if is_postgresql(url):
        return _from_postgresql(url, timeout, read, empty)
    raise unknown_kind(url)


def _can_be_made(path: Path) -> bool:
    return next(above for above in path.absolute().parents if above.exists()).is_dir()


def _from_sqlite(url: str, timeout: float, read: Callable[[Run], T], empty: T) -> T:
    path = sqlite_path(url)
    if not path.exists():
        if not _can_be_made(path):
            raise StoreUnreachable(
                f"The store {url} cannot be created: a part of its path is a file, not a folder; check BOT_STORE_URL."
            )
        return empty
    try:
        connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=timeout, isolation_level=None
        )
    except sqlite3.Error as error:
        raise StoreUnreachable(
            f"The store {url} cannot be opened: {error}; check the file and its permissions."
        ) from error
    try:
        connection.execute("BEGIN")
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone() is None:
            return empty
        return _checked(connection.execute, url, read, empty)
    except sqlite3.Error as error:
        raise misfit(url, str(error)) or StoreUnreachable(
            f"The store {url} cannot be read: {error}; check that the file is a bot store."
        ) from error
    finally:
        connection.close()


def _from_postgresql(url: str, timeout: float, read: Callable[[Run], T], empty: T) -> T:
    import psycopg

    try:
        with psycopg.connect(url, connect_timeout=max(2, round(timeout)), autocommit=False) as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            connection.execute(f"SET LOCAL statement_timeout = {round(timeout * 1000)}")
            found = connection.execute("SELECT to_regclass('alembic_version')").fetchone()
            if found is None or found[0] is None:
                return empty

            def run(query: str, parameters: Mapping[str, str] | None = None, /) -> Iterable[tuple[Any, ...]]:
                # Without parameters a percent sign is one.
                text = _PARAMETER.sub(r"%(\1)s", query) if parameters else query
                return connection.execute(text.encode(), parameters or None)

            return _checked(run, url, read, empty)
    except psycopg.OperationalError as error:
        reason = _first_line(str(error))
        if "authentication failed" in str(error) or 'role "' in str(error):
            raise StoreRefused(
                f"The store {masked(url)} does not accept this user or password; check both in its URL."
            ) from error
        raise StoreUnreachable(
            f"The store {masked(url)} cannot be reached: {reason}; check its address and that it is running."
        ) from error
    except psycopg.Error as error:
        reason = _first_line(str(error))
        raise misfit(masked(url), reason, error.sqlstate) or StoreError(
            f"The store {masked(url)} cannot be read: {reason}; check that its address names a bot store and that this "
            "user may read it."
        ) from error


def _first_line(detail: str) -> str:
    lines = detail.strip().splitlines()
    return lines[0].rstrip(".") if lines else "no detail given"


def _checked(run: Run, url: str, read: Callable[[Run], T], empty: T) -> T:
    versions = list(run("SELECT version_num FROM alembic_version"))
    if not versions:
        return empty
    if not fits(versions[0][0], masked(url)):
        raise too_old(versions[0][0], masked(url))
    return read(run)
