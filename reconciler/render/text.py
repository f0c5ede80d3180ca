"""A plan for the terminal: grouped by client, prompts as unified diffs, one summary line last."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

import click

from reconciler.model import Action, Change, FieldChange, Finding, Outcome, Plan
from reconciler.planning.digest import digest
from reconciler.recipient import ShownRecipient
from reconciler.recipients.shown import by_line
from reconciler.recipients.words import line_in_spanish, line_text
from reconciler.render.wording import (
    ORPHANED,
    SIGNS,
    edit_text,
    estimate_text,
    finding_text,
    leaves,
    outcome_summary,
    sentence,
    summary,
    text_diff,
    value_text,
    visible,
)
from terminal.language import label, language, said

_COLOURS: dict[Action, str] = {
    "create": "green",
    "update": "yellow",
    "delete": "red",
    "detach": "red",
    "adopt": "cyan",
    "rename": "cyan",
}
_SEVERITIES = {"error": "red", "withheld": "yellow", "warning": "yellow", "notice": "cyan"}

Paint = Callable[..., str]


def plan_text(plan: Plan, *, colour: bool = False, verbose: bool = False) -> str:
    """The whole plan. `verbose` adds what was left unchanged."""
    paint = click.style if colour else _plain
    lines: list[str] = []
    for client, changes in groupby(plan.changes, key=lambda change: change.client):
        lines += [paint(client, bold=True), *(line for change in changes for line in _change(change, paint)), ""]
    lines += [_finding(finding, paint) for finding in plan.findings]
    for estimate in plan.estimates:
        what = visible(f"{estimate.client}: {said(estimate_text(estimate))}")
        lines.append(f"{paint(label('estimate'), fg='cyan')}: {what}.")
    lines += [_recipients(line, paint) for line in by_line(plan.recipients)]
    for client in plan.unresolved:
        left = said(f"unresolved: {client}: left unchanged, since a source of it could not be read.")
        lines.append(paint(left, fg="red"))
    for orphan in plan.orphans:
        what = visible(f"{orphan.client}: {label(orphan.kind)} {orphan.key} ({orphan.live_id})")
        lines.append(paint(f"{label('orphan')}: {what} {said(ORPHANED)}.", fg="yellow"))
    if verbose:
        lines += [line for change in plan.adoptions for line in _adoption(change, paint)]
        unmanaged = (visible(f"{item.kind} {item.key} ({item.live_id})") for item in plan.unmanaged)
        lines += [said(f"unmanaged: {what}, left unchanged.") for what in unmanaged]
        lines.append(said(f"{len(plan.unmanaged)} unmanaged live objects were left unchanged."))
    if plan.work:
        lines.append(f"Digest: {digest(plan)}")
    lines.append(paint(said(summary(plan)), bold=True))
    return "\n".join(lines) + "\n"


def outcome_text(outcome: Outcome, *, colour: bool = False) -> str:
    """One line for each change when it is done."""
    paint = click.style if colour else _plain
    change = outcome.change
    what = f"{change.client}: {change.kind} {change.key}: {change.action}"
    if outcome.status == "applied":
        made = f": {sentence(outcome.note)}" if outcome.note else ""
        return f"{paint('applied', fg='green')}  {what} ({outcome.live_id}){made}"
    status = paint(outcome.status, fg="red" if outcome.status == "failed" else "yellow")
    return f"{status}  {what}: {visible(sentence(outcome.error or 'no reason was given'))}"


def outcomes_text(outcomes: Sequence[Outcome], *, colour: bool = False) -> str:
    """The failures, once more and together, what a provider made of applied values, and the summary."""
    told = (outcome for outcome in outcomes if outcome.status != "applied" or outcome.note)
    bad = [outcome_text(outcome, colour=colour) for outcome in told]
    return "\n".join([*bad, (click.style if colour else _plain)(outcome_summary(outcomes), bold=True)]) + "\n"


def _change(change: Change, paint: Paint) -> Iterator[str]:
    head = f"{SIGNS[change.action]} {label(change.kind)} {change.key}"
    yield f"  {paint(head, fg=_COLOURS[change.action])}  ({label(change.action)}, {label(change.reason)})"
    if change.edit is not None:
        yield f"      {said(edit_text(change.edit))}"
    for field in change.fields:
        for leaf in leaves(field):
            yield from _field(change, leaf, paint)


def _adoption(change: Change, paint: Paint) -> Iterator[str]:
    what = f"{change.client}: {change.kind} {change.key} ({change.live_id or 'a copy of its own'})"
    yield paint(f"adopt: {what} was made by hand and is as declared.", fg=_COLOURS["adopt"])
    for field in change.fields:
        for leaf in leaves(field):
            yield from _field(change, leaf, paint)


def _field(change: Change, field: FieldChange, paint: Paint) -> Iterator[str]:
    diff = text_diff(field)
    if diff is not None:
        yield f"      {field.path}:"
        for line in diff:
            colour = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
            yield f"        {paint(line, fg=colour) if colour else line}".rstrip()
    elif change.action == "create":
        yield f"      {field.path}: {value_text(field.new)}"
    else:
        yield f"      {field.path}: {value_text(field.old)} → {value_text(field.new)}"


def _finding(finding: Finding, paint: Paint) -> str:
    return f"{paint(label(finding.severity), fg=_SEVERITIES[finding.severity])}: {finding_text(finding)}"


def _recipients(line: Sequence[ShownRecipient], paint: Paint) -> str:
    is_warning = line[0].recipient.leave is None
    severity = paint(label("warning"), fg="yellow") if is_warning else paint(label("notice"), fg="cyan")
    what = line_text(line) if language() == "en" else line_in_spanish(line).rstrip(".")
    return f"{severity}: {visible(f'{line[0].client}: {what}')}."


def _plain(text: str, **_: object) -> str:
    return text
