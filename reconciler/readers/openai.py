"""What is live at OpenAI, or at a server that speaks its API: models, and objects of the Assistants API."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reconciler.readers.http import Reader, ReadError
from reconciler.settings import Settings

PAGE = 100
"""The largest page that the Assistants API gives."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model as `GET /v1/models` lists it."""

    id: str
    shutdown_date: datetime.date | None


@dataclass(frozen=True, slots=True)
class LiveAssistant:
    """An object of the Assistants API."""

    id: str
    values: Mapping[str, Any]
    """name, model, instructions, tools."""
    metadata: Mapping[str, str]


class OpenAIReader:
    """Reads OpenAI's lists to the end."""

    def __init__(self, settings: Settings) -> None:
        self._http = Reader(
            settings.openai_base_url,
            headers={"Authorization": f"Bearer {settings.openai_api_key}", "OpenAI-Beta": "assistants=v2"},
            timeout=settings.timeout,
            connections=settings.openai_concurrency,
        )

    def models(self) -> Mapping[str, Model]:
        """Every model that the key may use, by id. OpenAI: `GET /v1/models`, one page."""
        found = {}
        for item in _items(self._http.get("/models")):
            shutdown = item.get("shutdown_date")
            found[item["id"]] = Model(item["id"], datetime.date.fromisoformat(shutdown) if shutdown else None)
        return found

    def assistants(self) -> Sequence[LiveAssistant]:
        """Every assistant. OpenAI: `GET /v1/assistants`, cursor pages of 100; 404 there since 2026-08-26."""
        found: list[LiveAssistant] = []
        query: dict[str, str | int] = {"limit": PAGE, "order": "asc"}
        while True:
            page = self._http.get("/assistants", query)
            found += [_assistant(item) for item in _items(page)]
            if not page.get("has_more"):
                return found
            if not page.get("last_id") or page["last_id"] == query.get("after"):
                raise ReadError("the list of assistants says that it goes on, but not where")
            query["after"] = page["last_id"]


def _items(page: Any) -> Sequence[Mapping[str, Any]]:
    if not isinstance(page, dict) or not isinstance(page.get("data"), list):
        raise ReadError("OpenAI's list has no `data`")
    items: Sequence[Mapping[str, Any]] = page["data"]
    return items


def _assistant(item: Mapping[str, Any]) -> LiveAssistant:
    values = {
        "name": item.get("name"),
        "model": item.get("model"),
        "instructions": item.get("instructions"),
        "tools": item.get("tools") or [],
    }
    return LiveAssistant(item["id"], values, item.get("metadata") or {})
