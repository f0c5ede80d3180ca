"""What operators read about a model that ends, or that is not available. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runtime.store.model_ends import ModelUse
from schemas.models import ModelEnd, facts_of

SHOWN_AT_MOST = 20
"""Clients in one message; `reconcile status` shows all."""


def ending_text(end: ModelEnd, uses: Sequence[ModelUse]) -> tuple[str, str]:
    """Title and text of a warning that a model ends."""
    if end.days <= 0:
        title = f"{end.model} terminó el {end.on}: {_clients(uses)}"
        lines = [f"OpenAI apagó {end.model} el {end.on}."]
    else:
        title = f"{end.model} termina en {_days(end.days)}: {_clients(uses)}"
        lines = [f"OpenAI apaga {end.model} el {end.on}, en {_days(end.days)}."]
    return title, "\n".join([*lines, *_each(uses, "Desde ese día"), *_way_out(end.model, end.successor)])


def gone_text(model: str, uses: Sequence[ModelUse]) -> tuple[str, str]:
    """Title and text of a warning that a model is not available any more."""
    facts = facts_of(model)
    lines = [f"OpenAI responde que el modelo {model} no existe o ya no está disponible."]
    title = f"{model} ya no está disponible: {_clients(uses)}"
    successor = facts.successor if facts is not None else None
    return title, "\n".join([*lines, *_each(uses, "Desde ahora"), *_way_out(model, successor)])


def _each(uses: Sequence[ModelUse], since: str) -> Iterator[str]:
    yield f"{since}:"
    for use in uses[:SHOWN_AT_MOST]:
        yield f"- {use.name} ({use.client}): {_effect(use)}"
    if len(uses) > SHOWN_AT_MOST:
        yield f"- y {len(uses) - SHOWN_AT_MOST} más"


def _effect(use: ModelUse) -> str:
    if use.key == "fallback_model":
        return "queda sin modelo de reserva."
    if use.fallback is not None:
        return f"responde su modelo de reserva, {use.fallback}."
    if use.key == "model":
        return "sus mensajes quedan sin respuesta; no tiene assistant.fallback_model."
    return f"falla lo que responde con {use.key}; no tiene assistant.fallback_model."


def _way_out(model: str, successor: str | None) -> Iterator[str]:
    yield f"Para cambiarlo: reconcile upgrade-model {model} {successor or 'MODELO_NUEVO'}"


def _clients(uses: Sequence[ModelUse]) -> str:
    return uses[0].name if len(uses) == 1 else f"{len(uses)} clientes"


def _days(days: int) -> str:
    return "1 día" if days == 1 else f"{days} días"
