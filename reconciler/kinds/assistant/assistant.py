"""The kind `assistant`: who answers.

Engine `responses`: a record in the bot store, sent along with each turn. Engines `assistants` and `agents`: a live
object at the provider (see objects). Either way the model must be one that the provider lists.
"""

from __future__ import annotations

import datetime
import difflib
from collections.abc import Mapping
from typing import Any

from reconciler.kinds.assistant import objects
from reconciler.kinds.column import Column, Withheld
from reconciler.model import Change
from reconciler.observation.live_state import Failed
from runtime.store.records import AssistantRecord
from schemas import FunctionTool, Tool, WebSearchTool

REPLACEMENTS: Mapping[str, str] = {"gpt-4o-mini": "gpt-6-luna"}
"""What OpenAI's deprecations page recommends; `GET /v1/models` tells the date only."""


def plan(column: Column) -> list[Change]:
    """The changes of one client's assistant. Sets the column's `assistant_id`. Raises `Withheld`."""
    check_model(column)
    engine = column.manifest.client.assistant.engine
    changes = _plan_record(column) if engine == "responses" else objects.plan(column, engine)
    column.deferred += objects.take_away(column, but=engine)
    if engine != "responses" and column.record is not None:
        column.deferred.append(_delete_record(column, column.record))
    return changes


def plan_absent(column: Column) -> list[Change]:
    """The deletes for a client that shall be absent."""
    changes = objects.take_away(column)
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
        "tools": [_responses_tool(column, tool) for tool in assistant.tools],
        "settings": {
            "reasoning_effort": assistant.reasoning_effort,
            "max_output_tokens": assistant.max_output_tokens,
        },
    }


def declared_values(column: Column) -> dict[str, Any]:
    """What the manifest declares of the assistant, whatever its engine."""
    engine = column.manifest.client.assistant.engine
    return record_values(column) if engine == "responses" else objects.object_values(column, engine)


def _plan_record(column: Column) -> list[Change]:
    after = record_values(column)
    live = column.record
    column.assistant_id = live.id if live else column.id
    if live is None:
        column.withhold_namesake("assistant", column.store.assistants.get(column.id))
        applied = column.applied("assistant")
        last = applied.values if applied and applied.values.get("engine") == "responses" else None
        return [column.create("assistant", "responses", after, last)]
    values = values_of(live)
    before = {**values, "metadata": dict(live.metadata)}
    change = column.update("assistant", "responses", live.id, values, after, before)
    return [change] if change else []


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


def check_model(column: Column) -> None:
    """Withholds a client whose model is not there, and says until when one is."""
    models = column.live_state.models
    wanted = column.manifest.client.assistant.model
    if isinstance(models, Failed):
        return
    model = models.get(wanted)
    if model is None:
        near = difflib.get_close_matches(wanted, models, n=1, cutoff=0.8)
        hint = f"did you mean {near[0]!r}?" if near else "see `GET /v1/models` for what the key may use"
        if wanted in REPLACEMENTS:
            hint = f"OpenAI's replacement is {REPLACEMENTS[wanted]}"
        raise Withheld(f"the model {wanted!r} is not available to this OpenAI key; {hint}")
    if model.shutdown_date is None:
        return
    successor = REPLACEMENTS.get(wanted)
    advice = f"OpenAI's replacement is {successor}" if successor else "see OpenAI's deprecations page for a replacement"
    if model.shutdown_date <= datetime.datetime.now(tz=datetime.UTC).date():
        raise Withheld(f"the model {wanted!r} was shut down on {model.shutdown_date}; {advice}")
    column.say("warning", "assistant", f"the model {wanted!r} is shut down on {model.shutdown_date}; {advice}")


def _responses_tool(column: Column, tool: Tool) -> dict[str, Any]:
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
    return {
        "type": "file_search",
        "vector_store_ids": [column.vector_store_id],
        "max_num_results": tool.max_num_results,
    }
