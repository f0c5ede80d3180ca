"""Checks of `assistant.canary` that its types cannot express: that it differs, that its engine and its model can do it,
that its day has not passed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any, Final

from reconciler.manifest.checks import Violation, model_violations
from reconciler.manifest.explain import dotted
from reconciler.manifest.shape import Loc
from schemas.canary import VARIED

CANARY: Final[Loc] = ("assistant", "canary")
_OF_MODEL: Final = ("model", "reasoning_effort", "max_output_tokens")


def check_canary(values: Mapping[str, Any], instructions: str | None) -> Iterator[Violation]:
    """The violations of one client's canary, if it has one. `instructions`: the text of its prompt, None where it names
    none, or none that could be read. Wrong types are left to the models."""
    assistant = values.get("assistant")
    canary = assistant.get("canary") if isinstance(assistant, Mapping) else None
    if not isinstance(assistant, Mapping) or not isinstance(canary, Mapping):
        return
    today = datetime.now(tz=UTC).date()
    yield from _engine(assistant)
    yield from _difference(assistant, canary)
    if instructions is not None and not instructions.strip():
        loc: Loc = (*CANARY, "instructions")
        yield Violation(loc, f"{dotted(loc)}: blank", "Write the prompt, or leave the key out.")
    yield from _model(assistant, canary, today)
    yield from _day(values.get("id"), canary, today)


def ended_hint(client: object) -> str:
    """What to do about a canary that is over; without a full stop."""
    return (
        f"`reconcile canary promote {client}` makes it the assistant, `reconcile canary drop {client}` removes it; "
        "with a later day it continues"
    )


def _engine(assistant: Mapping[str, Any]) -> Iterator[Violation]:
    engine = assistant.get("engine", "responses")
    if engine in ("agents", "assistants"):
        message = (
            f"{dotted(CANARY)}: with the engine {engine} one live object at the provider answers everybody; its "
            "instructions and model cannot differ for some"
        )
        yield Violation(CANARY, message, "Use engine: responses, or remove the canary.")


def _difference(assistant: Mapping[str, Any], canary: Mapping[str, Any]) -> Iterator[Violation]:
    """A canary has something of its own, and not only what the assistant has."""
    own = {key: canary[key] for key in VARIED if canary.get(key) is not None}
    if not own:
        message = f"{dotted(CANARY)}: nothing in it differs from the assistant"
        yield Violation(CANARY, message, f"Add one of {', '.join(VARIED)}, or remove the canary.")
    elif all(assistant.get(key) == value for key, value in own.items()):
        message = f"{dotted(CANARY)}: it has the same {' and '.join(own)} as the assistant"
        yield Violation(CANARY, message, "Change what it is to try, or remove the canary.")


def _model(assistant: Mapping[str, Any], canary: Mapping[str, Any], today: date) -> Iterator[Violation]:
    """What its model cannot do of what the manifest asks, where the assistant's can."""
    own = [key for key in _OF_MODEL if canary.get(key) is not None]
    if not own:
        return
    loc: Loc = (*CANARY, own[0])
    declared = {**assistant, **{key: canary[key] for key in own}}
    known = {found.message for found in model_violations({"assistant": assistant}, today)}
    # One place is reported once: the errors before the warnings.
    for found in sorted(model_violations({"assistant": declared}, today), key=lambda one: one.severity):
        if found.message not in known:
            yield found._replace(loc=loc, message=f"{dotted(loc)}: {found.message.partition(': ')[2]}")


def _day(client: object, canary: Mapping[str, Any], today: date) -> Iterator[Violation]:
    until = canary.get("until")
    try:
        last = date.fromisoformat(until) if isinstance(until, str) else None
    except ValueError:
        return  # reported by the models
    if last is not None and last < today:
        loc: Loc = (*CANARY, "until")
        message = f"{dotted(loc)}: {until} has passed, so the assistant answers everybody"
        yield Violation(loc, message, f"{ended_hint(client)}.", "warning")
