"""Which rates to measure to find out how much is carried: raised until the limits are passed, then halved in between.
Nothing here does I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

STEP = 5
"""Rates are multiples of this."""


@dataclass(frozen=True, slots=True)
class Ramp:
    """A search for the highest rates at which p99 of the overhead stays within limits."""

    first: int
    """Messages a second."""
    limits: Sequence[float]
    """Milliseconds, the strictest first."""
    growth: float = 1.5
    """From one rate to the next, until the last limit is passed."""
    precision: float = 1.1
    """Ratio of a rate that passes a limit to the one below it, at which the search ends."""
    tries: int = 2
    """A limit is passed when each of these measurements passes it: other work on the machine disturbs some."""
    highest: int = 10_000
    """No rate beyond it is asked for."""

    def next_rate(self, taken: Mapping[int, Sequence[float]]) -> int | None:
        """The rate to measure now, None at the end. `taken`: p99 in ms of the measurements so far, by rate."""
        if not taken:
            return self.first
        for limit in reversed(self.limits):
            within, beyond = sustained(taken, limit), _first_beyond(taken, limit)
            if beyond is None:
                rate = rounded(max(taken) * self.growth)
                if rate <= self.highest:
                    return rate
                continue
            if len(taken[beyond]) < self.tries:
                return beyond
            rate = rounded((within or beyond / self.growth**2) * (beyond / (within or beyond / self.growth**2)) ** 0.5)
            if beyond / max(within, 1) > self.precision and within < rate < beyond and rate not in taken:
                return rate
        return None


def sustained(taken: Mapping[int, Sequence[float]], limit: float) -> int:
    """The highest rate up to which every measured one stays within the limit in its best measurement; 0 for none."""
    beyond = _first_beyond(taken, limit)
    return max((rate for rate in taken if beyond is None or rate < beyond), default=0)


def rounded(rate: float) -> int:
    """As a multiple of STEP, one at least."""
    return max(round(rate / STEP), 1) * STEP


def _first_beyond(taken: Mapping[int, Sequence[float]], limit: float) -> int | None:
    return min((rate for rate, p99s in taken.items() if min(p99s) > limit), default=None)
