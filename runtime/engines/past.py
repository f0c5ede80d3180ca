"""What happened before, for engines whose provider keeps the conversation itself (`agents`, `assistants`): finished
calls of functions as notes, and items of our own history as lines of text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic_core import from_json

RECAP = "What was said in this conversation before, oldest first. Take it as known; it has been answered already."
DONE = "Functions that were called already for what the user writes next, with their results. Do not call them again:"


def note_of_call(call_id: str, name: str, arguments: str, output: str) -> Mapping[str, Any]:
    """The note that a function was called, with its result; `runtime.memory.finished_calls` reads it."""
    return {"type": "called", "call_id": call_id, "name": name, "arguments": arguments, "output": output}


def noted_calls(notes: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Call id → its note. Notes of an older program lack the function's name."""
    return {note["call_id"]: note for note in notes if note.get("type") == "called"}


def recap(history: Sequence[str]) -> str | None:
    """The history, the JSON of its items, as one text; None when there is none."""
    return _under(RECAP, [from_json(item) for item in history])


def recap_of_calls(calls: Sequence[Mapping[str, Any]]) -> str | None:
    """Calls that an earlier attempt at this turn made, as one text; None when there are none."""
    return _under(DONE, calls)


def _under(title: str, items: Sequence[Mapping[str, Any]]) -> str | None:
    lines = [line for item in items if (line := _line(item)) is not None]
    return "\n".join([title, "", *lines]) if lines else None


def _line(item: Mapping[str, Any]) -> str | None:
    if item.get("role") in ("user", "assistant"):
        return f"{item['role']}: {item['content']}"
    if item.get("role") == "developer":
        return str(item["content"])
    if item.get("type") == "function_call":
        return f"function called: {item['name']}({item['arguments']})"
    if item.get("type") == "function_call_output":
        return f"its result: {item['output']}"
    return None
