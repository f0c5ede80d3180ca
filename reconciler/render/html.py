"""A plan as one HTML file for people who do not read diffs: in Spanish, grouped by client, nothing cut off."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Final

from reconciler.kinds.registry import KINDS
from reconciler.model import (
    DESTRUCTIVE,
    Action,
    Change,
    FieldChange,
    Outcome,
    Plan,
    Reason,
    Severity,
)
from reconciler.planning.digest import digest
from reconciler.recipients.shown import by_line
from reconciler.recipients.words import line_in_spanish
from reconciler.render.page import page
from reconciler.render.shown_tools import by_tool, in_one_line, is_of_tool
from reconciler.render.spanish import (
    count_text,
    estimate_in_spanish,
    field_name,
    moment_text,
    number_text,
    rest_of,
    value_in_spanish,
)
from reconciler.render.times import zone
from reconciler.render.wording import is_blind, leaves, listed, text_diff

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
class Made:
    """When a plan was made, and from what."""

    at: datetime
    """With a zone, whose clock the document shows."""
    commit: str | None
    """Of the manifests; None outside of a checkout."""


@dataclass(frozen=True, slots=True)
class _TextDiff:
    """A text of several lines that changes."""

    name: str | None
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

    name: str | None
    path: str
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True)
class _Group:
    """Changed fields that belong together: those of one tool, or all that are of none."""

    title: str | None
    values: list[_Value] = field(default_factory=list)
    diffs: list[_TextDiff] = field(default_factory=list)

    @property
    def has_old(self) -> bool:
        """Whether there was anything before."""
        return any(value.old is not None for value in self.values)


@dataclass(frozen=True, slots=True)
class _ShownChange:
    """A change as it is shown."""

    change: Change
    outcome: Outcome | None
    origin: str
    """The reason of the change."""
    groups: Sequence[_Group]


@dataclass(frozen=True, slots=True)
class _ShownClient:
    """One client's changes."""

    client: str
    name: str | None
    changes: Sequence[_ShownChange]


def plan_html(plan: Plan, outcomes: Sequence[Outcome] | None = None, *, made: Made | None = None) -> str:
    """The document; with `outcomes`, also the outcome of each change."""
    done = {outcome.change.id: outcome for outcome in outcomes or ()}
    return page(
        "plan.html",
        _summary(plan, outcomes),
        "es-CL",
        plan=plan,
        digest=digest(plan),
        made=_made(made),
        steps=list(_steps(plan, outcomes)),
        is_applied=outcomes is not None,
        counts=_counts(plan),
        clients=list(_clients(plan, done)),
        adopted=list(_adopted(plan, done)),
        names=plan.names,
        unread=listed(plan.unread, "y"),
        count=count_text,
        estimate_text=estimate_in_spanish,
        recipients=list(by_line(plan.recipients)),
        recipients_text=line_in_spanish,
        number_text=number_text,
        ACTIONS=ACTIONS,
        KINDS={
            **{name: kind.spanish for name, kind in KINDS.items()},
            "tariffs": "las tarifas",
            "event_stream": "los avisos de plantillas",
        },
        STATUSES=STATUSES,
        SEVERITIES=SEVERITIES,
    )


def _made(made: Made | None) -> str | None:
    if made is None:
        return None
    commit = f"commit {made.commit[:12]}" if made.commit else "sin commit"
    return f"Plan del {moment_text(made.at)}, hora de {zone()} · {commit}"


def _steps(plan: Plan, outcomes: Sequence[Outcome] | None) -> Iterator[str]:
    """What the reader does next."""
    if outcomes is not None:
        if any(outcome.status != "applied" for outcome in outcomes):
            yield "Leer abajo qué falló y por qué, y corregirlo."
            yield "Correr reconcile otra vez: sigue donde quedó."
        return
    if plan.errors:
        yield "Corregir lo que dice Error: de esos clientes no se aplica lo que depende de eso."
    if plan.unresolved:
        yield "Pedir el plan otra vez cuando se pueda leer todo: de los clientes sin leer no se cambia nada."
    if not plan.work:
        return
    yield f"Leer {_what_to_read(plan)} de abajo."
    yield "Si está bien: aprobar el pull request y hacer Merge. Se aplica exactamente este plan, o nada."
    yield "Si algo no está bien: corregir el archivo del cliente; aparece un plan nuevo, con otra huella."


def _what_to_read(plan: Plan) -> str:
    """`los 8 cambios y los 3 avisos`."""
    notes = sum(finding.severity in ("withheld", "warning") for finding in plan.findings) + len(plan.orphans)
    changes = len(plan.work)
    read = "el cambio" if changes == 1 else f"los {count_text(changes, 'cambio', 'cambios')}"
    if not notes:
        return read
    return f"{read} y {'el aviso' if notes == 1 else 'los ' + count_text(notes, 'aviso', 'avisos')}"


def _summary(plan: Plan, outcomes: Sequence[Outcome] | None) -> str:
    looked = count_text(plan.clients, "cliente revisado", "clientes revisados")
    if not plan.changes and is_blind(plan):
        return "No se pudo revisar nada"
    if not plan.changes and plan.unresolved:
        return (
            f"Sin cambios en {plan.clients - len(plan.unresolved)} de {count_text(plan.clients, 'cliente', 'clientes')}"
        )
    if not plan.changes:
        return f"Sin cambios: {looked}"
    changes = count_text(len(plan.changes), "cambio", "cambios")
    touched = count_text(len(plan.touched), "cliente", "clientes")
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


def _clients(plan: Plan, done: Mapping[str, Outcome]) -> Iterator[_ShownClient]:
    for client, changes in groupby(plan.changes, key=lambda change: change.client):
        shown = [_change(change, done, REASONS[change.reason]) for change in changes]
        yield _ShownClient(client, plan.names.get(client), shown)


def _adopted(plan: Plan, done: Mapping[str, Outcome]) -> Iterator[_ShownChange]:
    """Adoptions that write more than our marker, or that failed; the others are counted."""
    for change in plan.adoptions:
        outcome = done.get(change.id)
        if change.fields or (outcome is not None and outcome.status != "applied"):
            yield _change(change, done, f"hecho a mano, de {change.client}")


def _change(change: Change, done: Mapping[str, Outcome], origin: str) -> _ShownChange:
    groups: dict[str | None, _Group] = {}
    for title, name, leaf in _parts(change):
        group = groups.setdefault(title, _Group(title))
        lines = text_diff(leaf)
        if lines is None:
            old, new = (value_in_spanish(value, leaf.steps, VALUE_CHARACTERS) for value in (leaf.old, leaf.new))
            group.values.append(_Value(name, leaf.path, old, new))
        else:
            added, dropped = (sum(line.startswith(sign) for line in lines) for sign in "+-")
            shown = [(_look(line), line) for line in lines]
            group.diffs.append(_TextDiff(name, leaf.path, shown, added, dropped))
    return _ShownChange(change, done.get(change.id), origin, list(groups.values()))


def _parts(change: Change) -> Iterator[tuple[str | None, str | None, FieldChange]]:
    """Every changed part: its tool's name, its own, and the change."""
    for whole in change.fields:
        if not is_of_tool(whole):
            yield from ((None, field_name(leaf.steps), leaf) for leaf in leaves(whole))
            continue
        seen: set[tuple[str | int, ...]] = set()
        for tool, leaf in by_tool(change, whole):
            shown = in_one_line(whole, leaf)
            if shown is not None and shown.steps not in seen:
                seen.add(shown.steps)
                yield tool, _part_name(shown), shown


def _part_name(leaf: FieldChange) -> str | None:
    """`Qué hace`, `Pide plato`; what stands before its tool's own fields is left out."""
    names = [step for step in leaf.steps[1:] if isinstance(step, str) and step != "function"]
    if names[:2] == ["parameters", "properties"] and len(names) == 3:
        return f"Pide {names[2]}"
    return ": ".join(rest_of(names)).capitalize() if names else field_name(leaf.steps)


def _look(line: str) -> str:
    return {"+": "add", "-": "drop", "@": "place"}.get(line[:1], "same")
