"""The schema that this program needs, and whether a store's is compatible. Light on purpose, since planning imports
it."""

from __future__ import annotations

import re

from runtime.store.errors import StoreOutdated

HEAD = "1_0047"
"""`<generation>_<step>` of the newest migration; see `runtime.store.database.migrate`."""


def fits(revision: str, address: str) -> bool:
    """True when the schema is at HEAD or a newer step of its generation, False when it must be migrated first.

    Raises StoreOutdated for another generation: no migration that this program knows leads there.
    """
    generation, _, step = revision.partition("_")
    our_generation, _, our_step = HEAD.partition("_")
    if generation != our_generation:
        raise StoreOutdated(
            f"The store {address} has the schema {revision}, which this program (schema {HEAD}) does not know; "
            "install the version of this program that wrote it."
        )
    return int(step) >= int(our_step)


def too_old(revision: str | None, address: str) -> StoreOutdated:
    """The error about a schema that must be migrated first."""
    return StoreOutdated(
        f"The store {address} has the schema {revision or 'of no version'}, this program needs {HEAD}; "
        "run `horizonai-whatsapp-bot migrate`."
    )


def misfit(address: str, detail: str, code: str | None = None) -> StoreOutdated | None:
    """The error about a missing table or column, regardless of the recorded revision; None when a driver's `detail` (of
    PostgreSQL also its `code`) is about something else."""
    if code not in _UNDEFINED and not _ABSENT.search(detail):
        return None
    return StoreOutdated(
        f"The store {address} lacks a part of the schema {HEAD}, which this program needs: {detail.rstrip('.')}; run "
        "`horizonai-whatsapp-bot migrate`, or install the version of this program that wrote it, if that is newer."
    )


_UNDEFINED = ("42P01", "42703")
"""PostgreSQL: undefined_table, undefined_column."""
_ABSENT = re.compile(r"^(no such (table|column): |table \S+ has no column named )")
"""SQLite has only texts."""
