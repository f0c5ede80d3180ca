"""The store on PostgreSQL: a transaction for each function. Those that are `pipelined` are done on the event loop
(`pipeline`), the others in a small thread pool."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Concatenate

import structlog
from sqlalchemy import Connection

from runtime.store.database.engine import may_begin_again, store_errors
from runtime.store.database.migrate import open_migrated
from runtime.store.database.operation import P, T, bound
from runtime.store.database.pipeline import Pipelines
from runtime.store.database.statement import is_pipelined

CONNECTIONS = 8
TRUSTED_SECONDS = 1.0
"""How long a connection to PostgreSQL is assumed to be alive after its use. A check before every transaction would be
one round trip of five."""
TRIES = 5
"""How often a transaction is begun that PostgreSQL ends because others wait for it as it does for them."""
PAUSE_SECONDS = 0.02
"""Before it is begun again, at most; doubled each time."""

log = structlog.get_logger("runtime.store")


class PostgresqlDatabase:
    """A transaction for each function; half of the connections are pipelines, the others belong to a thread each.

    Of transactions that wait for each other PostgreSQL ends one (a deadlock), which has then changed nothing: its
    function is called again.
    """

    def __init__(self, url: str, serving: bool, connections: int) -> None:
        self._url = url
        of_loop = connections // 2
        self._engine = open_migrated(url, pool_size=connections - of_loop, create=serving)
        self._threads = ThreadPoolExecutor(max_workers=connections - of_loop, thread_name_prefix="store")
        self._pipelines = Pipelines(url, of_loop) if of_loop else None
        self._kept: dict[int, _Kept] = {}

    async def write(
        self, operation: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """See Database."""
        job = bound(operation, *args, **kwargs)
        with store_errors(self._url):
            for number in range(TRIES - 1):
                try:
                    return await self._done(is_pipelined(operation), job)
                except Exception as error:
                    if not may_begin_again(error):
                        raise
                    log.warning("transaction_begun_again", error=str(error).partition("\n")[0])
                # The other one first: it has yet to wake, and one that takes its row meanwhile waits for it once more.
                await asyncio.sleep(PAUSE_SECONDS * 2**number * random.uniform(0.5, 1))  # noqa: S311 - protects nothing
            return await self._done(is_pipelined(operation), job)

    async def write_unhurried(
        self, operation: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """See Database."""
        return await self.write(operation, *args, **kwargs)

    async def read(self, operation: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """See Database."""
        return await self.write(operation, *args, **kwargs)

    async def read_traced(
        self, operation: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """See Database."""
        return await self.write(operation, *args, **kwargs)

    @property
    def keeps_deleted(self) -> str | None:
        """See Database."""
        return "In PostgreSQL's files and its log: deleted rows, until it uses their space again."

    async def expunge(self) -> None:
        """See Database. PostgreSQL does so by itself (autovacuum); to wait for it would take as long as the tables."""

    async def close(self) -> None:
        """See Database."""
        if self._pipelines is not None:
            await self._pipelines.close()
        await asyncio.to_thread(self._threads.shutdown)
        for kept in self._kept.values():
            kept.connection.close()
        self._engine.dispose()

    async def _done(self, is_brief: bool, operation: Callable[[Connection], T]) -> T:
        if is_brief and self._pipelines is not None:
            return await self._pipelines.run(operation)
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._run, operation)

    def _run(self, operation: Callable[[Connection], T]) -> T:
        with self._transaction() as connection:
            return operation(connection)

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """A transaction on this thread's connection, ended at the driver, which begins it with the first statement."""
        with self._kept_connection() as connection:
            yield connection
            if connection.in_transaction():  # a function of the API has used SQLAlchemy, which tracks the transaction
                connection.commit()
            else:
                raw: Any = connection.connection.driver_connection
                raw.commit()

    @contextmanager
    def _kept_connection(self) -> Iterator[Connection]:
        """This thread's connection, which is kept unless its transaction fails."""
        connection = self._connection()
        raw: Any = connection.connection.driver_connection
        try:
            yield connection
        except BaseException:
            if raw.closed:
                connection.invalidate()
            connection.close()
            raise
        self._kept[threading.get_ident()] = _Kept(connection, time.monotonic())

    def _connection(self) -> Connection:
        """This thread's connection; a new one when it has none or the server has closed it."""
        kept = self._kept.pop(threading.get_ident(), None)
        if kept is None:
            return self._engine.connect()
        if time.monotonic() - kept.used_at <= TRUSTED_SECONDS:
            return kept.connection
        dialect = self._engine.dialect
        try:
            dialect.do_ping(kept.connection.connection)
        except dialect.loaded_dbapi.Error:
            kept.connection.invalidate()
            kept.connection.close()
            return self._engine.connect()
        return kept.connection


@dataclass(frozen=True, slots=True)
class _Kept:
    """A thread's connection between two transactions."""

    connection: Connection
    used_at: float
