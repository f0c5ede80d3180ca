"""Finds out which turn ends its process, at the expense of few others. It begins and ends no turn itself.

    processes that ended while the turn was under way     0, 1      2     3     4      5
    turns of that kind that run side by side              all     128    10     1      none: given up

A turn that ends its process takes everything with it that is under way there. Were each of these given up after the
same number of ends, one message would silence every user who wrote beside it. So those that were there each time run
in smaller and smaller company: each end leaves at most 128, 10 and 1 of them that are suspected more than before, and
whoever is alone at the last end has caused it. The last one is alone among all suspects, since one that is suspected
less may be another that ends processes. Nobody waits for a suspect but other suspects.

Each process keeps places of its own, which is as good with many replicas: a process takes only its own turns along.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count

MAX_ENDS = 5
"""A turn during which so many processes ended is given up."""
TRUSTED_ENDS = 1
"""Up to so many may be a power failure and a deploy that was cut short; such a turn waits for nobody."""
PLACES: Mapping[int, int] = {2: 128, 3: 10, 4: 1}
"""Ends that were seen → turns that run side by side."""


LAST_ENDS = MAX_ENDS - 1
"""A turn that is given up at its next end; it runs beside no other suspect."""


class Place:
    """A turn's place among suspects. It is left when the turn's end is on disk."""

    def __init__(self, suspects: Suspects) -> None:
        self._suspects = suspects
        self._held: int | None = None

    async def take(self, ends: int) -> None:
        """Waits for a place among the turns that so many processes ended with, and leaves the one held before."""
        self.leave()
        if ends in PLACES:
            await self._suspects.enter(ends)
            self._held = ends

    def leave(self) -> None:
        """Lets the next one in; does nothing when no place is held."""
        held, self._held = self._held, None
        if held is not None:
            self._suspects.leave(held)


class Suspects:
    """The places of this process, for what may have ended a process before: turns and messages alike."""

    def __init__(self) -> None:
        self._inside = dict.fromkeys(PLACES, 0)
        self._waiting: Mapping[int, deque[_Waiting]] = {ends: deque() for ends in PLACES}
        self._arrivals = count()

    def place(self) -> Place:
        """A place that is not taken yet."""
        return Place(self)

    async def enter(self, ends: int) -> None:
        """Waits for a place among those of a kind, in order of arrival."""
        me = _Waiting(next(self._arrivals), asyncio.get_running_loop().create_future())
        self._waiting[ends].append(me)
        self._admit()
        try:
            await me.admitted
        except asyncio.CancelledError:
            if me.admitted.cancelled():
                self._admit()
            else:
                self.leave(ends)
            raise

    def leave(self, ends: int) -> None:
        """Gives a place back."""
        self._inside[ends] -= 1
        self._admit()

    def _admit(self) -> None:
        """Lets in whoever may go in now."""
        for ends, waiting in self._waiting.items():
            while waiting and (waiting[0].admitted.cancelled() or self._may_enter(ends, waiting[0])):
                first = waiting.popleft()
                if not first.admitted.cancelled():
                    self._inside[ends] += 1
                    first.admitted.set_result(None)

    def _may_enter(self, ends: int, first: _Waiting) -> bool:
        if ends == LAST_ENDS:
            return not any(self._inside.values())
        alone = next((one for one in self._waiting[LAST_ENDS] if not one.admitted.cancelled()), None)
        overtakes = alone is not None and alone.arrival < first.arrival
        return not overtakes and not self._inside[LAST_ENDS] and self._inside[ends] < PLACES[ends]


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A turn that waits for a place."""

    arrival: int
    admitted: asyncio.Future[None]
