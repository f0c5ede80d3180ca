"""One transaction outside of a serving process: for commands on a store that may be in use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Concatenate

from sqlalchemy import Connection

from runtime.store.database.engine import open_engine, store_errors
from runtime.store.database.migrate import open_migrated
from runtime.store.database.operation import P, T


def run_once(url: str, operation: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Brings an existing store's schema to head where needed, and runs a function in a transaction; raises
    StoreError."""
    engine = open_migrated(url, create=False)
    try:
        with store_errors(url), engine.begin() as connection:
            return operation(connection, *args, **kwargs)
    finally:
        engine.dispose()


@contextmanager
def read_only(url: str) -> Iterator[Connection]:
    """A transaction that sees one state of an existing store and keeps no writer waiting; its schema is brought to head
    first. Raises StoreError."""
    open_migrated(url, create=False).dispose()
    engine = open_engine(url, read_only=True)
    try:
        with store_errors(url), engine.connect() as connection:
            if connection.dialect.name == "postgresql":
                connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with connection.begin():
                yield connection
    finally:
        engine.dispose()
