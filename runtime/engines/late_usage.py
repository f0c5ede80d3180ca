"""Records the usage of answered turns where the provider reports it only after their end: in the metrics, in the turn's
row and in the ledger.

Usage that is not known within a minute is counted as unknown, never estimated. What is not known when the process ends
is lost.
"""

from __future__ import annotations

import asyncio

import structlog

from runtime.budgets.budgets import Budgets
from runtime.engines.port import Late, LateUsage
from runtime.observability.metrics import Metrics
from runtime.price_list import PriceList
from runtime.store.database.database import Database
from runtime.store.errors import StoreError
from runtime.store.messages.turns import add_usage
from runtime.store.usage.quantities import Spent, Usage

WAITING_LIMIT = 2_000
"""Maximum number of turns whose usage is awaited at the same time; for further ones it is not requested."""

log = structlog.get_logger("runtime.engines")


class LateBooking:
    """Waits for usage in the background."""

    def __init__(self, database: Database, prices: PriceList, budgets: Budgets, metrics: Metrics) -> None:
        self._database = database
        self._prices = prices
        self._budgets = budgets
        self._metrics = metrics
        self._waiting: set[asyncio.Task[None]] = set()

    def book(self, turn_id: int, client: str, model: str, late: LateUsage) -> None:
        """Records the usage of an answered turn in the background."""
        if len(self._waiting) >= WAITING_LIMIT:
            self._uncounted(turn_id, client, model)
            return
        task = asyncio.create_task(self._book(turn_id, client, model, late))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def close(self) -> None:
        """Stops waiting."""
        for task in self._waiting:
            task.cancel()
        await asyncio.gather(*self._waiting, return_exceptions=True)

    async def _book(self, turn_id: int, client: str, model: str, late: LateUsage) -> None:
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
        log.info("usage_recorded", turn=turn_id, client=client, **_tokens(found.usage))
        try:
            lines = await self._prices.lines([Spent(model, found.usage)])
            await self._database.write(add_usage, turn_id, client, found.usage, lines)
        except StoreError as error:
            log.warning("usage_not_stored", turn=turn_id, error=str(error), **_tokens(found.usage))
        else:
            self._metrics.charged(client, lines)
            self._budgets.added(client, lines)

    def _uncounted(self, turn_id: int, client: str, model: str) -> None:
        log.warning("usage_unknown", turn=turn_id, client=client)
        self._metrics.uncounted(client, model)


def _tokens(usage: Usage) -> dict[str, int]:
    return {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}
