"""Repeating a call to a provider: only where that is safe, and never faster than the provider asks.

A `TemporaryError` is always safe to repeat; after an `UnknownOutcome` the object to create is searched for first.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from reconciler.errors import Stopped, TemporaryError, UnknownOutcome
from reconciler.writers.rate_limit import RateLimit

T = TypeVar("T")

SEARCH_EVERY: Final = 1.0
"""Seconds between two searches for an object that may have been created."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Retries of calls to one account, within the account's rate limit."""

    rate_limit: RateLimit
    stop: threading.Event
    """When set, every wait ends."""
    attempts: int = 6
    first_wait: float = 0.5
    longest_wait: float = 60.0
    """Longest pause in seconds; a provider that asks for more is not waited for."""
    list_lag: float = 0.0
    """Seconds that the provider's lists may lag behind a create."""

    def call(self, call: Callable[[], T], *, follows_up: bool = False) -> T:
        """Call within the account's rate limit; a 429 with Retry-After delays every other call to it too.

        Raises `Stopped` for a call that waited while the run was stopped, unless it follows up on one that was made.
        """
        with self.rate_limit.call(self.stop):
            if self.stop.is_set() and not follows_up:
                raise Stopped("the run was stopped")
            try:
                return call()
            except TemporaryError as error:
                if error.delay is not None and error.delay <= self.longest_wait:
                    self.rate_limit.hold(error.delay)
                raise

    def wait(self, attempt: int, delay: float | None = None) -> bool:
        """Wait before the next attempt: the pause that the provider asks for, plus a doubling, jittered one.

        Returns False when there is no next attempt. The formula differs from the runtime's, which the reconciler cannot
        import: that one uses the requested or the doubled pause, never both.
        """
        if attempt + 1 >= self.attempts or (delay or 0) > self.longest_wait:
            return False
        jitter = random.uniform(0.75, 1.25)  # noqa: S311 - spreads calls, protects no secret
        seconds = (delay or 0) + min(self.first_wait * 2**attempt, self.longest_wait) * jitter
        return not self.stop.wait(seconds)


def repeat_safe(call: Callable[[], T], patience: Patience, *, follows_up: bool = False) -> T:
    """Make a call that may be repeated after any outcome (a read, an update, a delete)."""
    return _repeated(call, lambda: None, patience, follows_up)


def create_once(create: Callable[[], T], find: Callable[[], T | None], patience: Patience, *, lag: float = 0.0) -> T:
    """Create an object that the provider would create twice: after an unknown outcome it is searched for first.

    `lag`: seconds for which it is searched for, where `find` reads a list that lags behind.
    """

    def found() -> T | None:
        deadline = time.monotonic() + lag
        while True:
            made = find()
            if made is not None or time.monotonic() >= deadline or patience.stop.wait(SEARCH_EVERY):
                return made

    return _repeated(create, found, patience)


def _repeated(call: Callable[[], T], find: Callable[[], T | None], patience: Patience, follows_up: bool = False) -> T:
    """Call until it succeeds or the retries are used up; after an unknown outcome, a found object counts as its
    result."""
    attempt = 0
    while True:
        try:
            return patience.call(call, follows_up=follows_up)
        except TemporaryError as error:
            if not patience.wait(attempt, error.delay):
                raise
        except UnknownOutcome:
            if not patience.wait(attempt):
                raise
            found = find()
            if found is not None:
                return found
        attempt += 1
