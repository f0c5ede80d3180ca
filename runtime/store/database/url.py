"""The kind of store that an address names. Light on purpose, since planning imports it."""

from __future__ import annotations

from pathlib import Path

from runtime.store.errors import StoreError, masked

SQLITE = "sqlite:///"
POSTGRESQL = ("postgresql://", "postgres://")
API = ("https://", "http://")


def is_sqlite(url: str) -> bool:
    """Whether the store is a file of SQLite, `sqlite:///…`: one process serves it."""
    return url.startswith(SQLITE)


def sqlite_path(url: str) -> Path:
    """The file behind `sqlite:///relative` or `sqlite:////absolute`."""
    return Path(url.removeprefix(SQLITE))


def is_postgresql(url: str) -> bool:
    """Whether the store is a database of PostgreSQL, `postgresql://…`: any number of replicas serve it."""
    return url.startswith(POSTGRESQL)


def is_api(url: str) -> bool:
    """Whether the store is behind the runtime's API, `https://…`: its tables cannot be read from here."""
    return url.startswith(API)


def unknown_kind(url: str) -> StoreError:
    """The error about an address of another kind."""
    return StoreError(
        f"The store's address {masked(url)!r} is of no known kind; use sqlite:///path/to/file.db, "
        "postgresql://user:password@host/database, or, where one is allowed, https:// and the runtime's address."
    )
