"""GET /metrics, for Prometheus. Needs a token like the rest of the API; one with the scope `metrics` will do."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog
from aiohttp import web

from runtime.api.auth import CALLER
from runtime.observability.metrics import Metrics
from runtime.store.database.database import Database
from runtime.store.errors import StoreError
from runtime.store.messages.backlog import Backlog, read_backlog

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

log = structlog.get_logger("runtime.metrics")


@dataclass(frozen=True, slots=True)
class MetricsPage:
    """The handler of /metrics."""

    metrics: Metrics
    database: Database

    def routes(self) -> list[web.RouteDef]:
        """The route."""
        return [web.get("/metrics", self.get)]

    async def get(self, request: web.Request) -> web.Response:
        """200, also when the store does not answer, which the page then reports."""
        caller = request[CALLER]
        caller.require("metrics")
        caller.require_all_clients()
        # With many clients the text takes a while to write; messages are processed meanwhile.
        text = await asyncio.to_thread(self.metrics.exposition, await self._backlog())
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE})

    async def _backlog(self) -> Backlog | None:
        try:
            return await self.database.read(read_backlog)
        except StoreError as error:
            log.warning("backlog_unavailable", error=str(error))
            return None
