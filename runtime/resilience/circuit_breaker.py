"""Stops calling a failing provider, and detects when it works again. It makes no call itself.

    closed ──too many failures, or the key is refused──► open ──cool-down──► half open: one call is let through
       ▲                                                  ▲                        │
       └───────────────────── it succeeds ────────────────┼────────────────────────┤
                                                          └─────── it fails ───────┘

One breaker for each provider and key. A call that begins while it is open waits, up to its own deadline.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import suppress
from contextvars import Context
from functools import partial

import structlog

from runtime.errors import KeyRefused, PermanentError, TemporaryError, UnknownOutcome
from runtime.observability.metrics import BreakerState, Metrics

WINDOW_SECONDS = 10.0
"""Period in which ended calls are considered."""
FAILURES = 10
"""The breaker opens when at least this many of them failed, and at least half of all."""
LONGEST_FACTOR = 8
"""The cool-down doubles with each call that fails half open, up to this many times its first length."""

log = structlog.get_logger("runtime.breaker")


class Breaker:
    """Guards the calls of one provider with one key."""

    def __init__(self, provider: str, account: str, cool_down: float, metrics: Metrics) -> None:
        self._provider = provider
        self._account = account
        self._first_cool_down = self._cool_down = cool_down
        self._metrics = metrics
        self._state: BreakerState = "closed"
        self._reason = ""
        self._ended: deque[tuple[float, bool]] = deque()
        self._failed = 0
        self._probe_at = 0.0
        self._changed = asyncio.Event()

    def passing(self, deadline: float) -> _Call:
        """Context manager around a call, whose result is counted; raises TemporaryError when it may not begin by the
        deadline, a time of `time.monotonic`."""
        return _Call(self, deadline)

    async def begin(self, deadline: float) -> bool:
        """Waits until a call may begin; True when it is the probe of a half-open breaker."""
        return self._state != "closed" and await self._admitted(deadline)

    def end(self, error: BaseException | None, *, probing: bool) -> None:
        """A call ended, with this error or with none."""
        match error:
            case KeyRefused():
                self._open(str(error), 0.0)
            case TemporaryError() | UnknownOutcome():
                self._failed_with(error, probing)
            case None | PermanentError():
                # A provider that processed the call and refused it works.
                self._succeeded(probing)
            case _ if probing:
                self._become("open")

    async def _admitted(self, deadline: float) -> bool:
        """Waits for permission to call; True for the probe of a half-open breaker."""
        while self._state != "closed":
            now = time.monotonic()
            if self._state == "open" and now >= self._probe_at:
                self._become("half_open")
                return True
            if now >= deadline:
                raise TemporaryError(f"Calls of {self._provider} are paused: {self._reason}")
            until = min(deadline, self._probe_at) if self._state == "open" else deadline
            changed = self._changed
            with suppress(TimeoutError):
                async with asyncio.timeout(until - now):
                    await changed.wait()
        return False

    def _succeeded(self, probing: bool) -> None:
        self._note(failed=False)
        if probing:
            self._cool_down = self._first_cool_down
            self._ended.clear()
            self._failed = 0
            self._become("closed")
            Context().run(log.info, "circuit_breaker_closed", provider=self._provider, account=self._account)

    def _failed_with(self, error: TemporaryError | UnknownOutcome, probing: bool) -> None:
        self._note(failed=True)
        asked = (error.delay or 0.0) if isinstance(error, TemporaryError) else 0.0
        too_many = self._failed >= FAILURES and self._failed * 2 >= len(self._ended)
        if probing or (too_many and self._state == "closed"):
            self._open(str(error), asked)

    def _note(self, *, failed: bool) -> None:
        now = time.monotonic()
        self._ended.append((now, failed))
        self._failed += failed
        while self._ended[0][0] < now - WINDOW_SECONDS:
            self._failed -= self._ended.popleft()[1]

    def _open(self, reason: str, asked: float) -> None:
        """Pauses for the cool-down, or for as long as the provider asked. Results of calls that were already running
        are ignored."""
        if self._state == "open":
            return
        again = self._state == "half_open"
        if again:
            self._cool_down = min(self._cool_down * 2, self._first_cool_down * LONGEST_FACTOR)
        pause = max(self._cool_down, asked)
        self._reason = reason
        self._probe_at = time.monotonic() + pause
        self._become("open")
        report = (
            partial(log.warning, "circuit_breaker_reopened") if again else partial(log.error, "circuit_breaker_opened")
        )
        # In a context of its own: the pause concerns every turn, not only the one that met it.
        Context().run(report, provider=self._provider, account=self._account, error=reason, next_try_in=round(pause, 1))

    def _become(self, state: BreakerState) -> None:
        self._state = state
        self._metrics.breaker(self._provider, self._account, state)
        self._changed.set()
        self._changed = asyncio.Event()


class _Call:
    """Context manager for one call to a provider."""

    __slots__ = ("_breaker", "_deadline", "_probing")

    def __init__(self, breaker: Breaker, deadline: float) -> None:
        self._breaker = breaker
        self._deadline = deadline
        self._probing = False

    async def __aenter__(self) -> None:
        self._probing = await self._breaker.begin(self._deadline)

    async def __aexit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        self._breaker.end(error, probing=self._probing)


class Breakers:
    """The breakers of this process, each created when it is first needed."""

    def __init__(self, cool_down: float, metrics: Metrics) -> None:
        self._cool_down = cool_down
        self._metrics = metrics
        self._breakers: dict[tuple[str, str], Breaker] = {}

    def of(self, provider: str, account: str = "") -> Breaker:
        """The breaker of a provider's account. `account` is a name that may be shown, never a secret."""
        key = provider, account
        if key not in self._breakers:
            self._breakers[key] = Breaker(provider, account, self._cool_down, self._metrics)
        return self._breakers[key]
