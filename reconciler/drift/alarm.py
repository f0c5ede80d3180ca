"""What is news on a channel: findings that were not told there yet, and told ones that are gone. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from reconciler.model import Change, FieldChange, Plan
from reconciler.render.wording import edit_text, finding_text, text_diff, value_text, visible
from runtime.store.records import NoticeRecord

SHOWN_AT_MOST = 20
"""Findings in one message; a phone shows no more, and `reconcile drift` shows all."""


@dataclass(frozen=True, slots=True)
class News:
    """What one channel has not been told."""

    new: Mapping[str, Change]
    """By finding: `la-cocina/sender/+56912345678`."""
    gone: Sequence[str]

    def __bool__(self) -> bool:
        return bool(self.new or self.gone)


def channel_of(url: str) -> str:
    """What a channel is remembered by; its address may hold a secret, so that is not kept."""
    return hashlib.sha256(url.encode()).hexdigest()[:32]


def finding_of(change: Change) -> str:
    """What a finding is remembered by: the resource, whatever was done to it."""
    return f"{change.client}/{change.kind}/{change.key}"


def fingerprint_of(change: Change) -> str:
    """Equal while the live side stays as it was found."""
    seen = [change.action, sorted([field.path, repr(field.old)] for field in change.fields)]
    return hashlib.sha256(json.dumps(seen, ensure_ascii=False).encode()).hexdigest()


def news(plan: Plan, told: Collection[NoticeRecord], only: Collection[str] = ()) -> News:
    """What `told`, the notes of one channel, leaves to be said about a plan of drift.

    A finding is gone only if its client was looked at in full: what could not be read is not in sync, nor is an orphan.
    """
    found = {finding_of(change): change for change in plan.changes}
    known = {notice.finding: notice.fingerprint for notice in told}
    unseen = {*plan.unresolved, *(error.client for error in plan.errors), *(orphan.client for orphan in plan.orphans)}
    looked_at = [name for name in known if (not only or _client(name) in only) and _client(name) not in unseen]
    return News(
        new={name: change for name, change in found.items() if known.get(name) != fingerprint_of(change)},
        gone=sorted(name for name in looked_at if name not in found),
    )


def title(told: News) -> str:
    """The message's first line."""
    parts = [f"{len(told.new)} changed behind git's back"] if told.new else []
    parts += [f"{len(told.gone)} in sync again"] if told.gone else []
    return f"WhatsApp assistants: {', '.join(parts)}"


def body(told: News, plan: Plan) -> str:
    """The message: a paragraph for each new finding, a line for each that is gone."""
    lines: list[str] = []
    for change in list(told.new.values())[:SHOWN_AT_MOST]:
        lines += [*_new(change, plan), ""]
    if len(told.new) > SHOWN_AT_MOST:
        lines += [f"… and {len(told.new) - SHOWN_AT_MOST} more.", ""]
    lines += [f"In sync again: {visible(name)}" for name in told.gone[:SHOWN_AT_MOST]]
    if len(told.gone) > SHOWN_AT_MOST:
        lines.append(f"… and {len(told.gone) - SHOWN_AT_MOST} more in sync again.")
    if told.new:
        lines.append("`reconcile drift` shows it in full; the next apply undoes it.")
    return "\n".join(lines).rstrip() + "\n"


def _new(change: Change, plan: Plan) -> Iterator[str]:
    missing = " is gone" if change.action == "create" else ""
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
    return f"{field.path}: text with {extra} lines of somebody else's, {missing} declared ones missing"


def _client(finding: str) -> str:
    return finding.split("/", 1)[0]
