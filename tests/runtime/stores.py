"""Stores of every kind for tests: a SQLite file, a database on a PostgreSQL server, the runtime's API; and their rows
as the product reads them."""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import Engine

from runtime.store.database.engine import open_engine
from runtime.store.database.migrate import open_migrated
from runtime.store.encryption import keyring
from runtime.store.encryption.keyring import HEAD, HEAD_BYTES
from tests.runtime.server import GIVEN as SERVER
from tests.runtime.server import server

__all__ = [
    "SERVER",
    "drop_database",
    "empty_store",
    "make_database",
    "make_empty_database",
    "make_file",
    "migrated_store",
    "new_store",
    "postgresql_answers",
    "readable",
]


def readable(rows: Iterable[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """Rows that a test read by the driver alone: cells that are encrypted, with TEST_STORE_KEY, decrypted."""
    return [tuple(map(_readable, row)) for row in rows]


def _readable(cell: Any) -> Any:
    if isinstance(cell, memoryview):
        cell = bytes(cell)
    if keyring.current is None:
        return cell
    if isinstance(cell, bytes):
        return keyring.current.decrypted_bytes(cell) if cell.startswith(HEAD_BYTES) else cell
    return keyring.current.decrypted(cell) if isinstance(cell, str) and cell.startswith(HEAD) else cell


def postgresql_answers() -> bool:
    """Whether there is a server to test against."""
    return server() is not None


def make_database() -> str:
    """A new database with a store's tables, and nothing in them: a copy of one that this process migrated. Skips the
    test where there is no server, and fails instead in CI."""
    return _made(_migrated_database())


def make_empty_database() -> str:
    """A new database without tables, for tests of what makes them."""
    return _made("template1")


def _made(template: str) -> str:
    name = f"test_{uuid4().hex}"
    with psycopg.connect(f"{_server()}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    return f"{_server()}/{name}"


def _server() -> str:
    address = server()
    if address is None:
        reason = f"no PostgreSQL server answers at {SERVER}, and none is installed; set TEST_POSTGRESQL_URL to one"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return address


@cache
def _migrated_database() -> str:
    url = make_empty_database()
    atexit.register(drop_database, url)
    open_migrated(url).dispose()
    return url.rpartition("/")[2]


def drop_database(url: str) -> None:
    """Removes a database made by `make_database`."""
    address, _, name = url.rpartition("/")
    with psycopg.connect(f"{address}/postgres", autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def make_file(path: Path) -> None:
    """A SQLite file with its tables, and nothing in them: a copy, since the steps of a schema take longer than many a
    test. What makes a store from nothing is tested where that is the subject."""
    shutil.copyfile(_migrated_file(), path)


@cache
def _migrated_file() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="store-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    open_migrated(f"sqlite:///{folder}/store.db").dispose()
    return folder / "store.db"


@contextmanager
def _dropped_afterwards(url: str) -> Iterator[str]:
    try:
        yield url
    finally:
        drop_database(url)


@contextmanager
def empty_store(kind: str, folder: Path) -> Iterator[str]:
    """The URL of a store without tables: `sqlite`, a file in the folder that does not exist yet, or `postgresql`."""
    if kind == "sqlite":
        yield f"sqlite:///{folder}/store.db"
        return
    with _dropped_afterwards(make_empty_database()) as made:
        yield made


@contextmanager
def new_store(kind: str, folder: Path) -> Iterator[str]:
    """The URL of a store with its tables, and nothing in them."""
    if kind == "sqlite":
        make_file(folder / "store.db")
        yield f"sqlite:///{folder}/store.db"
        return
    with _dropped_afterwards(make_database()) as made:
        yield made


@contextmanager
def migrated_store(kind: str, folder: Path) -> Iterator[Engine]:
    """The same, opened."""
    with new_store(kind, folder) as url:
        engine = open_engine(url)
        try:
            yield engine
        finally:
            engine.dispose()
