"""The kind `assistant`: who answers.

Engine `responses`: a record in the bot store, sent along with each turn. Engine `assistants`: a live object at a server
that speaks the Assistants API, known by the mark in its metadata. Either way the model must be one that the provider
lists.
"""

from __future__ import annotations

import datetime
import difflib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from reconciler.kinds.column import Column, Withheld
from reconciler.kinds.marker import client_of
from reconciler.model import UNKNOWN_ID, Change
from reconciler.observe import Failed
from reconciler.readers.openai import LiveAssistant
from runtime.store.records import AssistantRecord
from schemas import FunctionTool, Tool, WebSearchTool

NO_PARAMETERS: Final[Mapping[str, Any]] = {"type": "object", "properties": {}}
STRICT_OFF: Final = ("strict", False)

REPLACEMENTS: Mapping[str, str] = {"gpt-4o-mini": "gpt-6-luna"}
"""What OpenAI's deprecations page recommends; `GET /v1/models` tells the date only."""


def plan(column: Column) -> list[Change]:
    """The changes of one client's assistant. Sets the column's `assistant_id`. Raises `Withheld`."""
    check_model(column)
    if column.manifest.client.assistant.engine == "responses":
        changes = _plan_record(column)
        column.deferred += [_delete_object(column, live) for live in objects_of(column)]
    else:
        changes = _plan_object(column)
        if column.record is not None:
            column.deferred.append(_delete_record(column, column.record))
    return changes


def plan_absent(column: Column) -> list[Change]:
    """The deletes for a client that shall be absent."""
    changes = [_delete_object(column, live) for live in objects_of(column)]
    if column.record is not None:
        changes.append(_delete_record(column, column.record))
    return changes


def record_values(column: Column) -> dict[str, Any]:
    """What the manifest declares of an assistant of the engine `responses`."""
    assistant = column.manifest.client.assistant
    return {
        "engine": "responses",
        "name": column.manifest.client.name,
        "model": assistant.model,
        "instructions": column.manifest.instructions,
        "tools": [_responses_tool(tool) for tool in assistant.tools],
        "settings": {
            "reasoning_effort": assistant.reasoning_effort,
            "max_output_tokens": assistant.max_output_tokens,
        },
    }


def object_values(column: Column) -> dict[str, Any]:
    """What the manifest declares of an object of the Assistants API."""
    assistant = column.manifest.client.assistant
    return {
        "engine": "assistants",
        "name": column.manifest.client.name,
        "model": assistant.model,
        "instructions": column.manifest.instructions,
        "tools": [_assistants_tool(column, tool) for tool in assistant.tools],
    }


def _plan_record(column: Column) -> list[Change]:
    after = record_values(column)
    live = column.record
    column.assistant_id = live.id if live else column.id
    if live is None:
        if column.id in column.store.assistants:
            raise Withheld(
                f"the bot store has an assistant {column.id!r} that was made by hand; `reconcile adopt {column.id}` "
                "takes it over"
            )
        applied = column.applied("assistant")
        last = applied.values if applied and applied.values.get("engine") == "responses" else None
        return [column.create("assistant", "responses", after, last)]
    values = values_of(live)
    before = {**values, "metadata": dict(live.metadata)}
    change = column.update("assistant", "responses", live.id, values, after, before)
    return [change] if change else []


def _plan_object(column: Column) -> list[Change]:
    after = object_values(column)
    found = objects_of(column)
    if len(found) > 1:
        ids = ", ".join(live.id for live in found)
        raise Withheld(f"{len(found)} live assistants carry this client's mark ({ids}); delete all but the one in use")
    if not found:
        applied = column.applied("assistant")
        last = applied.values if applied and applied.values.get("engine") == "assistants" else None
        column.assistant_id = UNKNOWN_ID
        return [column.create("assistant", "assistants", after, last)]
    live = found[0]
    column.assistant_id = live.id
    values = values_of_object(live)
    before = {**values, "metadata": dict(live.metadata)}
    change = column.update("assistant", "assistants", live.id, values, after, before)
    return [change] if change else []


def objects_of(column: Column) -> Sequence[LiveAssistant]:
    """The live objects of this client: by their mark, or by the last apply's record when someone wiped the mark."""
    live = column.world.assistants
    if isinstance(live, Failed):
        return ()
    marked = column.world.assistants_by_client.get(column.id, ())
    applied = column.applied("assistant")
    if not marked and applied is not None and applied.values.get("engine") == "assistants":
        return [item for item in live if item.id == applied.live_id and client_of(item.metadata) is None]
    return marked


def _delete_object(column: Column, live: LiveAssistant) -> Change:
    return column.take_away("assistant", "assistants", live.id)


def _delete_record(column: Column, record: AssistantRecord) -> Change:
    return column.take_away("assistant", "responses", record.id)


def values_of(record: AssistantRecord) -> dict[str, Any]:
    """A live record in the same shape."""
    return {
        "engine": "responses",
        "name": record.name,
        "model": record.model,
        "instructions": record.instructions,
        "tools": [dict(tool) for tool in record.tools],
        "settings": dict(record.settings),
    }


def values_of_object(live: LiveAssistant) -> dict[str, Any]:
    """A live object in the same shape, without what the provider fills in by itself."""
    return {**live.values, "engine": "assistants", "tools": [_seen_tool(tool) for tool in live.values["tools"]]}


def check_model(column: Column) -> None:
    """Withholds a client whose model is not there, and says until when one is."""
    models = column.world.models
    wanted = column.manifest.client.assistant.model
    if isinstance(models, Failed):
        return
    model = models.get(wanted)
    if model is None:
        near = difflib.get_close_matches(wanted, models, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "see `GET /v1/models` for what the key may use"
        raise Withheld(f"the model {wanted!r} is not available to this OpenAI key; {hint}")
    if model.shutdown_date is None:
        return
    successor = REPLACEMENTS.get(wanted)
    advice = f"OpenAI's replacement is {successor}" if successor else "see OpenAI's deprecations page for a replacement"
    if model.shutdown_date <= datetime.datetime.now(tz=datetime.UTC).date():
        raise Withheld(f"the model {wanted!r} was shut down on {model.shutdown_date}; {advice}")
    column.say("warning", "assistant", f"the model {wanted!r} is shut down on {model.shutdown_date}; {advice}")


def _responses_tool(tool: Tool) -> dict[str, Any]:
    if isinstance(tool, FunctionTool):
        return {
            "type": "function",
            "name": tool.name,
            "description": tool.description,
            "parameters": tool.parameters,
            "strict": False,
        }
    if isinstance(tool, WebSearchTool):
        return {"type": "web_search", "user_location": {"type": "approximate", "country": tool.country}}
    raise Withheld("tools of the type file_search are not managed by this version")


def _assistants_tool(column: Column, tool: Tool) -> dict[str, Any]:
    if isinstance(tool, FunctionTool):
        return {
            "type": "function",
            "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
        }
    raise Withheld(f"the Assistants API has no tool {tool.type}; use `engine: responses` for client {column.id}")


def _seen_tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    if tool.get("type") != "function":
        return dict(tool)
    # OpenAI: a function of the Assistants API is not strict unless it says so.
    said = {key: value for key, value in tool["function"].items() if value is not None and (key, value) != STRICT_OFF}
    return {"type": "function", "function": {"description": "", "parameters": dict(NO_PARAMETERS), **said}}
