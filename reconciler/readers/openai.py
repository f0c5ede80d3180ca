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


@dataclass(frozen=True, slots=True)
class VectorStore:
    """Documents that an assistant can search."""

    id: str
    name: str
    files: int


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
        return [live_assistant(item) for item in self._all("/assistants")]

    def vector_stores(self) -> Sequence[VectorStore]:
        """Every vector store. OpenAI: `GET /v1/vector_stores`, cursor pages of 100."""
        return [
            VectorStore(item["id"], item.get("name") or "", int((item.get("file_counts") or {}).get("total", 0)))
            for item in self._all("/vector_stores")
        ]

    def _all(self, path: str) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        query: dict[str, str | int] = {"limit": PAGE, "order": "asc"}
        while True:
            page = self._http.get(path, query)
            found += _items(page)
            if not page.get("has_more"):
                return found
            if not page.get("last_id") or page["last_id"] == query.get("after"):
                raise ReadError(f"the list of {path[1:]} says that it goes on, but not where")
            query["after"] = page["last_id"]


def _items(page: Any) -> Sequence[Mapping[str, Any]]:
    if not isinstance(page, dict) or not isinstance(page.get("data"), list):
        raise ReadError("OpenAI's list has no `data`")
    items: Sequence[Mapping[str, Any]] = page["data"]
    return items


def live_assistant(item: Mapping[str, Any]) -> LiveAssistant:
    """An object of the Assistants API as its JSON tells it."""
    values = {
        "name": item.get("name"),
        "model": item.get("model"),
        "instructions": item.get("instructions"),
        "tools": item.get("tools") or [],
    }
    return LiveAssistant(item["id"], values, item.get("metadata") or {})
