"""A plan as one HTML file for people who read no diffs for a living: in Spanish, grouped by client, nothing cut off."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from reconciler.model import (
    TAKING_AWAY,
    Action,
    Change,
    FieldChange,
    Finding,
    Kind,
    Orphan,
    Outcome,
    Plan,
    Reason,
    Severity,
)
from reconciler.planning.digest import digest
from reconciler.render.page import isolated, page, shown
from reconciler.render.wording import text_diff, value_text
from runtime.store.records import EditRecord

VALUE_CHARACTERS = 2_000
"""Where a value in one line is cut; longer text stands as a diff, whole."""
OPEN_LINES = 12
"""Up to this length a diff is open from the start."""

ACTIONS: Final[Mapping[Action, str]] = {
    "create": "Crear",
    "update": "Actualizar",
    "delete": "Borrar",
    "detach": "Desconectar",
    "adopt": "Adoptar",
}
KINDS: Final[Mapping[Kind, str]] = {
    "knowledge": "documentos",
    "assistant": "asistente",
    "bot": "bot",
    "sender": "número de WhatsApp",
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
SEVERITIES: Final[Mapping[Severity, str]] = {"error": "Error", "warning": "Aviso", "notice": "Nota"}


def plan_html(plan: Plan, outcomes: Sequence[Outcome] | None = None) -> str:
    """The document; with `outcomes`, what became of each change."""
    done = {outcome.change.id: outcome for outcome in outcomes or ()}
    body = "".join(
        [*_head(plan, outcomes), *_notes(plan), *_clients(plan, done), *_adoptions(plan, done), *_foot(plan)]
    )
    return page(_summary(plan, outcomes), body, language="es")


def _summary(plan: Plan, outcomes: Sequence[Outcome] | None) -> str:
    looked = _count(plan.clients, "cliente revisado", "clientes revisados")
    if not plan.changes:
        return f"Sin cambios: {looked}"
    changes = _count(len(plan.changes), "cambio", "cambios")
    touched = _count(len({change.client for change in plan.changes}), "cliente", "clientes")
    if outcomes is None:
        return f"Plan: {changes} en {touched}"
    applied = sum(outcome.status == "applied" for outcome in outcomes)
    return f"Aplicado: {applied} de {changes} en {touched}"


def _head(plan: Plan, outcomes: Sequence[Outcome] | None) -> Iterator[str]:
    yield f"<header>\n<h1>{shown(_summary(plan, outcomes))}</h1>\n"
    if outcomes is None and plan.changes:
        yield "<p>Nada de esto se ha hecho todavía: así quedaría todo al aplicar el plan.</p>\n"
    counts = {
        "por crear": plan.count("create"),
        "por actualizar": plan.count("update"),
        "por borrar o desconectar": plan.count(*TAKING_AWAY),
        "sin poder leerse": len(plan.unresolved),
        "errores": len(plan.errors),
    }
    yield '<ul class="counts">\n'
    yield "".join(f"<li><b>{count}</b> {what}</li>\n" for what, count in counts.items() if count)
    yield f'</ul>\n<p class="faint">Huella del plan (digest): <code id="digest">{digest(plan)}</code></p>\n</header>\n'


def _notes(plan: Plan) -> Iterator[str]:
    notes = [*map(_finding, plan.findings), *map(_unresolved, plan.unresolved), *map(_orphan, plan.orphans)]
    if notes:
        yield '<ul class="notes">\n' + "".join(notes) + "</ul>\n"


def _finding(finding: Finding) -> str:
    where = "".join(
        f"{isolated(part)}: " for part in (finding.client, finding.kind and KINDS[finding.kind]) if part is not None
    )
    said = f'<b>{SEVERITIES[finding.severity]}.</b> {where}<span lang="en">{isolated(finding.message)}</span>'
    return f'<li class="{finding.severity}">{said}</li>\n'


def _unresolved(client: str) -> str:
    return (
        f'<li class="error"><b>Error.</b> {isolated(client)}: no se pudo leer todo lo suyo, así que no se toca nada '
        "de este cliente.</li>\n"
    )


def _orphan(orphan: Orphan) -> str:
    return (
        f'<li class="warning"><b>Aviso.</b> {isolated(orphan.client)}: {KINDS[orphan.kind]} {isolated(orphan.key)} es '
        "nuestro y ningún manifiesto lo declara. No se borra por eso.</li>\n"
    )


def _clients(plan: Plan, done: Mapping[str, Outcome]) -> Iterator[str]:
    for client, changes in groupby(plan.changes, key=lambda change: change.client):
        articles = "".join(_change(change, done.get(change.id)) for change in changes)
        yield f"<section>\n<h2>{isolated(client)}</h2>\n{articles}</section>\n"


def _adoptions(plan: Plan, done: Mapping[str, Outcome]) -> Iterator[str]:
    """What becomes ours: counted, and shown where more is written than that it is."""
    if not plan.adoptions:
        return
    made = _count(len(plan.adoptions), "objeto hecho a mano ya está", "objetos hechos a mano ya están")
    recorded = "queda registrado como nuestro" if len(plan.adoptions) == 1 else "quedan registrados como nuestros"
    yield f"<section>\n<h2>{made} como se declara</h2>\n<p>Al aplicar {recorded}.</p>\n"
    filled = [change for change in plan.adoptions if change.fields or _is_unfinished(done.get(change.id))]
    if any(change.fields for change in filled):
        yield "<p>Además se escribe lo que le faltaba, o lo que estaba dicho en otra parte:</p>\n"
    for change in filled:
        yield _change(change, done.get(change.id), f"hecho a mano, de {change.client}")
    yield "</section>\n"


def _is_unfinished(outcome: Outcome | None) -> bool:
    return outcome is not None and outcome.status != "applied"


def _change(change: Change, outcome: Outcome | None, origin: str | None = None) -> str:
    what = f'<b class="{change.action}">{ACTIONS[change.action]}</b> {KINDS[change.kind]} {isolated(change.key)}'
    chips = f'<span class="chip">{shown(origin or REASONS[change.reason])}</span>'
    failure = ""
    if outcome is not None:
        status, look = STATUSES[outcome.status]
        chips += f' <span class="chip {look}">{status}</span>'
        failure = f'<p class="error" lang="en">{shown(outcome.error)}</p>\n' if outcome.error else ""
    edit = f'<p class="faint">{_edit(change.edit)}</p>\n' if change.edit else ""
    return f"<article>\n<h3>{what} {chips}</h3>\n{failure}{edit}{_fields(change)}</article>\n"


def _edit(edit: EditRecord) -> str:
    what = "Lo borró" if edit.action == "delete" else "Lo cambió"
    which = f" ({', '.join(map(isolated, edit.fields))})" if edit.fields else ""
    return f"{what} alguien con el token {isolated(edit.actor)} de la API, el {isolated(edit.at)}{which}."


def _fields(change: Change) -> str:
    diffs, values = [], []
    for field in change.fields:
        lines = text_diff(field)
        if lines is None:
            values.append(f"<dt><code>{shown(field.path)}</code></dt><dd>{_value(field, change.action)}</dd>\n")
        else:
            diffs.append(_diff(field.path, lines))
    return (f"<dl>\n{''.join(values)}</dl>\n" if values else "") + "".join(diffs)


def _value(field: FieldChange, action: Action) -> str:
    old, new = (_value_text(value) for value in (field.old, field.new))
    if action == "create":
        return f"<ins>{new}</ins>"
    return f"<del>{old}</del> → <ins>{new}</ins>"


def _value_text(value: Any) -> str:
    return "(nada)" if value is None else isolated(value_text(value, VALUE_CHARACTERS))


def _diff(path: str, lines: Sequence[str]) -> str:
    added, dropped = (sum(line.startswith(sign) for line in lines) for sign in "+-")
    rows = "".join(f'<span class="{_look(line)}">{shown(line) or " "}</span>' for line in lines)
    counts = f'<span class="create">+{added}</span> <span class="delete">−{dropped}</span>'
    details = "<details open>" if len(lines) <= OPEN_LINES else "<details>"
    return f"{details}\n<summary><code>{shown(path)}</code> {counts} líneas</summary>\n<pre>{rows}</pre>\n</details>\n"


def _look(line: str) -> str:
    return {"+": "add", "-": "drop", "@": "place"}.get(line[:1], "same")


def _foot(plan: Plan) -> Iterator[str]:
    yield "<footer>\n"
    if plan.unmanaged:
        there = _count(len(plan.unmanaged), "objeto que no es nuestro", "objetos que no son nuestros")
        yield f"<p>Además hay {there}: no se tocan.</p>\n"
    yield f"<p>{_count(plan.clients, 'cliente revisado', 'clientes revisados')}.</p>\n</footer>\n"


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
