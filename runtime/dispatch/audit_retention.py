"""Deletes old entries of the audit, where AUDIT_DAYS says how long they are kept: a few at a time, in any process."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog

from runtime.dispatch.timers import RunAgain, Timers
from runtime.store.audit import delete_before
from runtime.store.database.database import Database
from runtime.store.database.times import timestamp
from runtime.store.timers import Timer

KIND: Final = "audit_retention"
KEY: Final = "all"
RUN_SECONDS: Final = 3600.0
AT_ONCE: Final = 500
"""Entries of one transaction, which holds up no message for longer than that takes."""
PAUSE_SECONDS: Final = 1.0
"""Between two transactions while there is more."""
DAY_SECONDS: Final = 86_400

log = structlog.get_logger("runtime.retention")


@dataclass(frozen=True, slots=True)
class AuditRetention:
    """The handler of its timer."""

    database: Database
    days: int
    """How long entries are kept; 0: for ever."""

    async def begin(self, timers: Timers) -> None:
        """Deletes what is due now and every RUN_SECONDS."""
        timers.register(KIND, self.run)
        if self.days:
            await timers.put(KIND, KEY, datetime.now(UTC))

    async def run(self, _timer: Timer) -> RunAgain | None:
        """Deletes some of what is due; the timer ends where nothing is to be deleted any more."""
        if not self.days:
            return None
        before = timestamp(time.time() - self.days * DAY_SECONDS)
        deleted = await self.database.write_unhurried(delete_before, before, AT_ONCE)
        if deleted:
            log.info("audit_entries_deleted", entries=deleted, days=self.days)
        return RunAgain(PAUSE_SECONDS if deleted == AT_ONCE else RUN_SECONDS)
