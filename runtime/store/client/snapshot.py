"""Reads everything that planning needs from the bot store, without the libraries that the runtime needs to serve.

Importing this module imports nothing heavier than `sqlite3`; reading imports `http.client` or psycopg where they are
needed. Reading never creates a store.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from runtime.store.client.light_reader import Run, read_tables
from runtime.store.codec import Record, columns, from_document, from_rows
from runtime.store.database.url import is_api
from runtime.store.records import AppliedRecord, AssistantRecord, BotRecord, Snapshot

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
    return Snapshot(
        bots=_table(run, BotRecord, "bots", "id"),
        assistants=_table(run, AssistantRecord, "assistants", "id"),
        applied=_table(run, AppliedRecord, "applied", "client, kind"),
    )


def _table(run: Run, kind: type[Record], table: str, order: str) -> list[Record]:
    # Without the table's name, SQLite would read a quoted name that is not a column as a text.
    names = ", ".join(f'{table}."{name}"' for name in columns(kind))
    return from_rows(kind, run(f"SELECT {names} FROM {table} ORDER BY {order}"))  # noqa: S608 - names are our own constants


def _from_api(url: str, token: str | None, timeout: float) -> Snapshot:
    from runtime.store.client.http import HttpStore

    with HttpStore(url, token, timeout) as api, ThreadPoolExecutor(max_workers=3) as pool:
        bots = pool.submit(_pages, api, BotRecord, "/bots/")
        assistants = pool.submit(_pages, api, AssistantRecord, "/assistants/")
        applied = pool.submit(_pages, api, AppliedRecord, "/reconcile/applied")
        return Snapshot(bots=bots.result(), assistants=assistants.result(), applied=applied.result())


def _pages(api: Any, kind: type[Record], path: str) -> list[Record]:
    """Every page of a list; the last id of one asks for the next."""
    records: list[Record] = []
    after: str | None = None
    while True:
        page = api.call("GET", path, limit=PAGE, after=after)
        records += [from_document(kind, document) for document in page]
        if len(page) < PAGE:
            return records
        last = page[-1]
        after = last["id"] if "id" in last else f"{last['client']}/{last['kind']}"
