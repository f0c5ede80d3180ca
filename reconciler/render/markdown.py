"""A plan for a pull request's comment: fits GitHub's limit, escapes what it shows, names each client, keeps summary and
digest."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from reconciler.model import Change, FieldChange, Outcome, Plan
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
    summary,
    text_diff,
    value_text,
    visible,
)
from terminal.language import label, language, said

TESTS_CHARACTERS = 12_288
"""Of the table of tests, which stands below a plan in the same comment."""
MAX_CHARACTERS = 65_536 - 1_024 - TESTS_CHARACTERS
"""GitHub accepts 65,536 characters by its documentation, and 262,144 bytes in practice: the first is never more than
the second. The rest is for what a workflow adds to a plan: a marker, a link to the whole plan."""

CUT_CHARACTERS = 256
"""Reserved for the words around what was left out."""

LINE_CHARACTERS = 2_000
"""Length at which one line of an error is cut."""

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-.!|~>@])")
_REFERENCE = re.compile(r"([@#])(?=\w)")
_EMOJI = {"error": "❌", "withheld": "⏳", "warning": "⚠️", "notice": "ℹ️"}


@dataclass(frozen=True, slots=True)
class _Part:
    """A note about a client, or a client's changes."""

    client: str
    text: str
    name: str
    """What stands for it where it does not fit."""


def plan_markdown(plan: Plan, outcomes: Sequence[Outcome] | None = None, limit: int = MAX_CHARACTERS) -> str:
    """The comment. Clients that do not fit are named instead of shown; the summary is first, the digest last.

    With `outcomes`, the changes that were not applied come first.
    """
    head = f"### {escape(said(summary(plan) if outcomes is None else outcome_summary(outcomes)))}\n\n"
    foot = f"\nDigest: `{digest(plan)}`\n"
    sections = [_section_part(client, list(changes)) for client, changes in groupby(plan.changes, key=_client_of)]
    room = limit - len(head) - len(foot) - CUT_CHARACTERS
    shown_notes, notes_left_out = _fitting(_notes(plan, outcomes or ()), room // 2)
    notes = "".join(part.text for part in shown_notes) + _more_notes(notes_left_out, room // 4)
    shown, left_out = _fitting(sections, room - len(notes))
    return head + notes + "".join(part.text for part in shown) + _more_clients(left_out, room - len(notes)) + foot


def failure_markdown(error: str, limit: int = MAX_CHARACTERS) -> str:
    """The comment where there is no plan: why not, as many lines of it as fit. It has no digest to agree with."""
    head, foot = said("### There is no plan\n\n"), said("\nThe log of `reconcile --dry-run` has all of it.\n")
    lines = [_cut(visible(said(line)), LINE_CHARACTERS) for line in error.splitlines()]
    fence = _fence(lines)
    room = limit - len(head) - len(foot) - CUT_CHARACTERS - 2 * len(fence)
    shown = []
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            break
        shown.append(line)
    left_out = len(lines) - len(shown)
    more = said(f"\n… and {left_out} more lines.\n") + foot if left_out else ""
    return head + f"{fence}text\n" + "".join(f"{line}\n" for line in shown) + f"{fence}\n" + more


def _fitting(parts: Sequence[_Part], room: int) -> tuple[list[_Part], list[_Part]]:
    """The parts that fit, each complete, in their order; and those that do not, whose names fit beside them as long as
    all names do."""
    room -= sum(len(part.name) for part in parts)
    shown, left_out = [], []
    for part in parts:
        if len(part.text) - len(part.name) > room:
            left_out.append(part)
            continue
        room -= len(part.text) - len(part.name)
        shown.append(part)
    return shown, left_out


def _more_notes(left_out: Sequence[_Part], room: int) -> str:
    if not left_out:
        return ""
    clients = list(dict.fromkeys(part.name for part in left_out if part.client))
    about = said(f", about {_listed(clients, room)}") if clients else ""
    return said(f"- … and {len(left_out)} more{about}\n")


def _more_clients(left_out: Sequence[_Part], room: int) -> str:
    if not left_out:
        return ""
    what = "1 more client does" if len(left_out) == 1 else f"{len(left_out)} more clients do"
    names = _listed([part.name for part in left_out], room)
    return said(f"\n*{what} not fit here: {names}. `reconcile --dry-run` shows all of it\\.*\n")


def _listed(names: Sequence[str], room: int) -> str:
    """The names, with a comma in front of each but the first; beyond `room` the rest is counted."""
    for number, name in enumerate(names):
        room -= len(name)
        if room < 0:
            return said(f"{''.join(names[:number]).removeprefix(', ')} and {len(names) - number} others")
    return "".join(names).removeprefix(", ")


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


def _notes(plan: Plan, outcomes: Sequence[Outcome]) -> list[_Part]:
    return [_Part(client, f"- {line}\n", f", {escape(client)}") for client, line in _note_lines(plan, outcomes)]


def _note_lines(plan: Plan, outcomes: Sequence[Outcome]) -> Iterator[tuple[str, str]]:
    """Each note's client, "" where it is about none, and its line."""
    for outcome in outcomes:
        change = outcome.change
        if outcome.status != "applied":
            which = f"{change.client}: {label(change.action)} {label(change.kind)} {change.key}"
            what = escape(f"{which}: {label(outcome.status)}")
            yield change.client, f"❌ {what}: {escape(said(outcome.error or ''))}"
        elif outcome.note:
            yield change.client, f"ℹ️ {escape(f'{change.client}: {said(outcome.note)}')}"
    for finding in plan.findings:
        yield finding.client or "", f"{_EMOJI[finding.severity]} {escape(finding_text(finding))}"
    for estimate in plan.estimates:
        yield estimate.client, f"💵 {escape(visible(f'{estimate.client}: {said(estimate_text(estimate))}'))}\\."
    for line in by_line(plan.recipients):
        sign = _EMOJI["warning" if line[0].recipient.leave is None else "notice"]
        yield line[0].client, f"{sign} {escape(f'{line[0].client}: {_recipients(line)}')}\\."
    for client in plan.unresolved:
        yield client, said(f"❌ {escape(client)}: left unchanged, since a source of it could not be read\\.")
    for orphan in plan.orphans:
        what = f"{escape(orphan.client)}: {label(orphan.kind)} {escape(orphan.key)}"
        yield orphan.client, f"⚠️ {what} {said(ORPHANED)}\\."


def _recipients(line: Sequence[ShownRecipient]) -> str:
    return line_text(line) if language() == "en" else line_in_spanish(line).rstrip(".")


def _section_part(client: str, changes: list[Change]) -> _Part:
    signs = "".join(SIGNS[change.action] for change in changes)
    return _Part(client, "".join(_section(client, changes)), f", {escape(client)} {escape(signs)}")


def _section(client: str, changes: list[Change]) -> Iterator[str]:
    signs = "".join(SIGNS[change.action] for change in changes)
    yield f"\n<details><summary><b>{_inert(client)}</b> {signs}</summary>\n\n"
    for change in changes:
        what = f"{label(change.action)} {label(change.kind)}"
        yield f"**{what}** {escape(change.key)} \\({label(change.reason)}\\)\n\n"
        if change.edit is not None:
            yield f"{escape(said(edit_text(change.edit)))}\n\n"
        if change.fields:
            yield from _fields(change)
    yield "</details>\n"


def _fields(change: Change) -> Iterator[str]:
    lines: list[str] = []
    for field in change.fields:
        for leaf in leaves(field):
            lines += _field(leaf, change.action == "create")
    fence = _fence(lines)
    yield f"{fence}diff\n" + "\n".join(lines) + f"\n{fence}\n\n"


def _fence(lines: Sequence[str]) -> str:
    """A fence longer than any in the lines."""
    return "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", "\n".join(lines))), default=0))


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _field(field: FieldChange, is_create: bool) -> list[str]:
    path = value_text(field.path)
    diff = text_diff(field)
    if diff is not None:
        return [f"@@ {path} @@", *(line for line in diff if not line.startswith("@@"))]
    if is_create:
        return [f"+ {path}: {value_text(field.new)}"]
    return [f"- {path}: {value_text(field.old)}", f"+ {path}: {value_text(field.new)}"]
