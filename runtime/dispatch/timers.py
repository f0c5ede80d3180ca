"""Runs due timers, each once, in the process that claims it first.

    put ──► row in the store ──due──► claimed by one process ──► handler ──► ended, or due again
                                            │ crashes
                                            └─► its hold runs out ──► another process, or its next start

The rows and their states are `runtime.store.timers`, the same on both databases; why they are not jobs of
procrastinate: docs/adr/0011-timers-with-a-hold.md.

An interrupted handler is run again, so it may run twice for one timer. One whose effect is in the store calls
`runtime.store.timers.finish` in the same transaction: that effect happens once. A failed handler is retried after a
pause, without a limit, and delays no other.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import structlog

from runtime.errors import ProviderError
from runtime.observability.metrics import Metrics
from runtime.resilience.backoff import pause_seconds
from runtime.store import timers
from runtime.store.database.database import Database
from runtime.store.errors import StoreError
from runtime.store.timers import HOLD_SECONDS, LONGEST_PAUSE_SECONDS, DueTimers, Timer, TimerTakenOver

POLL_SECONDS = 2.0
"""Interval of polling, by which a timer that another process put may be late."""
RENEW_SECONDS = 2.0
AT_ONCE = 8
"""Maximum number of handlers that run concurrently in a process."""
STEP_SECONDS = 2.0
"""A clock that is behind by more than this was set back."""
ERROR_LENGTH = 500

log = structlog.get_logger("runtime.timers")


@dataclass(frozen=True, slots=True)
class RunAgain:
    """The result of a handler whose timer is not done: it is due again after `seconds`."""

    seconds: float
    payload: Mapping[str, Any] = field(default_factory=dict)


Handler = Callable[[Timer], Awaitable[RunAgain | None]]


@dataclass(frozen=True, slots=True)
class _Run:
    """A timer whose handler runs here."""

    timer: Timer
    task: asyncio.Task[None]


class Timers:
    """The timers of this process: those that it puts, and those that it runs."""

    def __init__(self, database: Database, metrics: Metrics, *, look_seconds: float = POLL_SECONDS) -> None:
        self._database = database
        self._metrics = metrics
        self._look_seconds = look_seconds
        self._holder = uuid4().hex
        self._handlers: dict[str, Handler] = {}
        self._running: dict[tuple[str, str], _Run] = {}
        self._woken = asyncio.Event()
        self._clock: tuple[str, float] | None = None
        """The store's time at the last poll, and this process's monotonic clock then; None before the first."""
        self._trusted_from = 0.0

    def register(self, kind: str, handler: Handler) -> None:
        """Registers the handler of a kind of timers. Timers of a kind without a handler wait for a process that has
        one."""
        if kind in self._handlers:
            raise ValueError(f"timers of the kind {kind!r} have a handler already")
        self._handlers[kind] = handler
        self._metrics.timer_kind(kind)

    async def put(self, kind: str, key: str, due_at: datetime, payload: Mapping[str, Any] | None = None) -> None:
        """See `runtime.store.timers.put`. On disk when this returns."""
        await self._database.write(timers.put, kind, key, due_at, payload or {})
        if due_at - datetime.now(UTC) < timedelta(seconds=self._look_seconds):
            self.wake()

    async def cancel(self, kind: str, key: str) -> bool:
        """See `runtime.store.timers.cancel`."""
        return await self._database.write(timers.cancel, kind, key)

    def wake(self) -> None:
        """Polls at once: this process has put a timer in its own transaction."""
        self._woken.set()

    async def run(self) -> None:
        """Runs timers until cancelled. Running handlers are cancelled then, and their timers released."""
        try:
            renewing = asyncio.create_task(self._renew())
            try:
                while True:
                    await self._sleep(await self._look())
            finally:
                renewing.cancel()
                await asyncio.gather(renewing, return_exceptions=True)
        finally:
            await self._release()

    async def _look(self) -> float:
        """Begins due timers; returns the seconds until the next poll."""
        may_take_over = time.monotonic() >= self._trusted_from
        try:
            if self._clock is None:
                await self._database.write(timers.release_crashed)
                await self._database.write(timers.clamp)
            due = await self._database.read(timers.look, self._handlers, may_take_over=may_take_over)
            await self._check_clock(due.now)
            if due.are_any and await self._begin(may_take_over=may_take_over):
                return 0.0
        except StoreError as error:
            log.warning("timers_unavailable", error=str(error))
            # When the store is available again, no process has renewed its holds; each may first do so.
            self._trusted_from = time.monotonic() + HOLD_SECONDS
        except Exception:
            log.exception("timers_unavailable")
        else:
            return self._until(due)
        return self._look_seconds

    def _until(self, due: DueTimers) -> float:
        if due.following is None:
            return self._look_seconds
        wait = datetime.fromisoformat(due.following) - datetime.fromisoformat(due.now)
        return min(max(wait.total_seconds(), 0.0), self._look_seconds)

    async def _begin(self, *, may_take_over: bool) -> bool:
        """Begins due timers up to the limit; True when it began one, so that there may be more."""
        room = AT_ONCE - len(self._running)
        if room <= 0:
            return False
        claimed = await self._database.write(
            timers.claim, self._handlers, self._holder, room, may_take_over=may_take_over
        )
        # A timer that runs here already, whose hold expired while the store was unavailable, has only had it renewed.
        new = [timer for timer in claimed if (timer.kind, timer.key) not in self._running]
        for timer in new:
            self._running[timer.kind, timer.key] = _Run(timer, asyncio.create_task(self._handle(timer)))
        return bool(new)

    async def _handle(self, timer: Timer) -> None:
        try:
            again = await self._handlers[timer.kind](timer)
        except TimerTakenOver as error:
            log.warning("timer_taken_over", kind=timer.kind, key=timer.key, error=str(error))
            await self._settle(timers.end, timer)
        except Exception as error:  # noqa: BLE001 - logged with the timer, which is run again
            await self._failed(timer, error)
        else:
            self._metrics.timer_run(timer.kind, "done")
            if again is None:
                await self._settle(timers.end, timer)
            else:
                await self._settle(timers.rearm, timer, again.seconds, again.payload)
        finally:
            # Nothing is awaited between the timer's end in the store and this, so the next poll sees both.
            del self._running[timer.kind, timer.key]
            self._woken.set()

    async def _failed(self, timer: Timer, error: Exception) -> None:
        pause = pause_seconds(timer.attempt, longest=LONGEST_PAUSE_SECONDS)
        facts = {"kind": timer.kind, "key": timer.key, "attempt": timer.attempt, "pause": round(pause, 1)}
        if isinstance(error, (StoreError, ProviderError)):
            log.error("timer_failed", error=str(error), **facts)
        else:
            log.exception("timer_failed", **facts)
        self._metrics.timer_run(timer.kind, "failed")
        said = f"{type(error).__name__}: {error}"[:ERROR_LENGTH]
        await self._settle(timers.fail, timer, said, pause)

    async def _settle(self, operation: Callable[..., object], timer: Timer, *arguments: object) -> None:
        """Records the result of a run. Where that is not possible, the timer's hold expires and it is run again."""
        try:
            await self._until_stored(operation, timer, *arguments)
        except Exception:
            log.exception("timer_not_settled", kind=timer.kind, key=timer.key)

    async def _until_stored(self, operation: Callable[..., object], *arguments: object) -> None:
        """Retries a write while the store is unavailable."""
        while True:
            try:
                await self._database.write(operation, *arguments)
            except StoreError as error:
                log.warning("timers_unavailable", error=str(error))
                await asyncio.sleep(self._look_seconds)
            else:
                return

    async def _renew(self) -> None:
        """Renews the holds of running timers, until cancelled."""
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            if not self._running:
                continue
            try:
                await self._database.write(timers.renew, [run.timer for run in self._running.values()])
            except StoreError as error:
                log.warning("timers_unavailable", error=str(error))
            except Exception:
                log.exception("timers_unavailable")

    async def _check_clock(self, now: str) -> None:
        """Moves waiting timers when the store's clock was set back: they would be late by the size of the step."""
        earlier, self._clock = self._clock, (now, time.monotonic())
        if earlier is None:
            return
        passed = (datetime.fromisoformat(now) - datetime.fromisoformat(earlier[0])).total_seconds()
        behind = self._clock[1] - earlier[1] - passed
        if behind > STEP_SECONDS:
            moved = await self._database.write(timers.clamp)
            log.warning("clock_set_back", seconds=round(behind, 1), timers=moved)

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            pass
        finally:
            self._woken.clear()

    async def _release(self) -> None:
        tasks = [run.task for run in self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        try:
            await self._database.write(timers.release_all, self._holder)
        except StoreError as error:
            log.warning("timers_not_released", error=str(error))
