"""Reads everything that planning needs from the bot store, without the libraries that the runtime needs to serve.

Importing this module brings in nothing heavier than `sqlite3`; reading brings `http.client` or psycopg where they are
needed. Reading never makes a store.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from runtime.store.codec import Record, columns, from_document, from_rows
from runtime.store.errors import StoreError, StoreOutdated, StoreRefused, StoreUnreachable, masked
from runtime.store.records import AppliedRecord, AssistantRecord, BotRecord, Snapshot
from runtime.store.revision import HEAD, fits

PAGE = 1000
EMPTY = Snapshot(bots=(), assistants=(), applied=(), exists=False)


def read_snapshot(url: str, token: str | None = None, timeout: float = 10) -> Snapshot:
    """Bots, assistants and applied values as they are now; `exists=False` when there is no store yet.

    `url` is `sqlite:///…`, `postgresql://…`, or the runtime's address (`https://…`, with a token); `timeout` in
    seconds. Raises StoreUnreachable, StoreRefused or StoreOutdated.
    """
    if url.startswith("sqlite:///"):
        return _from_sqlite(url, timeout)
    if url.startswith(("postgresql://", "postgres://")):
        return _from_postgresql(url, timeout)
    if url.startswith(("https://", "http://")):
        return _from_api(url, token, timeout)
    raise StoreError(
        f"The store's address {masked(url)!r} is of no known kind; use sqlite:///path/to/file.db, "
        "postgresql://user:password@host/database, or https:// and the runtime's address."
    )


def _from_sqlite(url: str, timeout: float) -> Snapshot:
    path = Path(url.removeprefix("sqlite:///"))
    if not path.exists():
        return EMPTY
    try:
        connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=timeout, isolation_level=None
        )
    except sqlite3.Error as error:
        raise StoreUnreachable(
            f"The store {url} cannot be opened: {error}; check the file and its permissions."
        ) from error
    try:
        # One transaction, so that all tables are of one moment.
        connection.execute("BEGIN")
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone() is None:
            return EMPTY
        return _read(connection.execute, url)
    except sqlite3.Error as error:
        raise StoreUnreachable(
            f"The store {url} cannot be read: {error}; check that the file is a bot store."
        ) from error
    finally:
        connection.close()


def _from_postgresql(url: str, timeout: float) -> Snapshot:
    import psycopg

    try:
        with psycopg.connect(url, connect_timeout=max(2, round(timeout)), autocommit=False) as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            connection.execute(f"SET LOCAL statement_timeout = {round(timeout * 1000)}")
            found = connection.execute("SELECT to_regclass('alembic_version')").fetchone()
            if found is None or found[0] is None:
                return EMPTY
            return _read(connection.execute, url)
    except psycopg.OperationalError as error:
        detail = str(error).strip().splitlines()
        reason = detail[0].rstrip(".") if detail else "no detail given"
        if "authentication failed" in str(error) or 'role "' in str(error):
            raise StoreRefused(
                f"The store {masked(url)} does not accept this user or password; check both in its URL."
            ) from error
        raise StoreUnreachable(
            f"The store {masked(url)} cannot be reached: {reason}; check its address and that it is running."
        ) from error


def _read(run: Callable[[Any], Iterable[tuple[Any, ...]]], url: str) -> Snapshot:
    versions = list(run("SELECT version_num FROM alembic_version"))
    if not versions:
        return EMPTY
    if not fits(versions[0][0], masked(url)):
        raise StoreOutdated(
            f"The store {masked(url)} has the schema {versions[0][0]}, this program needs {HEAD}; "
            "run `horizonai-whatsapp-bot migrate`."
        )
    return Snapshot(
        bots=_table(run, BotRecord, "bots", "id"),
        assistants=_table(run, AssistantRecord, "assistants", "id"),
        applied=_table(run, AppliedRecord, "applied", "client, kind"),
    )


def _table(run: Callable[[Any], Iterable[tuple[Any, ...]]], kind: type[Record], table: str, order: str) -> list[Record]:
    names = ", ".join(f'"{name}"' for name in columns(kind))
    return from_rows(kind, run(f"SELECT {names} FROM {table} ORDER BY {order}"))  # noqa: S608 - names are our own constants


def _from_api(url: str, token: str | None, timeout: float) -> Snapshot:
    from runtime.store.http_client import HttpStore

    api = HttpStore(url, token, timeout)
    with ThreadPoolExecutor(max_workers=3) as pool:
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
            api.close()
            return records
        last = page[-1]
        after = last["id"] if "id" in last else f"{last['client']}/{last['kind']}"
