"""The format of timestamps in this store: ISO 8601, UTC, milliseconds, so that text order is time order."""

from __future__ import annotations

import time
from functools import lru_cache


def timestamp(seconds: float | None = None) -> str:
    """`seconds` since the epoch (now, when left out) as "2026-11-22T12:00:00.000Z"."""
    moment = time.time() if seconds is None else seconds
    whole = int(moment)
    return f"{_to_the_second(whole)}.{int((moment - whole) * 1000):03d}Z"


@lru_cache(maxsize=8)
def _to_the_second(whole: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
