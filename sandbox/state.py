"""What all parts of one sandbox process share: its memory, its ledger, its faults, its settings, its credentials and
its running errands.

It holds things together and never answers a request itself.
"""

import asyncio
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.faults import Faults
from sandbox.ledger import Ledger
from sandbox.settings import Settings
from sandbox.storage import Storage


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the stand-ins accept. Anything else is answered as the provider answers a wrong key."""

    account_sid: str
    auth_token: str
    api_key: str


class Errands:
    """Work under way: calls being answered, and what goes on after them (webhooks, status callbacks).

    A reset drops all of it, so that nothing from before it is found after it.
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    @contextmanager
    def call(self) -> Iterator[None]:
        """Held by the task that answers a call."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a call is answered by a task")
        self._tasks.add(task)
        try:
            yield
        finally:
            self._tasks.discard(task)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            sys.stderr.write(f"sandbox: an errand failed: {error!r}\n")

    async def drop(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@dataclass(slots=True)
class State:
    """One sandbox: two providers, one memory."""

    storage: Storage
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
        self.storage.clear()
        self.ledger.clear()
        self.faults.clear()
        self.settings.clear()
        for hook in self.after_reset:
            hook()
