"""The store as pages use it: they are read, and made from their templates, in a process of their own
(`runtime.console.page_process`), which is started with the first of them and ends when none was asked for some time.

    read, render ──► page process        write, and what a read leaves in the audit ──► the service's own store
"""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Concatenate, Final

import structlog

from runtime.console.page import MadeFrom
from runtime.console.page_process import Job, JobOutcome, Make, Raised, Read, StoreAccess, framed, received
from runtime.store.database.database import Database
from runtime.store.database.operation import P, T
from runtime.store.database.traces import left
from runtime.store.errors import StoreError

IDLE_SECONDS: Final = 600.0
"""After this time without a page the process ends: it takes as much memory as a small service."""
PATIENCE_SECONDS: Final = 2.0
"""How long a job may take a process that gives way to all others; then another one is started, which does not."""
END_SECONDS: Final = 10.0
"""How long it is waited for at the end."""
TRIES: Final = 2
"""Of a job whose process ended; jobs change nothing."""
PROGRAM: Final = "runtime.console.page_process"

log = structlog.get_logger("runtime.console")


class PageProcessEnded(StoreError):
    """The process ended before it answered, or cannot be started."""

    def __init__(self) -> None:
        super().__init__("The process that reads and makes the console's pages ended; its last words are in the log.")


@dataclass(slots=True, eq=False)
class Running:
    """One process, and what it was asked."""

    process: Process
    gives_way: bool
    """See StoreAccess."""
    waiting: dict[int, asyncio.Future[Any]] = field(default_factory=dict)
    listening: asyncio.Task[None] | None = None
    last: int = 0

    async def ask(self, job: Job) -> Any:
        """A job's result; raises what it raised, and PageProcessEnded."""
        if self.listening is None or self.listening.done():
            raise PageProcessEnded
        frame = framed((self.last + 1, job))
        self.last += 1
        number = self.last
        future = self.waiting[number] = asyncio.get_running_loop().create_future()
        try:
            await self.write(frame)
            return await future
        finally:
            self.waiting.pop(number, None)

    async def write(self, frame: bytes) -> None:
        """Writes to its input. Raises PageProcessEnded."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(frame)
            await self.process.stdin.drain()
        except (ConnectionError, RuntimeError) as error:
            # uvloop's, where the end of the process has closed the pipe, and its output is still to be read.
            raise PageProcessEnded from error

    async def listen(self) -> None:
        """Hands outcomes to those who wait, until the process ends."""
        assert self.process.stdout is not None
        try:
            while True:
                outcome: JobOutcome = await received(self.process.stdout)
                self._settle(*outcome)
        except asyncio.IncompleteReadError:
            pass
        finally:
            for future in self.waiting.values():
                if not future.done():
                    future.set_exception(PageProcessEnded())

    def _settle(self, number: int, result: Any) -> None:
        future = self.waiting.get(number)
        if future is None or future.done():
            return
        if isinstance(result, Raised):
            future.set_exception(result.again())
        else:
            future.set_result(result)

    async def end(self) -> None:
        """Ends it, and waits until it has ended."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            async with asyncio.timeout(END_SECONDS):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
        if self.listening is not None:
            await self.listening


class PageStore:
    """A Database for pages."""

    def __init__(self, database: Database, access: StoreAccess) -> None:
        self._database = database
        self._access = access
        self.running: Running | None = None
        """The process, where there is one."""
        self._was_starved = False
        self._starting = asyncio.Lock()
        self._idle: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Task[None]] = set()

    async def made(self, page: MadeFrom) -> str | None:
        """A page from its template; None where there is nothing to show. What is read for it is in the audit first."""
        operation, shape = (None, None) if page.read is None else (page.read.operation, page.read.shape)
        text: str | None
        text, traces = await self._done(Make(page.template, page.language, page.values, operation, shape))
        if traces:
            await self._database.write_unhurried(left, traces)
        return text

    async def read(self, operation: Callable[Concatenate[Any, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """See Database."""
        return await self.read_traced(operation, *args, **kwargs)

    async def read_traced(self, operation: Callable[Concatenate[Any, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """See Database."""
        result: T
        result, traces = await self._done(Read(operation, args, kwargs))
        if traces:
            await self._database.write_unhurried(left, traces)
        return result

    async def write(self, operation: Callable[Concatenate[Any, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """See Database."""
        return await self._database.write(operation, *args, **kwargs)

    async def write_unhurried(
        self, operation: Callable[Concatenate[Any, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """See Database."""
        return await self._database.write_unhurried(operation, *args, **kwargs)

    async def close(self) -> None:
        """Ends the process; the store itself stays open."""
        self._stop_waiting()
        running, self.running = self.running, None
        if running is not None:
            await running.end()
        await asyncio.gather(*self._ending)

    async def _done(self, job: Job) -> Any:
        tries_left = TRIES
        while True:
            running = await self._process()
            self._stop_waiting()
            try:
                async with asyncio.timeout(PATIENCE_SECONDS if running.gives_way else None):
                    return await running.ask(job)
            except TimeoutError:
                # Others take all of the processors: pages would take minutes.
                self._was_starved = True
                if self.running is running:
                    log.warning("page_process_starved", pid=running.process.pid)
                    self._end_running()
            except PageProcessEnded:
                if self.running is running:
                    self.running = None
                code = await running.process.wait()
                tries_left -= 1
                log.error("page_process_ended", code=code, again=bool(tries_left))
                if not tries_left:
                    raise
            finally:
                if not running.waiting:
                    self._stop_waiting()
                    self._idle = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._end_idle)

    async def _process(self) -> Running:
        """The process that runs, or a new one."""
        async with self._starting:
            if self.running is None:
                self.running = await self._started()
            return self.running

    async def _started(self) -> Running:
        # It imports what the service does, wherever that was found.
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", PROGRAM, stdin=PIPE, stdout=PIPE, env=environment
            )
        except OSError as error:
            log.error("page_process_not_started", error=str(error))
            raise PageProcessEnded from error
        running = Running(process, gives_way=_has_room() and not self._was_starved)
        running.listening = asyncio.create_task(running.listen())
        log.info("page_process_started", pid=process.pid)
        await running.write(framed(replace(self._access, gives_way=running.gives_way)))
        return running

    def _stop_waiting(self) -> None:
        """For the time without a page to be over."""
        if self._idle is not None:
            self._idle.cancel()

    def _end_idle(self) -> None:
        self._was_starved = False
        self._end_running()

    def _end_running(self) -> None:
        running, self.running = self.running, None
        if running is not None:
            ending = asyncio.create_task(running.end())
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)


def _has_room() -> bool:
    """Whether the processors have had time to spare in the last minute."""
    return os.getloadavg()[0] < (os.cpu_count() or 1)
