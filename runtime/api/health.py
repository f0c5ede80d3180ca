"""/health: the process runs. /ready: it can do its work. Neither needs a token, neither shows a value."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from runtime.settings import Settings
from runtime.store.catalog import catalog_version
from runtime.store.database.database import Database
from runtime.store.errors import StoreError


class Health:
    """Handlers of /health and /ready."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._missing = missing_settings(settings)
        self._database = database
        self._stopping = False

    def stop(self) -> None:
        """Makes the service not ready, so that a load balancer sends no further requests."""
        self._stopping = True

    def routes(self) -> list[web.RouteDef]:
        """The routes."""
        return [web.get("/health", self.health), web.get("/ready", self.ready)]

    async def health(self, _request: web.Request) -> web.Response:
        """200 while requests are answered at all, also during a stop."""
        return web.json_response({"status": "ok"})

    async def ready(self, _request: web.Request) -> web.Response:
        """200 when a message could be stored and answered, else 503 with the reasons."""
        problems = [f"{name} is not set" for name in self._missing]
        if self._stopping:
            problems.append("the service is stopping")
        try:
            # Through the writer: a read-only store cannot accept a message.
            await self._database.write(catalog_version)
        except StoreError as error:
            problems.append(str(error))
        if problems:
            return web.json_response({"status": "not ready", "problems": problems}, status=503)
        return web.json_response({"status": "ready"})


def missing_settings(settings: Settings) -> Sequence[str]:
    """Settings without which no message can be answered."""
    needed = ("openai_api_key", "twilio_account_sid", "twilio_auth_token")
    return [name.upper() for name in needed if getattr(settings, name) is None]
