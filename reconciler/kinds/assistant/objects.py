"""Assistants that live at the provider: objects of the Assistants API, agents of the Agents API.

They are known by the mark in their metadata. What the provider fills in by itself is taken off before anything is
compared. An answer's length has no bound there, so `max_output_tokens` is not declared of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from reconciler.kinds.column import Column, Withheld, withhold_foreign
from reconciler.model import UNKNOWN_ID, Change
from reconciler.observation.live_state import Failed
from reconciler.ownership import client_of, foreign_owner
from reconciler.readers.openai import OBJECT_ENGINES, LiveAssistant, ObjectEngine
from schemas import FunctionTool, Tool, WebSearchTool

NO_PARAMETERS: Final[Mapping[str, Any]] = {"type": "object", "properties": {}}
STRICT_OFF: Final = ("strict", False)


def plan(column: Column, engine: ObjectEngine) -> list[Change]:
    """What makes the client's live object as declared. Sets the column's `assistant_id`. Raises `Withheld`."""
    after = object_values(column, engine)
    found = objects_of(column, engine)
    if len(found) > 1:
        ids = ", ".join(live.id for live in found)
        raise Withheld(f"{len(found)} live assistants carry this client's mark ({ids}); delete all but the one in use")
    if not found:
        applied = column.applied("assistant")
        last = applied.values if applied and applied.values.get("engine") == engine else None
        column.assistant_id = UNKNOWN_ID
        return [column.create("assistant", engine, after, last)]
    live = found[0]
    withhold_foreign("assistant", live.id, live.metadata)
    column.assistant_id = live.id
    values = values_of_object(live)
    before = {**values, "metadata": dict(live.metadata), "reasoning": dict(live.reasoning)}
    change = column.update("assistant", engine, live.id, values, after, before)
    return [change] if change else []


def take_away(column: Column, *, but: str | None = None) -> list[Change]:
    """The deletes of the client's live objects, but for those of one engine, and those that another tool has marked."""
    return [
        column.take_away("assistant", engine, live.id)
        for engine in OBJECT_ENGINES
        if engine != but
        for live in objects_of(column, engine)
        if foreign_owner(live.metadata) is None
    ]


def objects_of(column: Column, engine: ObjectEngine) -> Sequence[LiveAssistant]:
    """The client's live objects: by their mark, or by the last apply's record when someone wiped the mark."""
    live = column.live_state.objects[engine]
    if isinstance(live, Failed):
        return ()
    marked = [item for item in column.live_state.objects_by_client.get(column.id, ()) if item.engine == engine]
    applied = column.applied("assistant")
    if not marked and applied is not None and applied.values.get("engine") == engine:
        return [item for item in live if item.id == applied.live_id and client_of(item.metadata) is None]
    return marked


def object_values(column: Column, engine: ObjectEngine) -> dict[str, Any]:
    """What the manifest declares of a live object."""
    assistant = column.manifest.client.assistant
    shape = _assistants_tool if engine == "assistants" else _agents_tool
    return {
        "engine": engine,
        "name": column.manifest.client.name,
        "model": assistant.model,
        "instructions": column.manifest.instructions,
        "tools": [shape(column, tool) for tool in assistant.tools],
        **({"settings": {"reasoning_effort": assistant.reasoning_effort}} if engine == "agents" else {}),
    }


def values_of_object(live: LiveAssistant) -> dict[str, Any]:
    """A live object in the same shape."""
    seen = _seen_by_assistants if live.engine == "assistants" else _seen_by_agents
    return {**live.values, "engine": live.engine, "tools": [seen(tool) for tool in live.values["tools"]]}


def _assistants_tool(column: Column, tool: Tool) -> dict[str, Any]:
    if isinstance(tool, FunctionTool):
        return {
            "type": "function",
            "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
        }
    raise Withheld(f"the Assistants API has no tool {tool.type}; use `engine: responses` for client {column.id}")


def _agents_tool(column: Column, tool: Tool) -> dict[str, Any]:
    if isinstance(tool, FunctionTool):
        return {
            "type": "function",
            "name": tool.name,
            "description": tool.description,
            "parameters": tool.parameters,
        }
    if isinstance(tool, WebSearchTool):
        return {"type": "web_search", "location": {"country": tool.country}}
    raise Withheld(f"the Agents API has no tool {tool.type}; use `engine: responses` for client {column.id}")


def _seen_by_assistants(tool: Mapping[str, Any]) -> dict[str, Any]:
    if tool.get("type") != "function":
        return dict(tool)
    function = tool.get("function") or {}
    # OpenAI: a function of the Assistants API is not strict unless it says so.
    said = {key: value for key, value in function.items() if value is not None and (key, value) != STRICT_OFF}
    return {"type": "function", "function": {"description": "", "parameters": dict(NO_PARAMETERS), **said}}


AGENTS_DEFAULTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "function": {"defer_loading": False, "async": False},
    "web_search": {"mode": "live", "context_size": "medium"},
}
"""What the Agents API adds to a tool that does not say it; it also adds every key without a value."""


def _seen_by_agents(tool: Mapping[str, Any]) -> dict[str, Any]:
    added = AGENTS_DEFAULTS.get(str(tool.get("type")), {}).items()
    said = {key: value for key, value in tool.items() if value is not None and (key, value) not in added}
    if said.get("location") is not None:
        said["location"] = {key: value for key, value in said["location"].items() if value is not None}
    return said
