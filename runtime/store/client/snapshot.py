"""Reads everything that planning needs from the bot store, without the libraries that the runtime needs to serve.

Importing this module imports nothing heavier than `sqlite3`; reading imports `http.client` or psycopg where they are
needed. Reading never creates a store.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

from runtime.store.client.light_reader import Run, read_tables
from runtime.store.codec import Record, columns, key_of, read_documents, read_rows
from runtime.store.database.url import is_api
from runtime.store.records import AppliedRecord, AssistantRecord, BotRecord, DamagedRecord, Snapshot

_Read: TypeAlias = tuple[list[Record], list[DamagedRecord]]
"""Records, and the rows that cannot be read."""

PAGE = 1000
EMPTY = Snapshot(bots=(), assistants=(), applied=(), exists=False)


def read_snapshot(url: str, token: str | None = None, timeout: float = 10) -> Snapshot:
    """Bots, assistants and applied values as they are now; `exists=False` when there is no store yet.

    `url` is `sqlite:///…`, `postgresql://…`, or the runtime's address (`https://…`, with a token); `timeout` in
    seconds. Raises StoreUnreachable, StoreRefused or StoreOutdated.
    """
    if is_api(url):
        return _from_api(url, token, timeout)
    return read_tables(url, timeout, _read, EMPTY)


def _read(run: Run) -> Snapshot:
    return _snapshot(
        _table(run, BotRecord, "bots", "id"),
        _table(run, AssistantRecord, "assistants", "id"),
        _table(run, AppliedRecord, "applied", "client, kind"),
    )


def _snapshot(bots: _Read[BotRecord], assistants: _Read[AssistantRecord], applied: _Read[AppliedRecord]) -> Snapshot:
    damaged = [*bots[1], *assistants[1], *applied[1]]
    return Snapshot(bots[0], assistants[0], applied[0], damaged=damaged)


def _table(run: Run, kind: type[Record], table: str, order: str) -> _Read[Record]:
    # Without the table's name, SQLite would read a quoted name that is not a column as a text.
    names = ", ".join(f'{table}."{name}"' for name in columns(kind))
    return read_rows(kind, run(f"SELECT {names} FROM {table} ORDER BY {order}"))  # noqa: S608 - names are our own constants


def _from_api(url: str, token: str | None, timeout: float) -> Snapshot:
    from runtime.store.client.http import HttpStore

    with HttpStore(url, token, timeout) as api, ThreadPoolExecutor(max_workers=3) as pool:
        bots = pool.submit(_pages, api, BotRecord, "/bots/")
        assistants = pool.submit(_pages, api, AssistantRecord, "/assistants/")
        applied = pool.submit(_pages, api, AppliedRecord, "/reconcile/applied")
        return _snapshot(bots.result(), assistants.result(), applied.result())


def _pages(api: Any, kind: type[Record], path: str) -> _Read[Record]:
    """Every page of a list; the last id of one asks for the next."""
    documents: list[Mapping[str, Any]] = []
    after: str | None = None
    while True:
        page = api.call("GET", path, limit=PAGE, after=after)
        documents += page
        if len(page) < PAGE:
            return read_documents(kind, documents)
        last = page[-1]
        after = "/".join(last["key"].values() if "damaged" in last else (last[name] for name in key_of(kind)))
