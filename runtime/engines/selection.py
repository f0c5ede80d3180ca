"""Chooses the engine of a bot. Engines are opened when they are first needed and share one client.

The OpenAI SDK takes most of a second and a good part of our memory to import, so each engine is imported by itself, in
a thread: `responses` while the service is already listening, `assistants` only where a bot uses it.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from runtime.breaker import Breakers
from runtime.catalog import Configuration
from runtime.engines.measured import PROVIDER, MeasuredEngine
from runtime.engines.port import Engine
from runtime.errors import PermanentError
from runtime.metrics import Metrics
from runtime.settings import Settings

if TYPE_CHECKING:
    from openai import AsyncOpenAI

LIVE_ASSISTANT_PREFIX = "asst_"
"""Ids that the Assistants API gives out; one without a record of ours is a live object."""
MODEL_CONNECTIONS = 20_000
"""Calls of the model at once: each conversation that waits for it holds one."""


class Engines:
    """The engines of this installation."""

    def __init__(self, settings: Settings, metrics: Metrics, breakers: Breakers) -> None:
        self._settings = settings
        self._metrics = metrics
        self.breaker = breakers.of(PROVIDER)
        self._opened: dict[str, asyncio.Task[Engine]] = {}
        self._client: AsyncOpenAI | None = None

    def warm_up(self) -> None:
        """Begins to open the engine that nearly every bot uses."""
        self._open("responses", self._open_responses)

    async def engine_of(self, configuration: Configuration) -> Engine:
        """The engine that answers for a bot; raises PermanentError when its assistant does not exist."""
        assistant_id = configuration.bot.assistant_id
        if assistant_id is None or configuration.assistant is not None:
            return await asyncio.shield(self._open("responses", self._open_responses))
        if assistant_id.startswith(LIVE_ASSISTANT_PREFIX):
            return await asyncio.shield(self._open("assistants", self._open_assistants))
        raise PermanentError(
            f"The bot {configuration.bot.id!r} names the assistant {assistant_id!r}, which does not exist; "
            "create it, or give the bot another assistant_id."
        )

    async def close(self) -> None:
        """Closes the client."""
        await asyncio.gather(*self._opened.values(), return_exceptions=True)
        if self._client is not None:
            await self._client.close()

    def _open(self, name: str, opener: Callable[[], Coroutine[Any, Any, Engine]]) -> asyncio.Task[Engine]:
        if name not in self._opened:
            self._opened[name] = asyncio.create_task(opener())
        return self._opened[name]

    async def _open_responses(self) -> Engine:
        module = await asyncio.to_thread(importlib.import_module, "runtime.engines.responses")
        return MeasuredEngine(module.ResponsesEngine(self._shared_client()), self._metrics)

    async def _open_assistants(self) -> Engine:
        module = await asyncio.to_thread(importlib.import_module, "runtime.engines.assistants")
        engine = module.AssistantsEngine(self._shared_client(), self._settings.model_timeout_seconds)
        return MeasuredEngine(engine, self._metrics)

    def _shared_client(self) -> AsyncOpenAI:
        if self._client is None:
            from httpx2 import Limits
            from openai import AsyncOpenAI, DefaultAioHttpClient

            key = self._settings.openai_api_key
            self._client = AsyncOpenAI(
                # The SDK refuses to start without a key; the provider's 401 says it better, and per turn.
                api_key=key.get_secret_value() if key else "OPENAI_API_KEY-is-not-set",
                base_url=self._settings.openai_base_url,
                timeout=self._settings.model_timeout_seconds,
                # A repeated call is the turn's decision: it knows its deadline, and what the call may have done.
                max_retries=0,
                # The SDK would let a thousand conversations wait for the model, and the others for those; with None the
                # limit would be aiohttp's, a hundred.
                http_client=DefaultAioHttpClient(limits=Limits(max_connections=MODEL_CONNECTIONS)),
            )
        return self._client
