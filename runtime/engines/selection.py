"""Chooses the engine of a bot.

`responses` is always loaded. The others use OpenAI's SDK, which takes most of a second and much memory to import: each
is imported in a thread when a bot first needs it, and they share one client.
"""

from __future__ import annotations

import asyncio
import importlib
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from runtime.budgets.budgets import Budgets
from runtime.catalog import Configuration
from runtime.engines.late_usage import LateBooking
from runtime.engines.measured import PROVIDER, MeasuredEngine
from runtime.engines.port import Engine, Request
from runtime.engines.responses import ResponsesEngine
from runtime.engines.responses_api import CONNECTIONS, ModelApi, ResponsesApi
from runtime.engines.transcription import Transcriber
from runtime.errors import PermanentError
from runtime.observability.metrics import Metrics
from runtime.price_list import PriceList
from runtime.resilience.breakers import Breakers, CallScope
from runtime.settings import Settings
from runtime.store.database.database import Database
from runtime.store.records import AGENT_PREFIX, ASSISTANT_PREFIX

if TYPE_CHECKING:
    from openai import AsyncOpenAI

LIVE_ENGINES = {
    ASSISTANT_PREFIX: ("assistants", "AssistantsEngine"),
    AGENT_PREFIX: ("agents", "AgentsEngine"),
}
"""The module and the engine that answer for ids which begin so; one without a record of ours is a live object."""


class Engines:
    """The engines of this installation."""

    def __init__(
        self,
        settings: Settings,
        metrics: Metrics,
        breakers: Breakers,
        database: Database,
        prices: PriceList,
        budgets: Budgets,
        api: ModelApi | None = None,
    ) -> None:
        """`api`: asked instead of the server of the settings."""
        self._settings = settings
        self._metrics = metrics
        self._booking = LateBooking(database, prices, budgets, metrics)
        self._breakers = breakers
        key = settings.openai_api_key
        self._api = api or ResponsesApi(
            settings.openai_base_url, key.get_secret_value() if key else None, settings.model_timeout_seconds
        )
        self.transcriber = Transcriber(self._api, breakers, metrics)
        """Of recordings, for every engine: no model of theirs hears."""
        self.plain: Engine = MeasuredEngine(ResponsesEngine(self._api), metrics, self._booking)
        """The engine that needs nothing but a request's own model and instructions."""
        self._opened: dict[str, asyncio.Task[Engine]] = {}
        self._client: AsyncOpenAI | None = None

    async def engine_of(self, configuration: Configuration) -> Engine:
        """The engine that answers for a bot; raises PermanentError when its assistant does not exist."""
        assistant_id = configuration.bot.assistant_id
        if assistant_id is None or configuration.assistant is not None:
            return self.plain
        for prefix, (module, engine) in LIVE_ENGINES.items():
            if assistant_id.startswith(prefix):
                return await asyncio.shield(self._open(module, engine))
        raise PermanentError(
            f"The bot {configuration.bot.id!r} names the assistant {assistant_id!r}, which does not exist; "
            "create it, or give the bot another assistant_id."
        )

    def passing(self, request: Request, deadline: float) -> AbstractAsyncContextManager[None]:
        """Context manager around an engine's answer: it waits while the provider, or what this client needs of it,
        does not work; raises TemporaryError at the deadline, a time of `time.monotonic`."""
        return self._breakers.passing(_scope(request), deadline)

    async def close(self) -> None:
        """Closes the connections."""
        await self._booking.close()
        await self._api.close()
        await asyncio.gather(*self._opened.values(), return_exceptions=True)
        if self._client is not None:
            await self._client.close()

    def _open(self, module: str, engine: str) -> asyncio.Task[Engine]:
        if module not in self._opened:
            self._opened[module] = asyncio.create_task(self._imported(module, engine))
        return self._opened[module]

    async def _imported(self, module: str, engine: str) -> Engine:
        found = await asyncio.to_thread(importlib.import_module, f"runtime.engines.{module}")
        opened: Engine = getattr(found, engine)(self._shared_client(), self._settings.model_timeout_seconds)
        return MeasuredEngine(opened, self._metrics, self._booking)

    def _shared_client(self) -> AsyncOpenAI:
        if self._client is None:
            # A repeated call is the turn's decision: it knows its deadline, and what the call may have done.
            self._client = open_client(self._settings, retries=0)
        return self._client


def _scope(request: Request) -> CallScope:
    stores = [str(store) for tool in request.tools for store in tool.get("vector_store_ids") or ()]
    # A live object has its model and tools at the provider.
    model = request.model or request.assistant_id
    return CallScope(PROVIDER, client=request.client, model=model, resource=" ".join(stores))


def open_client(settings: Settings, *, retries: int) -> AsyncOpenAI:
    """A client of the SDK that repeats a failed call `max_retries` times, regardless of what the call does."""
    from httpx2 import Limits
    from openai import AsyncOpenAI, DefaultAioHttpClient

    key = settings.openai_api_key
    return AsyncOpenAI(
        # The SDK refuses to start without a key; the provider's 401 reports it better, and per turn.
        api_key=key.get_secret_value() if key else "OPENAI_API_KEY-is-not-set",
        base_url=settings.openai_base_url,
        timeout=settings.model_timeout_seconds,
        max_retries=retries,
        # The SDK's default of a thousand connections would make further conversations wait; with None the limit would
        # be aiohttp's, a hundred.
        http_client=DefaultAioHttpClient(limits=Limits(max_connections=CONNECTIONS)),
    )
