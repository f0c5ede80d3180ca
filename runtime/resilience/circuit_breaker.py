"""A circuit breaker: stops calls that fail, and lets one through now and then until it succeeds. It makes no call.

    closed ──open──► open ──pause──► half open: a probe is running ──it succeeds──► closed
                      ▲                         │
                      └──────── it fails ───────┘

When it opens is decided by `runtime.resilience.breakers`. A call that begins while it is open waits, up to its own
deadline. Probes begin at a fixed interval, whatever the previous one is doing: a provider that works again is used
within one interval, also when a probe hangs or a few have failed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

from runtime.errors import TemporaryError
from runtime.observability.metrics import BreakerState

Caller = Literal["sound", "failing"]
"""Whether the calls of the one who calls have failed so far. Each kind has probes of its own, so that a client whose
every request fails never uses up the probes of the others."""


class Breaker:
    """One breaker. Its probes begin at least `interval` seconds apart."""

    def __init__(self, interval: float, changed: Callable[[BreakerState], None]) -> None:
        self._interval = interval
        self._report = changed
        self._reason = ""
        self._next_probe: dict[Caller, float] = {"sound": 0.0, "failing": 0.0}
        self._changed = asyncio.Event()
        self.state: BreakerState = "closed"

    async def begin(self, deadline: float, caller: Caller = "failing") -> bool:
        """Waits until a call may begin; True when it is a probe. Raises TemporaryError at the deadline, a time of
        `time.monotonic`."""
        while self.state != "closed":
            now, probe_at = time.monotonic(), self._next_probe[caller]
            if now >= probe_at:
                self._next_probe[caller] = now + self._interval
                self._become("half_open")
                return True
            if now >= deadline:
                raise TemporaryError(f"Calls are paused: {self._reason}")
            changed = self._changed
            with suppress(TimeoutError):
                async with asyncio.timeout(min(deadline, probe_at) - now):
                    await changed.wait()
        return False

    def open(self, reason: str, *, sound: float, failing: float) -> None:
        """Opens, with the seconds until the first probe of each kind of caller."""
        now = time.monotonic()
        self._reason = reason
        self._next_probe = {"sound": now + sound, "failing": now + failing}
        self._become("open")

    def probe_failed(self, reason: str, asked: float = 0.0) -> float:
        """A probe failed; `asked`: the pause in seconds that the provider asked for. Returns the seconds until the
        next probe of a failing caller."""
        now = time.monotonic()
        self._reason = reason
        self._next_probe["failing"] = max(self._next_probe["failing"], now + asked)
        self._become("open")
        return self._next_probe["failing"] - now

    def probe_lost(self, caller: Caller = "failing") -> None:
        """A probe ended without a result: the next one may begin now."""
        self._next_probe[caller] = time.monotonic()
        self._become("open")

    def close(self) -> None:
        """Lets all calls through."""
        self._become("closed")

    def _become(self, state: BreakerState) -> None:
        self.state = state
        self._report(state)
        self._changed.set()
        self._changed = asyncio.Event()
