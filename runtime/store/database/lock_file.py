"""`<database>.lock`: held by the process that serves a SQLite store, for as long as it lives; the system releases it
even after a kill. It holds which keys that process has."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import IO

from runtime.store.database.url import sqlite_path
from runtime.store.encryption.keyring import connection_name
from runtime.store.errors import StoreError, StoreUnreachable, masked


def held_lock(url: str) -> IO[str]:
    """The lock, held until it is closed; raises StoreError where another process serves the store."""
    path = sqlite_path(url)
    lock_path = _lock_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = lock_path.open("a")
    except OSError as error:
        raise StoreUnreachable(f"The store {masked(url)} cannot be opened: {error.strerror} ({lock_path}).") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        handle.close()
        raise StoreError(
            f"Another process already serves the store {masked(url)}. SQLite is for one serving process; "
            "stop the other one, or set DATABASE_URL to a PostgreSQL server."
        ) from error
    handle.truncate(0)
    handle.write(connection_name())
    handle.flush()
    return handle


def name_of_server(database: str) -> str | None:
    """The name of the process that serves a SQLite file, with the ids of its keys; None where none does."""
    try:
        handle = _lock_of(Path(database)).open()
    except OSError:
        return None
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return handle.read()
    return None


def _lock_of(path: Path) -> Path:
    return Path(f"{path}.lock")
