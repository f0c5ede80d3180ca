"""One transaction outside of a serving process: for commands on a store that may be in use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate

from sqlalchemy import Connection

from runtime.store.database.engine import store_errors
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
