"""/health: the process runs. /ready: it can do its work. Neither needs a token or shows a value, a path or a user.

Whether the store takes a message is tried by writing to it: one write at a time, however many ask, and its result holds
for FRESH_SECONDS. No caller waits for it longer than STORE_SECONDS: a load balancer gives up after two seconds.

A client's secret that is not set makes that client's calls fail and no others, so the service is ready, and degraded:
anyone reads for how many clients, a caller with a token also which variables.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict

import structlog
from aiohttp import web

from runtime.api.auth import CALLER
from runtime.api.client_secrets import ClientSecrets
from runtime.api.errors import ApiError
from runtime.observability.tally import Tally
from runtime.settings import Settings
from runtime.store.database.database import Database
from runtime.store.errors import StoreError, StoreOutdated, StoreUnreachable
from runtime.store.writable import try_writing

FRESH_SECONDS = 1.0
STORE_SECONDS = 1.5
DEGRADATION_SECONDS = 0.4
"""How long it may take to find out what a ready service lacks."""

LetIn = Callable[[web.Request], Awaitable[None]]

log = structlog.get_logger("runtime.api")


class Health:
    """Handlers of /health and /ready."""

    def __init__(self, settings: Settings, database: Database, secrets: ClientSecrets, let_in: LetIn) -> None:
        """`let_in` raises ApiError for a caller without a valid token."""
        self._missing = missing_settings(settings)
        self._store = _StoreProbe(database)
        self._secrets = secrets
        self._let_in = let_in
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

    async def ready(self, request: web.Request) -> web.Response:
        """200 when a message could be stored and answered, else 503 with the reasons."""
        problems = [f"{name} is not set" for name in self._missing]
        if self._stopping:
            problems.append("the service is stopping")
        problem = await self._store.problem()
        if problem is not None:
            problems.append(problem)
        if problems:
            return web.json_response({"status": "not ready", "problems": problems}, status=503)
        return web.json_response({"status": "ready", **await self._degradation(request)})

    async def _degradation(self, request: web.Request) -> Mapping[str, object]:
        """What a ready service lacks; nothing where the store does not answer in time."""
        try:
            async with asyncio.timeout(DEGRADATION_SECONDS):
                missing = await self._secrets.missing()
                if not missing:
                    return {}
                shown: dict[str, object] = {"degraded_clients": len({one.client for one in missing})}
                try:
                    await self._let_in(request)
                    caller = request[CALLER]
                    caller.require("read")
                except ApiError:
                    return shown
        except (StoreError, TimeoutError) as error:
            log.warning("client_secrets_unknown", error=str(error) or "the store did not answer in time")
            return {}
        allowed = [one for one in missing if caller.clients is None or one.client in caller.clients]
        return shown | {"degraded": [asdict(one) for one in allowed]}


class _StoreProbe:
    """Tries whether the store can be written to."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tally = Tally("store_not_writable")
        self._trying: asyncio.Task[str | None] | None = None
        self._ended = 0.0

    async def problem(self) -> str | None:
        """What is wrong, in words for anybody; None when nothing is. The log has the details."""
        if self._trying is None or (self._trying.done() and time.monotonic() - self._ended > FRESH_SECONDS):
            self._trying = asyncio.create_task(self._try())
        done, _ = await asyncio.wait({self._trying}, timeout=STORE_SECONDS)
        return self._trying.result() if done else f"the store has not answered within {STORE_SECONDS:g} seconds"

    async def _try(self) -> str | None:
        try:
            await self._database.write(try_writing)
        except StoreError as error:
            self._tally.note(error=str(error))
            return _in_public(error)
        else:
            return None
        finally:
            self._ended = time.monotonic()


def _in_public(error: StoreError) -> str:
    match error:
        case StoreUnreachable():
            return "the store cannot be reached or written to"
        case StoreOutdated():
            return "the store's schema is not the one that this service needs"
        case _:
            return "the store does not take messages in"


def missing_settings(settings: Settings) -> Sequence[str]:
    """Settings without which no message can be answered."""
    needed = ("openai_api_key", "twilio_account_sid", "twilio_auth_token")
    return [name.upper() for name in needed if getattr(settings, name) is None]
