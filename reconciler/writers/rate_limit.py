"""How fast one account of a provider is called: so many calls in flight, so many a second, none while it said "wait".

One `RateLimit` is shared by everything in a run that calls the same account, so that a 429 to one call holds back all.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class RateLimit:
    """A token bucket with a bound on calls in flight. Thread-safe.

    `rate` is in calls a second, None for no limit; up to `burst` calls may start at once after a pause.
    """

    def __init__(self, concurrency: int, rate: float | None = None, burst: int = 10) -> None:
        self._in_flight = threading.Semaphore(concurrency)
        self._rate = rate
        self._burst = burst
        self._lock = threading.Lock()
        self._next = 0.0

    @contextmanager
    def call(self, stop: threading.Event) -> Iterator[None]:
        """Wait for a turn, then hold a slot for the call. When `stop` is set nobody waits for the rate any longer."""
        with self._in_flight:
            stop.wait(self._reserve())
            yield

    def hold(self, seconds: float) -> None:
        """Let no call start for this long: the provider asked for it."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)

    def _reserve(self) -> float:
        """Take the next start; returns the seconds until then."""
        with self._lock:
            now = time.monotonic()
            if self._rate is None:
                return max(0.0, self._next - now)
            earliest = now - (self._burst - 1) / self._rate
            start = max(self._next, earliest)
            self._next = start + 1 / self._rate
            return max(0.0, start - now)
