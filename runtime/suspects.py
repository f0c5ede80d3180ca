"""Finds out which turn ends its process, at the expense of few others. It begins and ends no turn itself.

    processes that ended while the turn was under way     0, 1      2     3     4      5
    turns of that kind that run side by side              all     128    10     1      none: given up

A turn that ends its process takes everything with it that is under way there. Were each of these given up after the
same number of ends, one message would silence every user who wrote beside it. So those that were there each time run
in smaller and smaller company: each end leaves at most 128, 10 and 1 of them that are suspected more than before, and
whoever is alone at the last end has caused it. Nobody waits for a suspect but others that are suspected as much.

Each process keeps places of its own, which is as good with many replicas: a process takes only its own turns along.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

MAX_ENDS = 5
"""A turn during which so many processes ended is given up."""
TRUSTED_ENDS = 1
"""Up to so many may be a power failure and a deploy that was cut short; such a turn waits for nobody."""
PLACES: Mapping[int, int] = {2: 128, 3: 10, 4: 1}
"""Ends that were seen → turns that run side by side."""


class Place:
    """A turn's place among those that are suspected as much. It is left when the turn's end is on disk."""

    def __init__(self, gates: Mapping[int, asyncio.Semaphore]) -> None:
        self._gates = gates
        self._held: asyncio.Semaphore | None = None

    async def take(self, ends: int) -> None:
        """Waits for a place among the turns that so many processes ended with, and leaves the one held before."""
        self.leave()
        gate = self._gates.get(ends)
        if gate is not None:
            await gate.acquire()
            self._held = gate

    def leave(self) -> None:
        """Lets the next one in; does nothing when no place is held."""
        held, self._held = self._held, None
        if held is not None:
            held.release()


class Suspects:
    """The places of this process."""

    def __init__(self) -> None:
        self._gates = {ends: asyncio.Semaphore(places) for ends, places in PLACES.items()}

    def place(self) -> Place:
        """A place that is not taken yet."""
        return Place(self._gates)
