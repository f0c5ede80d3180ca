"""A plan as one HTML file for people who do not read diffs: in Spanish, grouped by client, nothing cut off."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from reconciler.kinds.registry import KINDS
from reconciler.model import (
    DESTRUCTIVE,
    Action,
    Change,
    Outcome,
    Plan,
    Reason,
    Severity,
)
from reconciler.planning.digest import digest
from reconciler.render.page import page
from reconciler.render.wording import is_blind, leaves, text_diff, value_text

VALUE_CHARACTERS = 2_000
"""Length at which a value in one line is cut; a longer text is shown in full as a diff."""
OPEN_LINES = 12
"""Up to this number of lines a diff is open initially."""

ACTIONS: Final[Mapping[Action, str]] = {
    "create": "Crear",
    "update": "Actualizar",
    "delete": "Borrar",
    "detach": "Desconectar",
    "adopt": "Adoptar",
    "rename": "Renombrar",
}
REASONS: Final[Mapping[Reason, str]] = {
    "config": "cambió el manifiesto",
    "drift": "alguien lo cambió por fuera del manifiesto",
    "both": "cambió el manifiesto, y alguien lo cambió por fuera",
}
STATUSES: Final[Mapping[str, tuple[str, str]]] = {
    "applied": ("hecho", "create"),
    "failed": ("falló", "delete"),
    "skipped": ("no se intentó", "update"),
}
SEVERITIES: Final[Mapping[Severity, str]] = {
    "error": "Error",
    "withheld": "En espera",
    "warning": "Aviso",
    "notice": "Nota",
}


@dataclass(frozen=True, slots=True)
class _TextDiff:
    """A text of several lines that changes."""

    path: str
    lines: Sequence[tuple[str, str]]
    """Style and text of each."""
    added: int
    dropped: int

    @property
    def is_short(self) -> bool:
        """Whether it is open initially."""
        return len(self.lines) <= OPEN_LINES


@dataclass(frozen=True, slots=True)
class _Value:
    """A changed value of one line; None where there is none."""

    path: str
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True)
class _ShownChange:
    """A change as it is shown."""

    change: Change
    outcome: Outcome | None
    origin: str
    """The reason of the change."""
    values: Sequence[_Value]
    diffs: Sequence[_TextDiff]


def plan_html(plan: Plan, outcomes: Sequence[Outcome] | None = None) -> str:
    """The document; with `outcomes`, also the outcome of each change."""
    done = {outcome.change.id: outcome for outcome in outcomes or ()}
    return page(
        "plan.html",
        _summary(plan, outcomes),
        "es",
        plan=plan,
        digest=digest(plan),
        is_applied=outcomes is not None,
        counts=_counts(plan),
        clients=list(_clients(plan, done)),
        adopted=list(_adopted(plan, done)),
        count=_count,
        ACTIONS=ACTIONS,
        KINDS={name: kind.spanish for name, kind in KINDS.items()},
        STATUSES=STATUSES,
        SEVERITIES=SEVERITIES,
    )


def _summary(plan: Plan, outcomes: Sequence[Outcome] | None) -> str:
    looked = _count(plan.clients, "cliente revisado", "clientes revisados")
    if not plan.changes and is_blind(plan):
        return "No se pudo revisar nada"
    if not plan.changes and plan.unresolved:
        return f"Sin cambios en {plan.clients - len(plan.unresolved)} de {_count(plan.clients, 'cliente', 'clientes')}"
    if not plan.changes:
        return f"Sin cambios: {looked}"
    changes = _count(len(plan.changes), "cambio", "cambios")
    touched = _count(len({change.client for change in plan.changes}), "cliente", "clientes")
    if outcomes is None:
        return f"Plan: {changes} en {touched}"
    applied = sum(outcome.status == "applied" for outcome in outcomes)
    return f"Aplicado: {applied} de {changes} en {touched}"


def _counts(plan: Plan) -> Sequence[tuple[int, str]]:
    renamed = plan.count("rename")
    return (
        *([(renamed, "por renombrar")] if renamed else []),
        (plan.count("create"), "por crear"),
        (plan.count("update"), "por actualizar"),
        (plan.count(*DESTRUCTIVE), "por borrar o desconectar"),
        (len(plan.withheld), "en espera"),
        (len(plan.unresolved), "sin poder leerse"),
        (len(plan.errors), "errores"),
    )


def _clients(plan: Plan, done: Mapping[str, Outcome]) -> Iterator[tuple[str, Sequence[_ShownChange]]]:
    for client, changes in groupby(plan.changes, key=lambda change: change.client):
        yield client, [_change(change, done, REASONS[change.reason]) for change in changes]


def _adopted(plan: Plan, done: Mapping[str, Outcome]) -> Iterator[_ShownChange]:
    """Adoptions that write more than our marker, or that failed; the others are counted."""
    for change in plan.adoptions:
        outcome = done.get(change.id)
        if change.fields or (outcome is not None and outcome.status != "applied"):
            yield _change(change, done, f"hecho a mano, de {change.client}")


def _change(change: Change, done: Mapping[str, Outcome], origin: str) -> _ShownChange:
    values, diffs = [], []
    for field in (leaf for whole in change.fields for leaf in leaves(whole)):
        lines = text_diff(field)
        if lines is None:
            values.append(_Value(field.path, _value_text(field.old), _value_text(field.new)))
        else:
            added, dropped = (sum(line.startswith(sign) for line in lines) for sign in "+-")
            diffs.append(_TextDiff(field.path, [(_look(line), line) for line in lines], added, dropped))
    return _ShownChange(change, done.get(change.id), origin, values, diffs)


def _value_text(value: Any) -> str | None:
    return None if value is None else value_text(value, VALUE_CHARACTERS)


def _look(line: str) -> str:
    return {"+": "add", "-": "drop", "@": "place"}.get(line[:1], "same")


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
