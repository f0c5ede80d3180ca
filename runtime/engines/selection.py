"""Chooses the engine of a bot, and opens the one client that all engines share.

The OpenAI SDK takes most of a second to import, so it is imported in a thread while the service is already listening;
the first turn waits for it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from runtime.catalog import Configuration
from runtime.engines.port import Engine
from runtime.errors import PermanentError
from runtime.settings import Settings

if TYPE_CHECKING:
    from openai import AsyncOpenAI

LIVE_ASSISTANT_PREFIX = "asst_"
"""Ids that the Assistants API gives out; one without a record of ours is a live object."""


class Engines:
    """The engines of this installation."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._opening: asyncio.Task[dict[str, Engine]] | None = None
        self._client: AsyncOpenAI | None = None

    def warm_up(self) -> None:
        """Begins to open the engines."""
        if self._opening is None:
            self._opening = asyncio.create_task(self._open())

    async def engine_of(self, configuration: Configuration) -> Engine:
        """The engine that answers for a bot; raises PermanentError when its assistant does not exist."""
        self.warm_up()
        assert self._opening is not None
        engines = await asyncio.shield(self._opening)
        assistant_id = configuration.bot.assistant_id
        if assistant_id is None or configuration.assistant is not None:
            return engines["responses"]
        if assistant_id.startswith(LIVE_ASSISTANT_PREFIX):
            return engines["assistants"]
        raise PermanentError(
            f"The bot {configuration.bot.id!r} names the assistant {assistant_id!r}, which does not exist; "
            "create it, or give the bot another assistant_id."
        )

    async def close(self) -> None:
        """Closes the client."""
        if self._opening is not None:
            await asyncio.gather(self._opening, return_exceptions=True)
        if self._client is not None:
            await self._client.close()

    async def _open(self) -> dict[str, Engine]:
        await asyncio.to_thread(_import_engines)
        from openai import AsyncOpenAI, DefaultAioHttpClient

        from runtime.engines.assistants import AssistantsEngine
        from runtime.engines.responses import ResponsesEngine

        key = self._settings.openai_api_key
        self._client = AsyncOpenAI(
            # The SDK refuses to start without a key; the provider's 401 says it better, and per turn.
            api_key=key.get_secret_value() if key else "OPENAI_API_KEY-is-not-set",
            base_url=self._settings.openai_base_url,
            timeout=self._settings.model_timeout_seconds,
            # A repeated call is the turn's decision: it knows its deadline, and what the call may have done.
            max_retries=0,
            http_client=DefaultAioHttpClient(),
        )
        return {
            "responses": ResponsesEngine(self._client),
            "assistants": AssistantsEngine(self._client, self._settings.model_timeout_seconds),
        }


def _import_engines() -> None:
    import runtime.engines.assistants
    import runtime.engines.responses  # noqa: F401
