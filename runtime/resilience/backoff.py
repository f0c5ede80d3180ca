"""How long to pause before the next attempt. It waits for nothing itself.

Pauses double from one attempt to the next, up to a bound, and are spread, so that calls which failed together are not
repeated together. They are spread upwards only, since what a provider asks for is the least.
"""

from __future__ import annotations

import random

FIRST_SECONDS = 1.0
SPREAD = 0.4
"""The largest part of a pause that is added to it."""


def pause_seconds(failures: int, *, longest: float, asked: float | None = None, chance: float | None = None) -> float:
    """Seconds before the attempt that follows this many failures, which are one or more.

    Args:
        longest: Bound of the doubled pause in seconds, before it is spread.
        asked: What the provider asked for, in seconds; it replaces the doubled pause, and is not bounded here. Nothing,
            and less than nothing, leave the pause to us: no call follows another at once.
        chance: Where in the spread the pause lies, from 0 to 1; at random unless it is given.
    """
    chance = random.random() if chance is None else chance  # noqa: S311 - spreads retries, guards nothing
    # A bound of the exponent, since 2.0 to the power of some thousand failures is no float any more.
    doubled = min(FIRST_SECONDS * 2.0 ** min(failures - 1, 64), longest)
    return (asked if asked is not None and asked > 0 else doubled) * (1 + SPREAD * chance)
