"""What is new to a channel: findings that were not sent there yet, and sent ones that are resolved. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from reconciler.drift.model_ends import ClientModelEnd, is_of_model
from reconciler.model import Change, FieldChange, Plan
from reconciler.render.wording import edit_text, finding_text, text_diff, value_text, visible
from runtime.store.history_records import NoticeRecord

SHOWN_AT_MOST = 20
"""Findings in one message; a phone shows no more, and `reconcile drift` shows all."""


@dataclass(frozen=True, slots=True)
class News:
    """What was not sent to a channel yet."""

    new: Mapping[str, Change]
    """By finding: `la-cocina/sender/+56912345678`."""
    resolved: Sequence[str]
    ends: Sequence[ClientModelEnd] = ()
    """Models of which a warning is due."""

    def __bool__(self) -> bool:
        return bool(self.new or self.resolved or self.ends)


def _is_runtimes(finding: str) -> bool:
    """Whether the runtime sends it and its end: of a model, and of a decision about a template."""
    return is_of_model(finding) or finding.partition("/")[2].startswith("template-event/")


def finding_of(change: Change) -> str:
    """Key of a finding in the store: the resource, regardless of the change."""
    return f"{change.client}/{change.kind}/{change.key}"


def fingerprint_of(change: Change) -> str:
    """Equal while the live object stays as it was found."""
    seen = [change.action, sorted([field.path, repr(field.old)] for field in change.fields)]
    return hashlib.sha256(json.dumps(seen, ensure_ascii=False).encode()).hexdigest()


def news(
    plan: Plan, sent: Collection[NoticeRecord], only: Collection[str] = (), ends: Sequence[ClientModelEnd] = ()
) -> News:
    """What is new in a plan of drift, and of models that end, to a channel with the notices `sent`.

    A finding is resolved only if its client was read and compared in full: a client that could not be read is not in
    sync, nor is one that is withheld, or an orphan.
    """
    found = {finding_of(change): change for change in plan.changes}
    known = {notice.finding: notice.fingerprint for notice in sent}
    unseen = {*plan.unresolved, *plan.withheld, *(error.client for error in plan.errors)}
    unseen |= {orphan.client for orphan in plan.orphans}
    checked = [name for name in known if (not only or _client(name) in only) and _client(name) not in unseen]
    return News(
        new={name: change for name, change in found.items() if known.get(name) != fingerprint_of(change)},
        resolved=sorted(name for name in checked if name not in found and not _is_runtimes(name)),
        ends=[one for one in ends if one.end.notice is not None and known.get(one.finding) != one.fingerprint],
    )


def title(fresh: News) -> str:
    """The message's first line."""
    parts = [f"{len(fresh.new)} changed outside of git"] if fresh.new else []
    parts += [f"{len(fresh.resolved)} in sync again"] if fresh.resolved else []
    ending = len({one.end.model for one in fresh.ends})
    parts += [f"{ending} model{'s' if ending > 1 else ''} in use end{'s' if ending == 1 else ''}"] if ending else []
    return f"WhatsApp assistants: {', '.join(parts)}"


def body(fresh: News, plan: Plan) -> str:
    """The message: a paragraph for each new finding, a line for each resolved one."""
    lines: list[str] = []
    for change in list(fresh.new.values())[:SHOWN_AT_MOST]:
        lines += [*_new(change, plan), ""]
    if len(fresh.new) > SHOWN_AT_MOST:
        lines += [f"… and {len(fresh.new) - SHOWN_AT_MOST} more.", ""]
    lines += [f"In sync again: {visible(name)}" for name in fresh.resolved[:SHOWN_AT_MOST]]
    if len(fresh.resolved) > SHOWN_AT_MOST:
        lines.append(f"… and {len(fresh.resolved) - SHOWN_AT_MOST} more in sync again.")
    lines += [one.text for one in fresh.ends[:SHOWN_AT_MOST]]
    if len(fresh.ends) > SHOWN_AT_MOST:
        lines.append(f"… and {len(fresh.ends) - SHOWN_AT_MOST} more; `reconcile status` shows all.")
    if fresh.new:
        lines.append("`reconcile drift` shows it in full; the next apply undoes it.")
    return "\n".join(lines).rstrip() + "\n"


def _new(change: Change, plan: Plan) -> Iterator[str]:
    missing = " was deleted" if change.action == "create" else ""
    yield f"{change.client}: {change.kind} {visible(change.key)}{missing} ({change.reason})"
    if change.action != "create":
        yield from (f"  {_field(field)}" for field in change.fields)
    if change.edit is not None:
        yield f"  {edit_text(change.edit)}"
    for finding in plan.findings:
        if finding.severity == "notice" and (finding.client, finding.kind) == (change.client, change.kind):
            yield f"  {finding_text(finding)}"


def _field(field: FieldChange) -> str:
    diff = text_diff(field)
    if diff is None:
        return f"{field.path}: it is {value_text(field.old)}, declared {value_text(field.new)}"
    # A plan's `+` is what is declared and missing live.
    extra, missing = (sum(line.startswith(sign) for line in diff) for sign in "-+")
    return f"{field.path}: text with {extra} undeclared lines, {missing} declared ones missing"


def _client(finding: str) -> str:
    return finding.split("/", 1)[0]
