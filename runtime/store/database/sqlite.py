"""The store on SQLite: one writer with group commit.

Everything that waits goes into one commit (docs/adr/0003-group-commit.md). Brief functions are executed on the event
loop, and only the commit waits for the disk in a thread: the driver releases the GIL at each statement, and a thread
would wait for a busy loop to get it back, fifteen times a message. Other functions are executed in the thread too.

When a function fails, its whole group runs again, each behind its own savepoint: a function may run twice, and must
have no effect except on the store.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from typing import Any, Concatenate, NamedTuple

from sqlalchemy import Connection, Engine

from runtime.store.database.engine import BUSY_SECONDS, open_engine, store_error, store_errors
from runtime.store.database.lock_file import held_lock
from runtime.store.database.migrate import open_migrated
from runtime.store.database.operation import P, T, bound
from runtime.store.database.statement import is_pipelined
from runtime.store.database.traces import left, traced
from runtime.store.database.url import sqlite_path
from runtime.store.errors import StoreError

UNHURRIED_SECONDS = 0.02
"""How long an unhurried write waits for a commit of others: a commit of its own would take longer than its statements,
on the writer's thread and on the loop's."""
EMPTYINGS, EMPTY_SECONDS = 50, 0.1
"""Attempts at emptying the log, and the pause between them."""
GROUP_LIMIT = 128
"""Number of functions in a commit, which limits how long they keep the event loop from everything else: 20 ms."""


class SqliteDatabase:
    """One writing connection with group commit, two reader threads."""

    def __init__(self, url: str, serving: bool) -> None:
        self._url = url
        with ExitStack() as opened:
            self._lock = opened.enter_context(held_lock(url)) if serving else None
            self._writer = open_migrated(url, create=serving)
            opened.pop_all()
        self._connection = self._writer.connect()
        self._raw: Any = self._connection.connection.driver_connection
        self._wait_seconds = BUSY_SECONDS
        self._reader = open_engine(url, read_only=True)
        self._readers = ThreadPoolExecutor(max_workers=2, thread_name_prefix="store-read")
        self._waiting: list[_Job] = []
        self._unhurried: list[_Job] = []
        self._groups: queue.SimpleQueue[_Commit | None] = queue.SimpleQueue()
        self._is_lent = False
        """Whether the thread has the writing connection."""
        self._thread = threading.Thread(target=self._commit_groups, name="store-write", daemon=True)
        self._thread.start()

    async def write(
        self, operation: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """See Database."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            # All writes of this iteration of the loop go into one commit.
            loop.call_soon(self._begin_group)
        job = _Job(bound(operation, *args, **kwargs), loop, is_brief=is_pipelined(operation))
        self._waiting.append(job)
        outcome: T = await job.future
        return outcome

    async def write_unhurried(
        self, operation: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """See Database."""
        loop = asyncio.get_running_loop()
        if not self._unhurried:
            loop.call_later(UNHURRIED_SECONDS, self._begin_unhurried)
        job = _Job(bound(operation, *args, **kwargs), loop, is_brief=is_pipelined(operation))
        self._unhurried.append(job)
        outcome: T = await job.future
        return outcome

    async def read(self, operation: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """See Database."""
        return await _in_pool(self._readers, self._reader, self._url, bound(operation, *args, **kwargs))

    async def read_traced(
        self, operation: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """See Database."""
        result, traces = await self.read(traced, operation, *args, **kwargs)
        if traces:
            await self.write_unhurried(left, traces)
        return result

    @property
    def keeps_deleted(self) -> str | None:
        """See Database."""
        return None

    async def expunge(self) -> None:
        """See Database. Deleted rows are overwritten in the file, and are still in its log until that is emptied, which
        waits for those who read an earlier state."""
        for _ in range(EMPTYINGS):
            if await asyncio.to_thread(_emptied, self._url):
                return
            await asyncio.sleep(EMPTY_SECONDS)

    async def close(self) -> None:
        """See Database."""
        if rest := self._take(None):
            self._groups.put(_Commit(rest))
        self._groups.put(None)
        await asyncio.to_thread(self._thread.join)
        self._connection.close()
        self._readers.shutdown()
        self._reader.dispose()
        self._writer.dispose()
        if self._lock is not None:
            self._lock.close()

    def _begin_unhurried(self) -> None:
        self._waiting = [*self._unhurried, *self._waiting]
        self._unhurried = []
        self._begin_group()

    def _begin_group(self) -> None:
        """Executes what waits, and lends the connection to the thread, which commits; later writes wait for that."""
        if self._waiting and not self._is_lent:
            jobs = self._take(GROUP_LIMIT)
            group = _Commit(jobs, self._executed(jobs))
            self._is_lent = True
            self._groups.put(group)

    def _take(self, limit: int | None) -> list[_Job]:
        jobs = [*self._unhurried, *self._waiting]
        self._unhurried = []
        self._waiting = [] if limit is None else jobs[limit:]
        return jobs[:limit]

    def _executed(self, jobs: list[_Job]) -> list[_Outcome] | None:
        """The outcomes of brief functions before their commit; None where the thread has to execute them: it waits for
        another process's transaction, and finds out which function fails."""
        if not all(job.is_brief for job in jobs):
            return None
        try:
            self._begin(wait_seconds=0)
            return [_Outcome(job, job.operation(self._connection), None) for job in jobs]
        except Exception:  # noqa: BLE001 - the thread executes them again, each apart, and reports it
            self._roll_back()
            return None

    def _commit_groups(self) -> None:
        while (group := self._groups.get()) is not None:
            outcomes = self._committed(group)
            self._is_lent = False
            with suppress(RuntimeError):  # the caller's event loop has closed
                group.jobs[0].loop.call_soon_threadsafe(self._deliver, outcomes)

    def _deliver(self, outcomes: list[_Outcome]) -> None:
        for outcome in outcomes:
            outcome.deliver()
        if self._waiting:
            # Behind the callers of these outcomes, whose next writes join.
            asyncio.get_running_loop().call_soon(self._begin_group)

    def _committed(self, group: _Commit) -> list[_Outcome]:
        jobs = group.jobs
        if group.outcomes is not None:
            with suppress(sqlite3.Error):  # executed again below, which reports what persists
                self._raw.execute("COMMIT")
                return group.outcomes
            self._roll_back()
        try:
            return self._in_transaction(
                lambda connection: [_Outcome(job, job.operation(connection), None) for job in jobs]
            )
        except Exception as error:  # noqa: BLE001 - raised in the awaiting caller
            if len(jobs) == 1:
                return [_Outcome(jobs[0], None, store_error(self._url, error))]
        try:
            with store_errors(self._url):
                return self._in_transaction(lambda connection: [job.run_apart(connection, self._url) for job in jobs])
        except StoreError as error:
            return [_Outcome(job, None, error) for job in jobs]

    def _in_transaction(self, run: Callable[[Connection], T]) -> T:
        """Runs a function in a transaction on the writing connection, begun and ended at the driver: SQLAlchemy's own
        takes longer than the writes of a message."""
        self._begin(wait_seconds=BUSY_SECONDS)
        try:
            result = run(self._connection)
            self._raw.execute("COMMIT")
        finally:
            self._roll_back()
            if self._connection.in_transaction():
                # A function of the API has used SQLAlchemy, which tracks a transaction of its own.
                self._connection.rollback()
        return result

    def _begin(self, *, wait_seconds: int) -> None:
        """Begins a transaction; raises sqlite3.OperationalError when another process has one for longer than this."""
        if wait_seconds != self._wait_seconds:
            self._raw.execute(f"PRAGMA busy_timeout = {wait_seconds * 1000}")
            self._wait_seconds = wait_seconds
        self._raw.execute("BEGIN IMMEDIATE")

    def _roll_back(self) -> None:
        if self._raw.in_transaction:
            self._raw.execute("ROLLBACK")


class _Job:
    """A function waiting for its turn in a commit."""

    __slots__ = ("future", "is_brief", "loop", "operation")

    def __init__(
        self, operation: Callable[[Connection], Any], loop: asyncio.AbstractEventLoop, *, is_brief: bool
    ) -> None:
        self.operation = operation
        self.future: asyncio.Future[Any] = loop.create_future()
        self.loop = loop
        self.is_brief = is_brief
        """Whether it executes a few statements by keys and nothing else."""

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

    def deliver(self) -> None:
        """Lets the caller continue."""
        future = self.job.future
        if future.done():
            return
        if self.error is None:
            future.set_result(self.result)
        else:
            future.set_exception(self.error)


class _Commit(NamedTuple):
    """Jobs of one commit."""

    jobs: list[_Job]
    outcomes: list[_Outcome] | None = None
    """Of jobs that were executed already."""


async def _in_pool(threads: ThreadPoolExecutor, engine: Engine, url: str, operation: Callable[[Connection], T]) -> T:
    def run() -> T:
        with store_errors(url), engine.begin() as connection:
            return operation(connection)

    return await asyncio.get_running_loop().run_in_executor(threads, run)


def _emptied(url: str) -> bool:
    """Writes the log into the file and empties it; False while another connection needs it."""
    with closing(sqlite3.connect(sqlite_path(url), timeout=BUSY_SECONDS)) as connection:
        is_busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not is_busy
