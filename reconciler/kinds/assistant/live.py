"""Which assistants are a client's, and live ones in the shape of the declared values.

The provider's own defaults are removed before anything is compared.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from reconciler.kinds.context import ClientContext
from reconciler.model import UNKNOWN_ID, Orphan, Unmanaged
from reconciler.observation.live_state import Failed, LiveState, Store
from reconciler.ownership import client_of, own
from reconciler.readers.openai import LiveAssistant, ObjectEngine
from runtime.store.records import AssistantRecord

NO_PARAMETERS: Final[Mapping[str, Any]] = {"type": "object", "properties": {}}
STRICT_OFF: Final = ("strict", False)
AGENTS_DEFAULTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "function": {"defer_loading": False, "async": False},
    "web_search": {"mode": "live", "context_size": "medium"},
    "mcp": {"connection_origin": "service", "request_metadata": {}, "required": False},
}
"""The Agents API's defaults for a tool; it also adds every key without a value."""


def objects_of(context: ClientContext, engine: ObjectEngine) -> Sequence[LiveAssistant]:
    """The client's live objects of an engine."""
    live = context.live_state.objects[engine]
    if isinstance(live, Failed):
        return ()
    marked = [item for item in context.live_state.objects_by_client.get(context.id, ()) if item.engine == engine]
    applied = context.applied("assistant")
    if marked or applied is None or applied.values.get("engine") != engine:
        return marked
    return own(marked, next((item for item in live if item.id == applied.live_id), None))


def own_assistant_id(context: ClientContext) -> str:
    """The id of the assistant that the manifest declares, or the one that it will get."""
    engine = context.manifest.client.assistant.engine
    if engine == "responses":
        return context.record.id if context.record is not None else context.id
    return next((live.id for live in objects_of(context, engine)), UNKNOWN_ID)


def values_of_record(record: AssistantRecord) -> dict[str, Any]:
    """A record of the bot store in the shape of the declared values."""
    return {
        "engine": "responses",
        "name": record.name,
        "model": record.model,
        "instructions": record.instructions,
        "tools": [dict(tool) for tool in record.tools],
        "settings": dict(record.settings),
    }


def values_of_object(live: LiveAssistant) -> dict[str, Any]:
    """A live object in the same shape."""
    seen = _seen_by_assistants if live.engine == "assistants" else _seen_by_agents
    return {**live.values, "engine": live.engine, "tools": [seen(tool) for tool in live.values["tools"]]}


def undeclared(
    live_state: LiveState, store: Store, clients: Collection[str], numbers: Collection[str]
) -> Iterator[Orphan | Unmanaged]:
    """Records and live objects that belong to none of these clients."""
    for client, record in store.assistants_by_client.items():
        if client not in clients:
            yield Orphan(client, "assistant", "responses", record.id)
    for record in store.assistants.values():
        if not record.client:
            yield Unmanaged("assistant", record.name, record.id)
    for objects in live_state.objects.values():
        for live in () if isinstance(objects, Failed) else objects:
            owner = client_of(live.metadata)
            if owner is None:
                yield Unmanaged("assistant", str(live.values["name"] or "without a name"), live.id)
            elif owner not in clients:
                yield Orphan(owner, "assistant", live.engine, live.id)


def _seen_by_assistants(tool: Mapping[str, Any]) -> dict[str, Any]:
    if tool.get("type") != "function":
        return dict(tool)
    function = tool.get("function") or {}
    # OpenAI: a function of the Assistants API is not strict by default.
    said = {key: value for key, value in function.items() if value is not None and (key, value) != STRICT_OFF}
    return {"type": "function", "function": {"description": "", "parameters": dict(NO_PARAMETERS), **said}}


def _seen_by_agents(tool: Mapping[str, Any]) -> dict[str, Any]:
    added = AGENTS_DEFAULTS.get(str(tool.get("type")), {}).items()
    said = {key: value for key, value in tool.items() if value is not None and (key, value) not in added}
    if said.get("transport", {}).get("headers") == {}:
        said["transport"] = {key: value for key, value in said["transport"].items() if key != "headers"}
    if said.get("location") is not None:
        said["location"] = {key: value for key, value in said["location"].items() if value is not None}
    return said
