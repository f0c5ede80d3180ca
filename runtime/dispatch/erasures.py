"""Continues erasures of which something is left elsewhere, by a timer for each, until nothing is.

a provider refuses ──► timer ──► Erasure.resume ──► left: later again ──► … ──► nothing is left: the receipt
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import structlog

from runtime.dispatch.timers import RunAgain, Timers
from runtime.privacy.erasure import Erasure
from runtime.store.messages import unfinished_erasures
from runtime.store.timers import Timer

log = structlog.get_logger("runtime.privacy")


@dataclass(frozen=True, slots=True)
class Erasures:
    """The handler of these timers."""

    erasure: Erasure

    def begin(self, timers: Timers) -> None:
        """Runs the timers in this process."""
        timers.register(unfinished_erasures.KIND, self.resume)

    async def resume(self, timer: Timer) -> RunAgain | None:
        """Deletes what is left of a person; again later while something is."""
        left = await self.erasure.resume(timer)
        if left is None:
            log.info("erasure_finished", attempt=timer.payload["attempts"] + 1)
            return None
        pause = unfinished_erasures.pause_after(left.attempts)
        log.warning("erasure_unfinished", attempt=left.attempts, left=len(left.left), seconds=round(pause))
        return RunAgain(pause, asdict(left))
