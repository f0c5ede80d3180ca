"""A log line for what a stranger can cause as often as they like: one in PERIOD_SECONDS, with the number of times.

The first time is logged at once, with its facts. What follows in the period is counted, and logged at its end.
"""

from __future__ import annotations

import asyncio

import structlog

PERIOD_SECONDS = 60.0

log = structlog.get_logger("runtime.tally")


class Tally:
    """Counts one event. Used on the event loop only."""

    __slots__ = ("_count", "_event", "_facts", "_is_period")

    def __init__(self, event: str, **facts: object) -> None:
        self._event = event
        self._facts = facts
        self._is_period = False
        self._count = 0

    def note(self, **facts: object) -> None:
        """It happened; the facts are logged with the first time of a period only."""
        if self._is_period:
            self._count += 1
            return
        self._is_period = True
        asyncio.get_running_loop().call_later(PERIOD_SECONDS, self._end)
        log.warning(self._event, times=1, **self._facts, **facts)

    def _end(self) -> None:
        self._is_period = False
        if self._count:
            log.warning(self._event, times=self._count, seconds=PERIOD_SECONDS, **self._facts)
            self._count = 0
