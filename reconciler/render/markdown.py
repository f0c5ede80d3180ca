"""A plan for a pull request's comment: fits GitHub's limit, escapes what it shows, keeps summary and digest."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from itertools import groupby

from reconciler.model import Change, FieldChange, Plan
from reconciler.plan import digest
from reconciler.render.wording import SIGNS, finding_text, summary, text_diff, value_text

MAX_CHARACTERS = 65_536
"""GitHub: a comment's body."""

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-.!|~>@])")
_EMOJI = {"error": "❌", "warning": "⚠️", "notice": "ℹ️"}


def plan_markdown(plan: Plan, limit: int = MAX_CHARACTERS) -> str:
    """The comment. Clients that do not fit are counted instead of shown."""
    head = f"### {escape(summary(plan))}\n\n"
    foot = f"\nDigest: `{digest(plan)}`\n"
    notes = "".join(f"- {line}\n" for line in _notes(plan))
    room = limit - len(head) - len(foot) - 200
    notes = notes if len(notes) <= room // 2 else notes[: room // 2].rsplit("\n", 1)[0] + "\n- … and more\n"
    room -= len(notes)
    shown, left_out = [], 0
    for client, changes in groupby(plan.changes, key=lambda change: change.client):
        section = "".join(_section(client, list(changes)))
        if len(section) > room:
            left_out += 1
            continue
        room -= len(section)
        shown.append(section)
    cut = f"\n*{left_out} more clients do not fit here; run `reconcile --dry-run` to see them.*\n" if left_out else ""
    return head + notes + "".join(shown) + cut + foot


def escape(text: str) -> str:
    """Text that Markdown and HTML show as it is."""
    return _SPECIAL.sub(r"\\\1", html.escape(text, quote=False)).replace("\n", " ")


def _notes(plan: Plan) -> Iterator[str]:
    for finding in plan.findings:
        yield f"{_EMOJI[finding.severity]} {escape(finding_text(finding))}"
    for client in plan.unresolved:
        yield f"❌ {escape(client)}: left alone, since a side of it could not be read\\."
    for orphan in plan.orphans:
        yield f"⚠️ {escape(orphan.client)}: {orphan.kind} {escape(orphan.key)} is ours and no manifest declares it\\."


def _section(client: str, changes: list[Change]) -> Iterator[str]:
    signs = "".join(SIGNS[change.action] for change in changes)
    yield f"\n<details><summary><b>{html.escape(client)}</b> {html.escape(signs)}</summary>\n\n"
    for change in changes:
        yield f"**{change.action} {change.kind}** {escape(change.key)} \\({change.reason}\\)\n\n"
        if change.fields:
            yield from _fields(change)
    yield "</details>\n"


def _fields(change: Change) -> Iterator[str]:
    lines: list[str] = []
    for field in change.fields:
        lines += _field(field, change.action == "create")
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", "\n".join(lines))), default=0))
    yield f"{fence}diff\n" + "\n".join(lines) + f"\n{fence}\n\n"


def _field(field: FieldChange, is_create: bool) -> list[str]:
    diff = text_diff(field)
    if diff is not None:
        return [f"@@ {field.path} @@", *(line for line in diff if not line.startswith("@@"))]
    if is_create:
        return [f"+ {field.path}: {value_text(field.new)}"]
    return [f"- {field.path}: {value_text(field.old)}", f"+ {field.path}: {value_text(field.new)}"]
