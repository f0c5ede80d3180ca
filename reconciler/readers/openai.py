"""What is live at OpenAI, or at a server that speaks its API: models, vector stores, and objects of the Assistants API
and the Agents API.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from reconciler.readers.http import Reader, ReadError
from reconciler.settings import Settings

PAGE = 100
"""The largest page that these lists give."""

ObjectEngine = Literal["assistants", "agents"]
"""Engines whose assistants live at the provider. The API's path is called the same."""
OBJECT_ENGINES: Final[tuple[ObjectEngine, ...]] = ("assistants", "agents")
OBJECT_PREFIXES: Final[Mapping[ObjectEngine, str]] = {"assistants": "asst_", "agents": "agent_"}
"""How the ids begin that each API gives out; one without a record of ours is a live object."""
BETAS: Final[Mapping[ObjectEngine, str]] = {"assistants": "assistants=v2", "agents": "agents=v1"}
"""What each API wants to read in the header OpenAI-Beta."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model as `GET /v1/models` lists it."""

    id: str
    shutdown_date: datetime.date | None


@dataclass(frozen=True, slots=True)
class LiveAssistant:
    """An object of the Assistants API or of the Agents API."""

    id: str
    values: Mapping[str, Any]
    """name, model, instructions, tools; of an agent its settings too."""
    metadata: Mapping[str, str]
    engine: ObjectEngine = "assistants"
    vector_stores: Sequence[str] = ()
    """Ids of those that its file_search searches."""


@dataclass(frozen=True, slots=True)
class FileCounts:
    """How far the files of a vector store are indexed."""

    total: int
    completed: int
    in_progress: int
    failed: int
    """Failed or cancelled: never found by a search."""


@dataclass(frozen=True, slots=True)
class VectorStore:
    """Documents that an assistant can search."""

    id: str
    name: str
    status: str
    """in_progress, completed, or expired: then it answers no search any more."""
    counts: FileCounts
    expires_after: Mapping[str, Any] | None
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class StoreFile:
    """A file in a vector store. Its content and its name cannot be seen there."""

    id: str
    status: str
    """in_progress, completed, failed or cancelled."""
    error: str | None
    """Why it could not be indexed."""
    attributes: Mapping[str, Any]


class OpenAIReader:
    """Reads OpenAI's lists to the end."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._http = self._reader("assistants")

    def _reader(self, engine: ObjectEngine) -> Reader:
        """A reader that may see the objects of one beta."""
        settings = self._settings
        return Reader(
            settings.openai_base_url,
            headers={"Authorization": f"Bearer {settings.openai_api_key}", "OpenAI-Beta": BETAS[engine]},
            timeout=settings.timeout,
        )

    def models(self) -> Mapping[str, Model]:
        """Every model that the key may use, by id. OpenAI: `GET /v1/models`, one page."""
        found = {}
        for item in _items(self._http.get("/models")):
            shutdown = item.get("shutdown_date")
            found[item["id"]] = Model(item["id"], datetime.date.fromisoformat(shutdown) if shutdown else None)
        return found

    def objects(self, engine: ObjectEngine) -> Sequence[LiveAssistant]:
        """Every object of an engine. OpenAI: `GET /v1/agents`, and `GET /v1/assistants` which answers 404 there since
        2026-08-26; cursor pages of 100.
        """
        if engine == "assistants":
            return [live_assistant(item) for item in self._all("/assistants")]
        return [live_agent(item) for item in self._all("/agents", self._reader("agents"))]

    def vector_stores(self) -> Sequence[VectorStore]:
        """Every vector store. OpenAI: `GET /v1/vector_stores`, cursor pages of 100."""
        return [_vector_store(item) for item in self._all("/vector_stores")]

    def store_files(self, store_id: str) -> Sequence[StoreFile]:
        """Every file in a vector store. OpenAI: `GET /v1/vector_stores/{id}/files`, cursor pages of 100."""
        return [_store_file(item) for item in self._all(f"/vector_stores/{store_id}/files")]

    def _all(self, path: str, http: Reader | None = None) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        query: dict[str, str | int] = {"limit": PAGE, "order": "asc"}
        while True:
            page = (http or self._http).get(path, query)
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
    searched = ((item.get("tool_resources") or {}).get("file_search") or {}).get("vector_store_ids") or []
    return LiveAssistant(item["id"], values, item.get("metadata") or {}, vector_stores=searched)


def live_agent(item: Mapping[str, Any]) -> LiveAssistant:
    """An agent of the Agents API as its JSON tells it. Its effort is null where the model decides."""
    values = {
        "name": item.get("name"),
        "model": item.get("model"),
        "instructions": item.get("instructions"),
        "tools": item.get("tools") or [],
        "settings": {"reasoning_effort": (item.get("reasoning") or {}).get("effort")},
    }
    return LiveAssistant(item["id"], values, item.get("metadata") or {}, "agents")


def _vector_store(item: Mapping[str, Any]) -> VectorStore:
    counted = item.get("file_counts") or {}
    known = {name: int(counted.get(name) or 0) for name in ("total", "completed", "in_progress", "failed", "cancelled")}
    return VectorStore(
        id=item["id"],
        name=item.get("name") or "",
        status=str(item.get("status")),
        counts=FileCounts(
            known["total"], known["completed"], known["in_progress"], known["failed"] + known["cancelled"]
        ),
        expires_after=item.get("expires_after"),
        metadata=item.get("metadata") or {},
    )


def _store_file(item: Mapping[str, Any]) -> StoreFile:
    problem = item.get("last_error") or {}
    return StoreFile(item["id"], str(item.get("status")), problem.get("message"), item.get("attributes") or {})
