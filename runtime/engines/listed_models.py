"""The models that OpenAI lists, or a server that speaks its API: until when there are which."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import aiohttp
import structlog

from runtime.engines.responses_api import CallRefused, ResponsesApi, UnreadableAnswer
from runtime.settings import Settings

TIMEOUT_SECONDS = 30.0

log = structlog.get_logger("runtime.models")


class ListedModels:
    """Reads the list with the installation's key."""

    def __init__(self, settings: Settings) -> None:
        key = settings.openai_api_key
        self._api = ResponsesApi(settings.openai_base_url, key.get_secret_value() if key else None, TIMEOUT_SECONDS)

    async def dates(self) -> Mapping[str, date | None] | None:
        """By model, when it is shut down, None where that is not announced; None where the list could not be read. A
        server that knows no such dates says nothing of its models."""
        try:
            listed = await self._api.models()
        except (aiohttp.ClientError, TimeoutError, UnreadableAnswer, CallRefused) as error:
            log.warning("models_unavailable", error=str(error))
            return None
        return {str(item.get("id")): _day(item["shutdown_date"]) for item in listed if "shutdown_date" in item}

    async def close(self) -> None:
        """Closes the connections."""
        await self._api.close()


def _day(said: object) -> date | None:
    """The day of a date or timestamp; None for what is neither."""
    try:
        return date.fromisoformat(str(said)[:10]) if said else None
    except ValueError:
        return None
