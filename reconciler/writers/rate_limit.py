"""The rate limit of one account of a provider: a number of concurrent calls, calls a second, and a pause after a 429.

One `RateLimit` is shared by everything in a run that calls the same account, so that a 429 to one call delays all.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class RateLimit:
    """A token bucket with a limit of concurrent calls. Thread-safe.

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
        """Wait for a turn, then hold a slot for the call. When `stop` is set the wait ends."""
        with self._in_flight:
            stop.wait(self._reserve())
            yield

    def hold(self, seconds: float) -> None:
        """Start no call for this many seconds, as the provider asked."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)

    def _reserve(self) -> float:
        """Reserve the next start; returns the seconds until then."""
        with self._lock:
            now = time.monotonic()
            if self._rate is None:
                return max(0.0, self._next - now)
            earliest = now - (self._burst - 1) / self._rate
            start = max(self._next, earliest)
            self._next = start + 1 / self._rate
            return max(0.0, start - now)
