"""The store on SQLite: one writer with group commit.

Everything that waits goes into one commit (docs/adr/0003-group-commit.md). When a function fails, its whole group runs
again, each behind its own savepoint: a function may run twice, and must have no effect except on the store.
"""

from __future__ import annotations

import asyncio
import fcntl
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Concatenate

from sqlalchemy import Connection, Engine

from runtime.store.database.engine import open_engine, store_errors
from runtime.store.database.migrate import open_migrated
from runtime.store.database.operation import P, T, bound
from runtime.store.database.url import sqlite_path
from runtime.store.errors import StoreError, StoreUnreachable, masked

GROUP_LIMIT = 512
"""Number of functions in a commit from which on no further iteration of the event loop joins it; limits how long the
first of them waits for the last."""


class SqliteDatabase:
    """One writer thread with group commit, two reader threads."""

    def __init__(self, url: str, serving: bool) -> None:
        self._url = url
        with ExitStack() as opened:
            self._lock = opened.enter_context(_lock_file(url)) if serving else None
            self._writer = open_migrated(url, create=serving)
            opened.pop_all()
        self._connection: Connection | None = None
        self._reader = open_engine(url, read_only=True)
        self._readers = ThreadPoolExecutor(max_workers=2, thread_name_prefix="store-read")
        self._round: list[_Job] = []
        self._rounds: queue.SimpleQueue[list[_Job] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write_groups, name="store-write", daemon=True)
        self._thread.start()

    async def write(
        self, operation: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """See Database."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        if not self._round:
            # Passed to the writer together with all writes of this iteration of the loop. Otherwise the two threads
            # would compete for the GIL over each message, and a commit would hold only a few.
            loop.call_soon(self._hand_over)
        self._round.append(_Job(bound(operation, *args, **kwargs), future, loop))
        return await future

    def _hand_over(self) -> None:
        self._rounds.put(self._round)
        self._round = []

    async def read(self, operation: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """See Database."""
        return await _in_pool(self._readers, self._reader, self._url, bound(operation, *args, **kwargs))

    async def close(self) -> None:
        """See Database."""
        self._hand_over()
        self._rounds.put(None)
        await asyncio.to_thread(self._thread.join)
        self._readers.shutdown()
        self._reader.dispose()
        self._writer.dispose()
        if self._lock is not None:
            self._lock.close()

    def _write_groups(self) -> None:
        while (group := self._next_group()) is not None:
            if group:
                self._commit(group)
        if self._connection is not None:
            self._connection.close()

    def _next_group(self) -> list[_Job] | None:
        """All waiting writes; None when the store closes."""
        group = self._rounds.get()
        while group is not None and len(group) < GROUP_LIMIT and not self._rounds.empty():
            more = self._rounds.get()
            if more is None:
                self._rounds.put(None)
                break
            group += more
        return group

    def _commit(self, group: list[_Job]) -> None:
        outcomes = self._outcomes(group)
        with suppress(RuntimeError):  # the caller's event loop has closed
            group[0].loop.call_soon_threadsafe(_deliver, outcomes)

    def _outcomes(self, group: list[_Job]) -> list[_Outcome]:
        try:
            with store_errors(self._url), self._transaction() as connection:
                return [_Outcome(job, job.operation(connection), None) for job in group]
        except Exception as error:  # noqa: BLE001 - raised in the awaiting caller
            if len(group) == 1:
                return [_Outcome(group[0], None, error)]
        try:
            with store_errors(self._url), self._transaction() as connection:
                return [job.run_apart(connection, self._url) for job in group]
        except StoreError as error:
            return [_Outcome(job, None, error) for job in group]

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """A transaction on the writer's connection, begun and ended at the driver: SQLAlchemy's own takes longer than
        the writes of a message."""
        if self._connection is None:
            self._connection = self._writer.connect()
        connection = self._connection
        raw: Any = connection.connection.driver_connection
        raw.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            raw.execute("COMMIT")
        finally:
            if raw.in_transaction:
                raw.execute("ROLLBACK")
            if connection.in_transaction():
                # A function of the API has used SQLAlchemy, which tracks a transaction of its own.
                connection.rollback()


class _Job:
    """A function waiting for its turn in a commit."""

    __slots__ = ("future", "loop", "operation")

    def __init__(
        self, operation: Callable[[Connection], Any], future: asyncio.Future[Any], loop: asyncio.AbstractEventLoop
    ) -> None:
        self.operation = operation
        self.future = future
        self.loop = loop

    def run_apart(self, connection: Connection, url: str) -> _Outcome:
        """The function's result or error; an error undoes this function's writes only."""
        raw: Any = connection.connection.driver_connection
        raw.execute("SAVEPOINT job")
        try:
            with store_errors(url):
                result = self.operation(connection)
        except Exception as error:  # noqa: BLE001 - raised in the awaiting caller
            raw.execute("ROLLBACK TO job")
            raw.execute("RELEASE job")
            return _Outcome(self, None, error)
        raw.execute("RELEASE job")
        return _Outcome(self, result, None)


class _Outcome:
    """The outcome of a job, which is final only after the commit."""

    __slots__ = ("error", "job", "result")

    def __init__(self, job: _Job, result: object, error: Exception | None) -> None:
        self.job = job
        self.result = result
        self.error = error


def _deliver(outcomes: list[_Outcome]) -> None:
    for outcome in outcomes:
        future = outcome.job.future
        if future.done():
            continue
        if outcome.error is None:
            future.set_result(outcome.result)
        else:
            future.set_exception(outcome.error)


async def _in_pool(threads: ThreadPoolExecutor, engine: Engine, url: str, operation: Callable[[Connection], T]) -> T:
    def run() -> T:
        with store_errors(url), engine.begin() as connection:
            return operation(connection)

    return await asyncio.get_running_loop().run_in_executor(threads, run)


def _lock_file(url: str) -> IO[str]:
    """Holds `<database>.lock` for as long as the process lives; the system releases it even after a kill."""
    path = sqlite_path(url)
    lock_path = Path(f"{path}.lock")
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
    return handle
