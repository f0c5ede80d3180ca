"""What all parts of one sandbox process share: its tables, its ledger, its faults, its settings, its credentials and
its background tasks.

It never answers a request itself.
"""

import asyncio
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.faults import Faults
from sandbox.ledger import Ledger
from sandbox.price_ledger import PriceLedger
from sandbox.settings import Settings
from sandbox.storage import Json, Storage


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the stand-ins accept. Anything else gets the provider's answer to a wrong key."""

    account_sid: str
    auth_token: str
    api_key: str
    admin_key: str
    """What OpenAI accepts under /organization, and nowhere else."""


class BackgroundTasks:
    """Work in progress: calls being answered, and the tasks that follow them (webhooks, status callbacks).

    A reset cancels all of it, so that nothing started before it has an effect after it.
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    @contextmanager
    def call(self) -> Iterator[None]:
        """Around answering a call: its task is work in progress, too."""
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
            sys.stderr.write(f"sandbox: a background task failed: {error!r}\n")

    async def drop(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@dataclass(slots=True)
class State:
    """One sandbox: its providers, one set of tables."""

    storage: Storage
    ledger: Ledger
    faults: Faults
    settings: Settings
    credentials: Credentials
    prices: PriceLedger
    senders_from: Path | None = None
    media_port: int = 0
    """Where the content of media is served, on the host of Twilio's stand-in; 0 until it is."""
    desk_port: int = 0
    """Where Chatwoot's stand-in listens; 0 until it does."""
    background: BackgroundTasks = field(default_factory=BackgroundTasks)
    after_reset: list[Callable[[], None]] = field(default_factory=list)
    template_changed: Callable[[Json, Json], None] = lambda former, now: None
    """Called with each change that Meta makes to a content: the content before, and now."""

    def now(self) -> int:
        """Seconds since the epoch, as OpenAI dates its objects."""
        return int(self.settings.time())

    async def reset(self) -> None:
        """Back to the first start: no objects, no ledger entries, no faults."""
        await self.background.drop()
        self.storage.clear()
        self.ledger.clear()
        self.prices.clear()
        self.faults.clear()
        self.settings.clear()
        for hook in self.after_reset:
            hook()
