"""Keeps the parts of a long answer in order: each waits until the one before it has left Twilio.

WhatsApp does not preserve the order of messages in transit, so a part waits for a status callback with `sent`, received
by any replica, and at most PART_WAIT_SECONDS.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import structlog

from runtime.store.database.database import Database
from runtime.store.messages import outbox
from runtime.store.messages.outbox import FINAL_STATUSES

PART_WAIT_SECONDS = 10.0
FIRST_POLL_SECONDS = 0.25
"""When the store is first polled for a callback that another replica received; each next poll waits twice as long."""
ON_THE_WAY = frozenset({"sent", "delivered", "read"}) | FINAL_STATUSES

log = structlog.get_logger("runtime.delivery")


class Parts:
    """The parts of this process that others wait for."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._arrivals: dict[int, asyncio.Event] = {}

    @contextmanager
    def followed(self, row_id: int) -> Iterator[None]:
        """Context manager around sending a part that another one follows; its callback may come before Twilio has
        answered."""
        self._arrivals[row_id] = asyncio.Event()
        try:
            yield
        finally:
            del self._arrivals[row_id]

    def note_status(self, row_id: int, status: str) -> None:
        """Receives a status callback that came to this process."""
        if status in ON_THE_WAY and (arrival := self._arrivals.get(row_id)) is not None:
            arrival.set()

    async def on_its_way(self, row_id: int) -> None:
        """Waits for the callback of a part that is being `followed`."""
        arrival = self._arrivals[row_id]
        deadline = time.monotonic() + PART_WAIT_SECONDS
        pause = FIRST_POLL_SECONDS
        while (left := deadline - time.monotonic()) > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(min(pause, left)):
                    await arrival.wait()
            if arrival.is_set() or await self._database.read(outbox.status_of, row_id) in ON_THE_WAY:
                return
            pause *= 2
        log.warning("status_callback_missing", message=row_id, waited_seconds=PART_WAIT_SECONDS)
