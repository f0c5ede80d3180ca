"""Keeps the messages from one number below WhatsApp's rate limit; Twilio queues an excess, and refuses it in the
end."""

from __future__ import annotations

import asyncio
import time

MESSAGES_A_SECOND = 80
"""Twilio: WhatsApp accepts 80 messages a second from a sender."""


class SendRateLimit:
    """Spreads the messages of each sender evenly. Each process has its own limit."""

    def __init__(self) -> None:
        self._free_at: dict[str, float] = {}
        self._quiet_until: dict[str, float] = {}

    def hold(self, sender: str, seconds: float) -> None:
        """Pauses a sender for `seconds`, as Twilio asked."""
        self._quiet_until[sender] = max(self._quiet_until.get(sender, 0.0), time.monotonic() + seconds)

    async def quiet(self, sender: str) -> None:
        """Returns when the sender is no longer paused."""
        left = self._quiet_until.get(sender, 0.0) - time.monotonic()
        if left > 0:
            await asyncio.sleep(left)

    async def wait(self, sender: str) -> None:
        """Returns when the caller may send; callers are served in the order of their calls."""
        now = time.monotonic()
        mine = max(now, self._free_at.get(sender, 0.0))
        self._free_at[sender] = mine + 1 / MESSAGES_A_SECOND
        if mine > now:
            await asyncio.sleep(mine - now)
