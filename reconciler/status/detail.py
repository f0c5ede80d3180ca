"""Everything about one client, a line each."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.render.times import NEVER, local_minute, zone
from reconciler.render.wording import visible
from reconciler.status.row import ClientStatus
from reconciler.status.table import files_text, undelivered_text, wrapped

LABEL = 16
"""Characters of the longest label and the space after it."""


def detail_text(row: ClientStatus, *, width: int | None) -> str:
    """The facts, then what needs attention and the plan's other messages. `width`: characters that a line may have."""
    said = {item.text for item in row.attention}
    notes = [item.text for item in row.attention] + [text for text in row.problems if text not in said]
    lines = [f"{row.client}\n", *(_fact(label, value, width) for label, value in _facts(row))]
    if notes:
        lines += ["\n", *(wrapped(f"- {visible(text).rstrip('.')}.", width) for text in notes)]
    return "".join(lines)


def _facts(row: ClientStatus) -> Iterator[tuple[str, str]]:
    yield "name", row.name
    yield "state", row.state
    yield "answers", row.answers or NEVER
    yield "sync", row.sync
    yield "number", row.number
    yield "sender", (row.sender_status or "missing") if row.is_sender_read else "unread"
    yield "quality", row.quality_rating or NEVER
    yield "webhook", {"": "none", None: NEVER}.get(row.webhook, row.webhook) or NEVER
    yield "assistant", f"{row.assistant_id or NEVER} ({row.engine})"
    yield "model", _model(row)
    yield "documents", files_text(row)
    yield "bot", f"{row.bot_id or NEVER}{' (paused)' if row.bot_state == 'paused' else ''}"
    yield "last message", local_minute(row.last_message_at)
    yield "last turn", row.last_turn or NEVER
    yield "undelivered", undelivered_text(row)
    yield "last apply", local_minute(row.last_applied_at)
    yield "times", zone()


def _model(row: ClientStatus) -> str:
    days = row.model_days_left
    return row.model if days is None else f"{row.model} ({days} days until it is shut down)"


def _fact(label: str, value: str, width: int | None) -> str:
    return wrapped(f"  {label:<{LABEL}}{visible(value)}", width)
