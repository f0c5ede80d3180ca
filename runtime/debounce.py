"""Lets a burst of messages come to its end before it is answered: people write one thought in several messages."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime

from runtime.store import inbox
from runtime.store.database import Database

LONGEST_FACTOR = 3
"""A stream of messages that does not pause is answered after this many pauses."""


@dataclass(frozen=True, slots=True)
class Debounce:
    """The pause before a turn. What a conversation waits for is read from the store, so any replica may do it."""

    database: Database
    seconds: float

    async def wait(self, conversation_id: int) -> None:
        """Returns when no message has come for a while. A turn that was begun before waits for nothing."""
        while self.seconds:
            span = await self.database.read(inbox.span_of_waiting, conversation_id)
            if span is None:
                return
            oldest, newest = (datetime.fromisoformat(moment).timestamp() for moment in span)
            left = min(newest + self.seconds, oldest + self.seconds * LONGEST_FACTOR) - time.time()
            if left <= 0:
                return
            await asyncio.sleep(left)
