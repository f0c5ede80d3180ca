"""The format of timestamps in this store: ISO 8601, UTC, milliseconds, so that text order is time order."""

from __future__ import annotations

import math
import time
from datetime import datetime
from functools import lru_cache

SKEW_SECONDS = 5.0
"""By how much the clocks of replicas may differ."""


def timestamp(seconds: float | None = None) -> str:
    """`seconds` since the epoch (now, when left out) as "2026-11-22T12:00:00.000Z"."""
    moment = time.time() if seconds is None else seconds
    whole = int(moment)
    return f"{_to_the_second(whole)}.{int((moment - whole) * 1000):03d}Z"


@lru_cache(maxsize=8)
def _to_the_second(whole: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))


def seconds_since(moment: str) -> float:
    """Seconds since a timestamp, at least 0; infinity for one that is still to come.

    A clock that was set back leaves such timestamps. What began then began at some time in the past: who waited for
    it to be over would wait as much longer as the clock was set back.
    """
    seconds = time.time() - _seconds(moment)
    return math.inf if seconds < -SKEW_SECONDS else max(seconds, 0.0)


def is_to_come(moment: str, now: str) -> bool:
    """Whether a timestamp is later than now by more than the clocks of replicas differ."""
    return _seconds(moment) - _seconds(now) > SKEW_SECONDS


def is_within(moment: str, now: str, seconds: float) -> bool:
    """Whether a timestamp is at most `seconds` ago; False for one that is still to come, as in `seconds_since`."""
    return later(moment, seconds) > now and not is_to_come(moment, now)


def later(moment: str, seconds: float) -> str:
    """A timestamp, plus `seconds`."""
    return timestamp(_seconds(moment) + seconds)


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
