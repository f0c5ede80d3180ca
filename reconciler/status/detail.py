"""Everything about one client, a line each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import takewhile

from reconciler.render.times import NEVER, local_minute, zone
from reconciler.render.wording import visible
from reconciler.status.budget import budget_text
from reconciler.status.canary import canary_text, comparison_lines
from reconciler.status.row import REPLY_DAYS, ClientStatus
from reconciler.status.table import files_text, undelivered_text, wrapped
from runtime.store.activity_records import RetentionRecord
from terminal.language import label, said

LABEL = 16
"""Characters of the longest label and the space after it."""


def detail_text(row: ClientStatus, *, width: int | None) -> str:
    """The facts, then what needs attention and the plan's other messages. `width`: characters that a line may have."""
    known = {item.text for item in row.attention}
    notes = [item.text for item in row.attention] + [text for text in row.problems if text not in known]
    lines = [f"{row.client}\n", *(_fact(name, value, width) for name, value in _facts(row))]
    if row.canary is not None and (compared := [*comparison_lines(row.canary)]):
        lines += ["\n", *(f"  {line}\n" for line in compared)]
    if notes:
        lines += ["\n", *(wrapped(f"- {said(visible(text)).rstrip('.')}.", width) for text in notes)]
    return "".join(lines)


def _facts(row: ClientStatus) -> Iterator[tuple[str, str]]:
    yield "name", row.name
    yield "state", label(row.state)
    yield "answers", label(row.answers or NEVER)
    yield "sync", label(row.sync)
    yield "number", row.number
    yield "sender", (row.sender_status or label("missing")) if row.is_sender_read else label("unread")
    yield "quality", _since(row.quality_rating, [(one.quality, one.since) for one in row.ratings])
    yield "limit", _since(row.messaging_limit, [(one.messaging_limit, one.since) for one in row.ratings])
    yield "webhook", {"": label("none"), None: NEVER}.get(row.webhook, row.webhook) or NEVER
    yield "assistant", f"{row.assistant_id or NEVER} ({row.engine})"
    yield "model", _model(row)
    yield "documents", files_text(row)
    paused = f" ({label('paused')})" if row.bot_state == "paused" else ""
    yield "bot", f"{row.bot_id or NEVER}{paused}"
    yield "last message", local_minute(row.last_message_at)
    yield "last turn", row.last_turn or NEVER
    yield "undelivered", undelivered_text(row)
    yield "messages", _messages(row)
    yield "replies saved", _saved(row)
    yield "budget", said(budget_text(row.budget)) if row.budget is not None else NEVER
    if row.template_events is not None:
        yield "template events", label(row.template_events)
    if row.requests:
        yield "requests", said(f"{row.requests} of people, the first is due {local_minute(row.request_due_at)}")
    if row.blocked:
        yield "blocked", said("1 person" if row.blocked == 1 else f"{row.blocked} people")
    if row.erasures:
        yield "erasures", said(f"{row.erasures} not complete elsewhere, which the service tries again")
    if row.canary is not None:
        yield "canary", said(canary_text(row.canary))
    if row.retention is not None:
        yield "retention", retention_text(row.retention)
    yield "last apply", local_minute(row.last_applied_at)
    yield "times", zone()


def _since(now: str | None, past: Sequence[tuple[str | None, str]]) -> str:
    """What holds now, since when, and what did before. `past`: values and when they were first seen, newest first."""
    shown = now or NEVER
    same = [*takewhile(lambda one: one[0] == now, past)]
    if not same:
        return shown
    former = f"; {past[len(same)][0] or NEVER} before" if len(past) > len(same) else ""
    return said(f"{shown} since {local_minute(same[-1][1])}{former}")


def _model(row: ClientStatus) -> str:
    days = row.model_days_left
    return row.model if days is None else said(f"{row.model} ({days} days until it is shut down)")


def _messages(row: ClientStatus) -> str:
    """Each message of an answer is paid for."""
    if row.replies is None or not row.replies.answered:
        return NEVER
    each = row.replies.messages / row.replies.answered
    return said(
        f"{each:.2f} per answered question in {REPLY_DAYS} days ({row.replies.messages} for {row.replies.answered})"
    )


def _saved(row: ClientStatus) -> str:
    counts = row.replies
    if counts is None or not counts.saved:
        return NEVER
    return said(
        f"{counts.saved} in {REPLY_DAYS} days ({counts.saved_by_list} to thanks, {counts.saved_by_model} by the model)"
    )


def retention_text(run: RetentionRecord) -> str:
    """`2026-11-29 12:00: 1,204 messages, 310 people deleted; kept: 2 dead letters`."""
    deleted = ", ".join(f"{count:,} {sort}" for sort, count in run.deleted.items()) or "nothing"
    kept = ", ".join(f"{count:,} {sort.replace('_', ' ')}" for sort, count in run.kept.items())
    when = local_minute(run.ended_at) if run.ended_at is not None else said(f"since {local_minute(run.began_at)}")
    return said(f"{when}: {deleted} deleted") + (said(f"; over and kept: {kept}") if kept else "")


def _fact(name: str, value: str, width: int | None) -> str:
    return wrapped(f"  {label(name):<{LABEL}}{visible(value)}", width)
