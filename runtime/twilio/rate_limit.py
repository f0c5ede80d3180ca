"""Keeps what leaves from one number below what WhatsApp takes from it; more is queued there, and refused in the end."""

from __future__ import annotations

import asyncio
import time

MESSAGES_A_SECOND = 80
"""Twilio: WhatsApp takes 80 messages a second from a sender."""


class SendRateLimit:
    """Spreads the messages of each sender evenly. Each process keeps its own pace."""

    def __init__(self) -> None:
        self._free_at: dict[str, float] = {}
        self._quiet_until: dict[str, float] = {}

    def hold(self, sender: str, seconds: float) -> None:
        """Lets a sender be quiet for so long: Twilio asked for it."""
        self._quiet_until[sender] = max(self._quiet_until.get(sender, 0.0), time.monotonic() + seconds)

    async def quiet(self, sender: str) -> None:
        """Returns when the sender need not be quiet any more."""
        left = self._quiet_until.get(sender, 0.0) - time.monotonic()
        if left > 0:
            await asyncio.sleep(left)

    async def wait(self, sender: str) -> None:
        """Returns when it is the caller's turn; callers go in the order in which they came."""
        now = time.monotonic()
        mine = max(now, self._free_at.get(sender, 0.0))
        self._free_at[sender] = mine + 1 / MESSAGES_A_SECOND
        if mine > now:
            await asyncio.sleep(mine - now)
