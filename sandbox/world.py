"""What all parts of one sandbox process share: its memory, its ledger, its faults, its settings, its credentials and
its running errands.

It holds things together and never answers a request itself.
"""

import asyncio
import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.faults import Faults
from sandbox.ledger import Ledger
from sandbox.settings import Settings
from sandbox.state import State


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the stand-ins accept. Anything else is answered as the provider answers a wrong key."""

    account_sid: str
    auth_token: str
    api_key: str


class Errands:
    """Work that goes on after a call was answered: webhooks, status callbacks. A reset drops all of it."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            sys.stderr.write(f"sandbox: an errand failed: {error!r}\n")

    async def drop(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@dataclass(slots=True)
class World:
    """One sandbox: two providers, one memory."""

    state: State
    ledger: Ledger
    faults: Faults
    settings: Settings
    credentials: Credentials
    senders_from: Path | None = None
    errands: Errands = field(default_factory=Errands)
    after_reset: list[Callable[[], None]] = field(default_factory=list)

    @staticmethod
    def now() -> int:
        """Seconds since the epoch, as OpenAI dates its objects."""
        return int(time.time())

    async def reset(self) -> None:
        """Back to the first start: nothing remembered, nothing recorded, nothing going wrong."""
        await self.errands.drop()
        self.state.clear()
        self.ledger.clear()
        self.faults.clear()
        self.settings.clear()
        for hook in self.after_reset:
            hook()
