"""Live objects at OpenAI, or at a server that speaks its API: models, vector stores, and objects of the Assistants API
and the Agents API.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import quote

from reconciler.errors import PermanentError
from reconciler.readers.http import Reader
from reconciler.readers.shape import listed, mapping, text, understood
from reconciler.settings import Settings

PAGE = 100
"""The largest page of these lists."""

ObjectEngine = Literal["assistants", "agents"]
"""Engines whose assistants live at the provider. The API's path has the same name."""
OBJECT_ENGINES: Final[tuple[ObjectEngine, ...]] = ("assistants", "agents")
OBJECT_PREFIXES: Final[Mapping[ObjectEngine, str]] = {"assistants": "asst_", "agents": "agent_"}
"""The prefixes of each API's ids; such an id without a record in the bot store is a live object."""
BETAS: Final[Mapping[ObjectEngine, str]] = {"assistants": "assistants=v2", "agents": "agents=v1"}
"""The value of the header OpenAI-Beta for each API."""


class Model(NamedTuple):
    """A model as `GET /v1/models` lists it."""

    id: str
    shutdown_date: datetime.date | None
    has_date: bool = True
    """Whether the server says so at all, null included; OpenAI's does."""


class OwnedModels(NamedTuple):
    """The models that a key may use, and whose key it is; None where the server does not say."""

    models: Mapping[str, Model]
    organization: str | None
    project: str | None


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
    reasoning: Mapping[str, Any] = field(default_factory=dict)
    """Of an agent, its reasoning settings: only the effort is declared."""


@dataclass(frozen=True, slots=True)
class FileCounts:
    """Number of files of a vector store by indexing status."""

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
    """in_progress, completed, or expired: then it can no longer be searched."""
    counts: FileCounts
    expires_after: Mapping[str, Any] | None
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class StoreFile:
    """A file in a vector store. Its content and its name are not returned there."""

    id: str
    status: str
    """in_progress, completed, failed or cancelled."""
    error: str | None
    """The error when it could not be indexed."""
    attributes: Mapping[str, Any]


class OpenAIReader:
    """Reads OpenAI's lists to the end."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._http = self._reader("assistants")

    def _reader(self, engine: ObjectEngine) -> Reader:
        """A reader with access to the objects of one beta API."""
        settings = self._settings
        return Reader(
            settings.openai_base_url,
            headers={"Authorization": f"Bearer {settings.openai_api_key}", "OpenAI-Beta": BETAS[engine]},
            timeout=settings.timeout,
        )

    def models(self) -> Mapping[str, Model]:
        """Every model that the key may use, by id. OpenAI: `GET /v1/models`, one page."""
        return self.models_and_owner().models

    def models_and_owner(self) -> OwnedModels:
        """The same, with whose key it is: the headers openai-organization and openai-project of the answer."""
        page, headers = self._http.get_with_headers("/models")
        models = understood("a model of OpenAI's list", _items(page), _model)
        return OwnedModels(
            {model.id: model for model in models}, headers.get("openai-organization"), headers.get("openai-project")
        )

    def objects(self, engine: ObjectEngine) -> Sequence[LiveAssistant]:
        """Every object of an engine. OpenAI: `GET /v1/agents`, and `GET /v1/assistants` which answers 404 there since
        2026-08-26; cursor pages of 100.
        """
        if engine == "assistants":
            return understood("an assistant of OpenAI's list", self._all("/assistants"), live_assistant)
        return understood("an agent of OpenAI's list", self._all("/agents", self._reader("agents")), live_agent)

    def object(self, engine: ObjectEngine, live_id: str) -> None:
        """Ask for one object of an engine. Raises `NotFound` when it does not exist."""
        self._reader(engine).get(f"/{engine}/{quote(live_id, safe='')}")

    def vector_stores(self) -> Sequence[VectorStore]:
        """Every vector store. OpenAI: `GET /v1/vector_stores`, cursor pages of 100."""
        return understood("a vector store of OpenAI's list", self._all("/vector_stores"), _vector_store)

    def vector_store(self, live_id: str) -> None:
        """Ask for one vector store. Raises `NotFound` when it does not exist."""
        self._http.get(f"/vector_stores/{quote(live_id, safe='')}")

    def store_files(self, store_id: str) -> Sequence[StoreFile]:
        """Every file in a vector store. OpenAI: `GET /v1/vector_stores/{id}/files`, cursor pages of 100."""
        listed_files = self._all(f"/vector_stores/{store_id}/files")
        return understood(f"a file of the vector store {store_id}", listed_files, _store_file)

    def file_names(self) -> Sequence[str]:
        """The name of every file. OpenAI: `GET /v1/files`, cursor pages of 100."""
        return understood("a file of OpenAI's list", self._all("/files"), lambda item: text(item["filename"]))

    def _all(self, path: str, http: Reader | None = None) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        query: dict[str, str | int] = {"limit": PAGE, "order": "asc"}
        seen: set[str] = set()
        while True:
            page = (http or self._http).get(path, query)
            items = _items(page)
            found += items
            if not page.get("has_more"):
                return found
            # Some servers leave `first_id` and `last_id` null; the cursor is the id of the last item.
            last = page.get("last_id") or (mapping(items[-1]).get("id") if items else None)
            if not isinstance(last, str) or last in seen:
                raise PermanentError(f"the list of {path[1:]} has a next page without a cursor")
            seen.add(last)
            query["after"] = last


def _items(page: Any) -> Sequence[Mapping[str, Any]]:
    if not isinstance(page, dict) or not isinstance(page.get("data"), list):
        raise PermanentError("OpenAI's list has no `data`")
    items: Sequence[Mapping[str, Any]] = page["data"]
    return items


def _model(item: Mapping[str, Any]) -> Model:
    shutdown = item.get("shutdown_date")
    # OpenAI returns a date; where a server returns a timestamp, the day counts.
    date = datetime.date.fromisoformat(text(shutdown)[:10]) if shutdown else None
    return Model(text(item["id"]), date, "shutdown_date" in item)


def live_assistant(item: Mapping[str, Any]) -> LiveAssistant:
    """An object of the Assistants API from its JSON."""
    values = {
        "name": item.get("name"),
        "model": item.get("model"),
        "instructions": item.get("instructions"),
        "tools": _tools(item, "function"),
    }
    searched = mapping(mapping(item.get("tool_resources")).get("file_search")).get("vector_store_ids") or []
    return LiveAssistant(text(item["id"]), values, mapping(item.get("metadata")), vector_stores=searched)


def _tools(item: Mapping[str, Any], inner: str) -> Sequence[Mapping[str, Any]]:
    """An assistant's tools; `inner`: the key below which its API nests the fields of some."""
    tools = listed(item.get("tools"))
    for tool in tools:
        mapping(tool.get(inner))
    return tools


def live_agent(item: Mapping[str, Any]) -> LiveAssistant:
    """An agent of the Agents API from its JSON. Its effort is null where the model decides."""
    reasoning = mapping(item.get("reasoning"))
    values = {
        "name": item.get("name"),
        "model": item.get("model"),
        "instructions": item.get("instructions"),
        "tools": _tools(item, "location"),
        "settings": {"reasoning_effort": reasoning.get("effort")},
    }
    return LiveAssistant(text(item["id"]), values, mapping(item.get("metadata")), "agents", reasoning=reasoning)


def _vector_store(item: Mapping[str, Any]) -> VectorStore:
    counted = mapping(item.get("file_counts"))
    known = {name: int(counted.get(name) or 0) for name in ("total", "completed", "in_progress", "failed", "cancelled")}
    return VectorStore(
        id=text(item["id"]),
        name=item.get("name") or "",
        status=str(item.get("status")),
        counts=FileCounts(
            known["total"], known["completed"], known["in_progress"], known["failed"] + known["cancelled"]
        ),
        expires_after=item.get("expires_after"),
        metadata=mapping(item.get("metadata")),
    )


def _store_file(item: Mapping[str, Any]) -> StoreFile:
    problem, attributes = mapping(item.get("last_error")), mapping(item.get("attributes"))
    return StoreFile(text(item["id"]), str(item.get("status")), problem.get("message"), attributes)
