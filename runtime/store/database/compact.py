"""Prepares a SQLite file to shrink as rows are deleted, and makes it as small as what is in it.

A new store is prepared as it is created. One of an earlier release is rewritten once, which takes as long as copying it
and the same space again, so no start does it: `horizonai-whatsapp-bot migrate --compact`, while no service runs.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass

from runtime.store.database.engine import BUSY_SECONDS, store_errors
from runtime.store.database.lock_file import held_lock
from runtime.store.database.url import sqlite_path
from runtime.store.errors import StoreError, masked

MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class CompactedFile:
    """The sizes of a file, in bytes."""

    before: int
    after: int


def compact(url: str) -> CompactedFile:
    """Rewrites a SQLite store. Raises StoreError while a service runs, and where the disk has no room for a copy."""
    path = sqlite_path(url)
    with closing(held_lock(url)), store_errors(url), closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as store:
        store.isolation_level = None
        store.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        before = path.stat().st_size
        # The copy is made in the folder for temporary files, and written back through the log.
        free = shutil.disk_usage(path.parent).free
        if free < 2 * before:
            raise StoreError(
                f"Rewriting the store {masked(url)} may need {2 * before / MEGABYTE:,.0f} MB beside it, and its "
                f"disk has {free / MEGABYTE:,.0f} MB left. Nothing was changed; make room first."
            )
        store.execute("PRAGMA auto_vacuum = INCREMENTAL")
        store.execute("VACUUM")
        store.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return CompactedFile(before, path.stat().st_size)
