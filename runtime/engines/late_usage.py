"""Records the usage of answered turns where the provider reports it only after their end: in the metrics and in the
turn's row.

Usage that is not known within a minute is counted as unknown, never estimated. What is not known when the process ends
is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from runtime.engines.port import Late, LateUsage
from runtime.observability.metrics import Metrics
from runtime.store.database.database import Database
from runtime.store.errors import StoreError
from runtime.store.messages.turns import Usage
from runtime.store.messages.usage import add_usage

WAITING_LIMIT = 2_000
"""Maximum number of turns whose usage is awaited at the same time; for further ones it is not requested."""

log = structlog.get_logger("runtime.engines")


class LateBooking:
    """Waits for usage in the background."""

    def __init__(self, database: Database, metrics: Metrics) -> None:
        self._database = database
        self._metrics = metrics
        self._waiting: set[asyncio.Task[None]] = set()

    def book(self, turn_id: int, client: str, model: str, late: LateUsage, price: Callable[[Usage], None]) -> None:
        """Records the usage of an answered turn in the background, and calls `price` with it."""
        if len(self._waiting) >= WAITING_LIMIT:
            self._uncounted(turn_id, client, model)
            return
        task = asyncio.create_task(self._book(turn_id, client, model, late, price))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def close(self) -> None:
        """Stops waiting."""
        for task in self._waiting:
            task.cancel()
        await asyncio.gather(*self._waiting, return_exceptions=True)

    async def _book(
        self, turn_id: int, client: str, model: str, late: LateUsage, price: Callable[[Usage], None]
    ) -> None:
        try:
            found: Late = await late()
        except Exception:
            # The task is not awaited, so the error would not be logged elsewhere.
            log.exception("usage_request_failed", turn=turn_id)
            self._uncounted(turn_id, client, model)
            return
        if not found.is_all:
            self._uncounted(turn_id, client, model)
        if found.usage == Usage():
            return
        self._metrics.used(client, model, found.usage)
        price(found.usage)
        log.info("usage_recorded", turn=turn_id, client=client, **_tokens(found.usage))
        try:
            await self._database.write(add_usage, turn_id, found.usage)
        except StoreError as error:
            log.warning("usage_not_stored", turn=turn_id, error=str(error), **_tokens(found.usage))

    def _uncounted(self, turn_id: int, client: str, model: str) -> None:
        log.warning("usage_unknown", turn=turn_id, client=client)
        self._metrics.uncounted(client, model)


def _tokens(usage: Usage) -> dict[str, int]:
    return {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}
