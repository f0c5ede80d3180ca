"""A load balancer in front of the runtimes: each connection goes to one that accepts it, drawn at random.

A connection that finds no runtime waits briefly; one whose runtime dies is broken off.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from contextlib import suppress

from tests.chaos.piping import Piping

HOLD_SECONDS = 15.0
"""How long a connection waits for a runtime to come up: as long as Twilio does."""
RETRY_SECONDS = 0.05


class Balancer(Piping):
    """Chooses a runtime for each connection."""

    def __init__(self, seed: int) -> None:
        super().__init__("balancer")
        self.ports: Sequence[int] = ()
        """Where the runtimes listen."""
        self._dice = random.Random(seed)

    @property
    def url(self) -> str:
        """Where it is called."""
        return f"http://127.0.0.1:{self.port}"

    async def connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """See Piping."""
        deadline = time.monotonic() + HOLD_SECONDS
        while time.monotonic() < deadline:
            for port in self._dice.sample(self.ports, len(self.ports)):
                with suppress(ConnectionError):
                    return await asyncio.open_connection("127.0.0.1", port)
            await asyncio.sleep(RETRY_SECONDS)
        raise ConnectionRefusedError
