"""A plan for a pull request's comment: fits GitHub's limit, escapes what it shows, keeps summary and digest."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from reconciler.model import Change, FieldChange, Outcome, Plan
from reconciler.planning.digest import digest
from reconciler.render.wording import (
    SIGNS,
    edit_text,
    finding_text,
    leaves,
    outcome_summary,
    summary,
    text_diff,
    value_text,
    visible,
)

MAX_CHARACTERS = 65_536 - 256
"""GitHub accepts 65,536 characters by its documentation, and 262,144 bytes in practice: the first is never more than
the second. The rest is for what a workflow adds to a plan: a marker, a link to its run."""

CUT_CHARACTERS = 160
"""Reserved for the lines that count what was left out."""

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-.!|~>@])")
_REFERENCE = re.compile(r"([@#])(?=\w)")
_EMOJI = {"error": "❌", "withheld": "⏳", "warning": "⚠️", "notice": "ℹ️"}


def plan_markdown(plan: Plan, outcomes: Sequence[Outcome] | None = None, limit: int = MAX_CHARACTERS) -> str:
    """The comment. Clients that do not fit are counted instead of shown; the summary is first, the digest last.

    With `outcomes`, the changes that were not applied come first.
    """
    head = f"### {escape(summary(plan) if outcomes is None else outcome_summary(outcomes))}\n\n"
    foot = f"\nDigest: `{digest(plan)}`\n"
    room = limit - len(head) - len(foot) - CUT_CHARACTERS
    notes, more = _fitting([f"- {line}\n" for line in _notes(plan, outcomes or ())], room // 2)
    if more:
        notes.append(f"- … and {more} more\n")
    sections = ["".join(_section(client, list(changes))) for client, changes in groupby(plan.changes, key=_client_of)]
    shown, left_out = _fitting(sections, room - sum(map(len, notes)))
    cut = f"\n*{left_out} more clients do not fit here; run `reconcile --dry-run` to see them.*\n" if left_out else ""
    return head + "".join(notes) + "".join(shown) + cut + foot


def _fitting(parts: Iterable[str], room: int) -> tuple[list[str], int]:
    """The parts that fit, each complete, in their order; and the number of those that do not."""
    shown, left_out = [], 0
    for part in parts:
        if len(part) > room:
            left_out += 1
            continue
        room -= len(part)
        shown.append(part)
    return shown, left_out


def _client_of(change: Change) -> str:
    return change.client


def escape(text: str) -> str:
    """Text that Markdown shows as it is, in one line."""
    return _SPECIAL.sub(r"\\\1", _inert(text))


def _inert(text: str) -> str:
    """Text within HTML, in one line. GitHub searches the rendered text for users and issues, so an escaped `@name`
    would still mention a user: a zero-width space prevents that."""
    line = visible(" ".join(text.split("\n")))
    return _REFERENCE.sub("\\1\u200b", html.escape(line, quote=False))


def _notes(plan: Plan, outcomes: Sequence[Outcome]) -> Iterator[str]:
    for outcome in outcomes:
        if outcome.status != "applied":
            change = outcome.change
            what = escape(f"{change.client}: {change.action} {change.kind} {change.key}: {outcome.status}")
            yield f"❌ {what}: {escape(outcome.error or '')}"
        elif outcome.note:
            yield f"ℹ️ {escape(f'{outcome.change.client}: {outcome.note}')}"
    for finding in plan.findings:
        yield f"{_EMOJI[finding.severity]} {escape(finding_text(finding))}"
    for client in plan.unresolved:
        yield f"❌ {escape(client)}: left unchanged, since a source of it could not be read\\."
    for orphan in plan.orphans:
        what = f"{escape(orphan.client)}: {orphan.kind} {escape(orphan.key)}"
        yield f"⚠️ {what} has our marker and no manifest declares it\\."


def _section(client: str, changes: list[Change]) -> Iterator[str]:
    signs = "".join(SIGNS[change.action] for change in changes)
    yield f"\n<details><summary><b>{_inert(client)}</b> {signs}</summary>\n\n"
    for change in changes:
        yield f"**{change.action} {change.kind}** {escape(change.key)} \\({change.reason}\\)\n\n"
        if change.edit is not None:
            yield f"{escape(edit_text(change.edit))}\n\n"
        if change.fields:
            yield from _fields(change)
    yield "</details>\n"


def _fields(change: Change) -> Iterator[str]:
    lines: list[str] = []
    for field in change.fields:
        for leaf in leaves(field):
            lines += _field(leaf, change.action == "create")
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", "\n".join(lines))), default=0))
    yield f"{fence}diff\n" + "\n".join(lines) + f"\n{fence}\n\n"


def _field(field: FieldChange, is_create: bool) -> list[str]:
    path = value_text(field.path)
    diff = text_diff(field)
    if diff is not None:
        return [f"@@ {path} @@", *(line for line in diff if not line.startswith("@@"))]
    if is_create:
        return [f"+ {path}: {value_text(field.new)}"]
    return [f"- {path}: {value_text(field.old)}", f"+ {path}: {value_text(field.new)}"]
