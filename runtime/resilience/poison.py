"""Isolates poison turns, which crash their process: the more often a process crashed while a turn ran, the fewer such
turns run at once, until the culprit runs alone and is given up. No turn is begun or ended here.

    crashes while the turn was running     0, 1      2     3     4      5
    such turns that run concurrently        all     128    10     1      none: given up

A crash interrupts every turn of the process. If each of them were given up after the same number of crashes, one
message would silence every user with a turn beside it. With these slots each crash leaves at most 128, 10 and 1 turns
with the next higher count, and the turn that runs alone at the last crash has caused it. That one runs alone among all
suspects, since one with fewer crashes may be another culprit. Only suspects wait for suspects.

Each process has its own slots, which is sufficient with many replicas: a crash interrupts one process's turns only.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count

MAX_CRASHES = 5
"""A turn during which this many processes crashed is given up."""
TRUSTED_CRASHES = 1
"""This many may be a power failure and an interrupted deploy; such a turn does not wait."""
SLOTS: Mapping[int, int] = {2: 128, 3: 10, 4: 1}
"""Crashes during a turn → maximum number of such turns that run concurrently."""


LAST_CRASHES = MAX_CRASHES - 1
"""A turn that is given up at its next crash; it runs beside no other suspect."""


class SuspectSlot:
    """A turn's slot among suspects. It is released when the turn's end is on disk."""

    def __init__(self, suspects: Suspects) -> None:
        self._suspects = suspects
        self._held: int | None = None

    async def acquire(self, crashes: int) -> None:
        """Waits for a slot among the turns with this many crashes, and releases the one held before."""
        self.release()
        if crashes in SLOTS:
            await self._suspects.acquire(crashes)
            self._held = crashes

    def release(self) -> None:
        """Lets the next one run; does nothing when no slot is held."""
        held, self._held = self._held, None
        if held is not None:
            self._suspects.release(held)


class Suspects:
    """The slots of this process, for turns and messages that may have crashed a process before."""

    def __init__(self) -> None:
        self._running = dict.fromkeys(SLOTS, 0)
        self._waiting: Mapping[int, deque[_Waiting]] = {crashes: deque() for crashes in SLOTS}
        self._arrivals = count()

    def slot(self) -> SuspectSlot:
        """A slot that is not acquired yet."""
        return SuspectSlot(self)

    async def acquire(self, crashes: int) -> None:
        """Waits for a slot among those with this many crashes, in order of arrival."""
        me = _Waiting(next(self._arrivals), asyncio.get_running_loop().create_future())
        self._waiting[crashes].append(me)
        self._admit()
        try:
            await me.admitted
        except asyncio.CancelledError:
            if me.admitted.cancelled():
                self._admit()
            else:
                self.release(crashes)
            raise

    def release(self, crashes: int) -> None:
        """Releases a slot."""
        self._running[crashes] -= 1
        self._admit()

    def _admit(self) -> None:
        """Admits those that may run now."""
        for crashes, waiting in self._waiting.items():
            while waiting and (waiting[0].admitted.cancelled() or self._may_run(crashes, waiting[0])):
                first = waiting.popleft()
                if not first.admitted.cancelled():
                    self._running[crashes] += 1
                    first.admitted.set_result(None)

    def _may_run(self, crashes: int, first: _Waiting) -> bool:
        if crashes == LAST_CRASHES:
            return not any(self._running.values())
        alone = next((one for one in self._waiting[LAST_CRASHES] if not one.admitted.cancelled()), None)
        overtakes = alone is not None and alone.arrival < first.arrival
        return not overtakes and not self._running[LAST_CRASHES] and self._running[crashes] < SLOTS[crashes]


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A turn that waits for a slot."""

    arrival: int
    admitted: asyncio.Future[None]
