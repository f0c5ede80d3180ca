"""Whether the provider has what is declared of an assistant: its model, and the tools of its engine."""

from __future__ import annotations

import datetime
import difflib
from collections.abc import Iterator, Mapping
from typing import Final

from reconciler.kinds.context import ClientContext
from reconciler.kinds.withheld import Withheld
from reconciler.model import Finding
from reconciler.observation.live_state import Failed
from schemas.models import facts_of

_WITHOUT: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "assistants": ("Assistants API", ("web_search", "file_search")),
    "agents": ("Agents API", ("file_search",)),
}
"""By engine, the name of its API and the tools that it does not have."""


def check(context: ClientContext) -> Iterator[Finding]:
    """Findings about the model's shutdown date. Raises `Withheld` when the model is not found, or the engine lacks a
    tool."""
    yield from _model(context)
    assistant = context.manifest.client.assistant
    api, missing = _WITHOUT.get(assistant.engine, ("", ()))
    for tool in assistant.tools:
        if tool.type in missing:
            raise Withheld(f"the {api} has no tool {tool.type}; use `engine: responses` for client {context.id}")


def _model(context: ClientContext) -> Iterator[Finding]:
    models = context.live_state.models
    wanted = context.manifest.client.assistant.model
    if isinstance(models, Failed):
        return
    model = models.get(wanted)
    if model is None:
        near = difflib.get_close_matches(wanted, models, n=1, cutoff=0.6)
        hint = f"did you mean {near[0]!r}?" if near else "see `GET /v1/models` for what the key may use"
        if successor := _successor(wanted):
            hint = f"OpenAI's replacement is {successor}"
        raise Withheld(f"the model {wanted!r} is not available to this OpenAI key; {hint}")
    if model.shutdown_date is None:
        return
    successor = _successor(wanted)
    advice = f"OpenAI's replacement is {successor}" if successor else "see OpenAI's deprecations page for a replacement"
    if model.shutdown_date <= datetime.datetime.now(tz=datetime.UTC).date():
        raise Withheld(f"the model {wanted!r} was shut down on {model.shutdown_date}; {advice}")
    message = f"the model {wanted!r} is shut down on {model.shutdown_date}; {advice}"
    yield Finding("warning", message, context.id, "assistant")


def _successor(model: str) -> str | None:
    """OpenAI's recommendation; `GET /v1/models` returns the date only."""
    facts = facts_of(model)
    return facts.successor if facts is not None else None
