"""Which clients' plans change what the assistant is: model, instructions, tools, documents, or how it answers."""

from __future__ import annotations

from typing import Final

from reconciler.model import Change, Plan

_OF_BOT: Final = ("policy", "functions")
"""Fields of a bot that decide its answers; the others say where it answers."""


def changed_assistants(plan: Plan) -> frozenset[str]:
    """Their ids."""
    return frozenset(change.client for change in plan.changes if _changes_assistant(change))


def _changes_assistant(change: Change) -> bool:
    if change.action == "delete":
        return False
    if change.kind in ("knowledge", "assistant"):
        return True
    return change.kind == "bot" and any(field.path.startswith(_OF_BOT) for field in change.fields)
