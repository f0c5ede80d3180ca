"""The built-in tool with which a model ends a turn without a message to the user.

It is offered in the first round of a turn only, and only where the policy allows it. Called alone it is the end of the
turn; beside words or other calls it is left out, since those are for the user.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from schemas.function_names import NO_REPLY

NO_REPLY_TOOL: Final[Mapping[str, Any]] = {
    "type": "function",
    "name": NO_REPLY,
    "description": (
        "Ends this turn without a message to the person. Call it alone, instead of writing, and only if what they "
        "wrote merely acknowledges your last message, such as thanks or a goodbye. Never if it agrees, confirms, "
        "chooses, asks, greets, corrects or adds something: answer that."
    ),
    "parameters": {"type": "object", "properties": {}},
    "strict": False,
}


def is_chosen(output: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a response's items call this tool and no other function; words beside it are the caller's to look for."""
    names = {item.get("name") for item in output if item.get("type") == "function_call"}
    return names == {NO_REPLY}


def without_it(output: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """A response's items without calls of this tool, nor reasoning after which nothing is left: the API refuses that as
    input."""
    kept = [item for item in output if item.get("type") != "function_call" or item.get("name") != NO_REPLY]
    while len(kept) < len(output) and kept and kept[-1].get("type") == "reasoning":
        kept.pop()
    return kept
