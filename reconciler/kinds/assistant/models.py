"""Whether the provider has the models that a client names, and until when."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping

from reconciler.kinds.context import ClientContext
from reconciler.kinds.withheld import Withheld
from reconciler.model import Finding, Severity
from reconciler.observation.live_state import Failed, LiveState
from schemas import Client
from schemas.models import ModelEnd, end_of, facts_of, nearest_models


def check_models(context: ClientContext) -> Iterator[Finding]:
    """What is to be known of a client's models. Raises `Withheld` where the assistant's own is not available, and was
    not before, or no other answers for it."""
    yield from _own(context)
    for key, model in other_models(context.manifest.client).items():
        missing = _missing(model, context.live_state)
        if missing is not None:
            yield Finding("warning", f"{key}: {missing}", context.id, "assistant")
        else:
            yield from _ending(model, context, f"{key}: ")


def other_models(client: Client) -> Mapping[str, str]:
    """The models that may answer instead of the assistant's, by the key that names each."""
    budget, canary = client.budget, client.assistant.canary
    named = {
        "assistant.fallback_model": client.assistant.fallback_model,
        "assistant.canary.model": canary.model if canary is not None else None,
        "budget.cheaper_model": budget.cheaper_model if budget is not None else None,
    }
    return {key: model for key, model in named.items() if model is not None}


def model_end(model: str, live_state: LiveState) -> ModelEnd | None:
    """When a model is shut down; None where no date is known."""
    models = live_state.models
    listed = None
    if not isinstance(models, Failed):
        one = models.get(model)
        listed = {model: one.shutdown_date} if one is not None and one.has_date else {}
    return end_of(model, datetime.datetime.now(tz=datetime.UTC).date(), listed)


def _own(context: ClientContext) -> Iterator[Finding]:
    assistant = context.manifest.client.assistant
    missing = _missing(assistant.model, context.live_state)
    if missing is None:
        yield from _ending(assistant.model, context, "")
        return
    fallback = assistant.fallback_model
    if fallback is None or not _was_applied(context) or _missing(fallback, context.live_state) is not None:
        raise Withheld(missing)
    message = f"{missing}; its fallback model {fallback!r} answers"
    yield Finding("warning", message, context.id, "assistant")


def _was_applied(context: ClientContext) -> bool:
    """Whether the assistant is a record that has this model already: a misspelt one has never answered."""
    applied = context.applied("assistant")
    model = context.manifest.client.assistant.model
    is_record = context.manifest.client.assistant.engine == "responses"
    return is_record and applied is not None and applied.values.get("model") == model


def _missing(model: str, live_state: LiveState) -> str | None:
    """Why a model cannot be used; None where it can, or the provider's list could not be read."""
    models = live_state.models
    if isinstance(models, Failed):
        return None
    end = model_end(model, live_state)
    if model not in models:
        return f"the model {model!r} is not available to this OpenAI key; {_way_out(model, list(models))}"
    if end is not None and end.days <= 0:
        return f"the model {model!r} {end.text}; {_way_out(model, list(models))}"
    return None


def _ending(model: str, context: ClientContext, prefix: str) -> Iterator[Finding]:
    """That a model ends: a warning from 90 days before on, and good to know before that."""
    end = model_end(model, context.live_state)
    if end is None:
        return
    advice = _replacement(model) or "see OpenAI's deprecations page for a replacement"
    severity: Severity = "notice" if end.notice is None else "warning"
    yield Finding(severity, f"{prefix}the model {model!r} {end.text}; {advice}", context.id, "assistant")


def _way_out(model: str, listed: list[str]) -> str:
    """What to do about a model that is not available."""
    near = nearest_models(model, listed)
    likely = f"did you mean {', '.join(map(repr, near[:-1]))}{' or ' if near[1:] else ''}{near[-1]!r}?" if near else ""
    return _replacement(model) or likely or "see `GET /v1/models` for what the key may use"


def _replacement(model: str) -> str | None:
    """OpenAI's recommendation, and how to follow it; `GET /v1/models` returns the date only."""
    facts = facts_of(model)
    if facts is None or facts.successor is None:
        return None
    return f"OpenAI's replacement is {facts.successor}: `reconcile upgrade-model {model} {facts.successor}`"
