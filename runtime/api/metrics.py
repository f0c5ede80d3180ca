"""GET /metrics, for Prometheus. Needs a token like the rest of the API; one with the scope `metrics` will do."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import structlog
from aiohttp import web

from runtime.api.auth import CALLER
from runtime.budgets.budgets import Budgets
from runtime.dispatch.model_ends import days_left
from runtime.observability.metrics import Metrics
from runtime.store import sender_ratings
from runtime.store.activity_records import RatingRecord
from runtime.store.database.database import Database
from runtime.store.errors import StoreError
from runtime.store.messages.backlog import Backlog, read_backlog
from runtime.store.model_ends import dates_of

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

log = structlog.get_logger("runtime.metrics")


@dataclass(frozen=True, slots=True)
class MetricsPage:
    """The handler of /metrics."""

    metrics: Metrics
    database: Database
    budgets: Budgets

    def routes(self) -> list[web.RouteDef]:
        """The route."""
        return [web.get("/metrics", self.get)]

    async def get(self, request: web.Request) -> web.Response:
        """200, also when the store does not answer, which the page then reports."""
        caller = request[CALLER]
        caller.require("metrics")
        caller.require_all_clients()
        # With many clients the text takes a while to write; messages are processed meanwhile.
        found = await self._backlog(), await self._used(), await self._models(), await self._ratings()
        text = await asyncio.to_thread(self.metrics.exposition, *found)
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE})

    async def _used(self) -> dict[str, float]:
        """How much of its budget each client has used up."""
        try:
            return {use.client: use.percent / 100 for _, _, use in await self.budgets.uses()}
        except StoreError as error:
            log.warning("budgets_unavailable", error=str(error))
            return {}

    async def _models(self) -> dict[tuple[str, str], int]:
        """Days until the models in use end."""
        try:
            return days_left(await self.database.read(dates_of))
        except StoreError as error:
            log.warning("model_dates_unavailable", error=str(error))
            return {}

    async def _ratings(self) -> Mapping[str, RatingRecord]:
        """What Meta said last of each client's number."""
        try:
            return await self.database.read(sender_ratings.newest_of_clients)
        except StoreError as error:
            log.warning("ratings_unavailable", error=str(error))
            return {}

    async def _backlog(self) -> Backlog | None:
        try:
            return await self.database.read(read_backlog)
        except StoreError as error:
            log.warning("backlog_unavailable", error=str(error))
            return None
