"""What an operator has to act on, of one client. Pure: of its row, and of what the plan says about it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from reconciler.model import Finding
from reconciler.render.times import local_minute
from reconciler.status.budget import BudgetStatus, budget_text
from reconciler.status.canary import stopped_text
from reconciler.status.row import Attention, ClientStatus
from reconciler.status.undelivered import blocking, undelivered
from runtime.store.database.times import timestamp
from schemas.models import NOTICE_DAYS

REQUEST_DAYS = 7
"""A person's request that is due by law within this many days needs attention."""
SOON = NOTICE_DAYS[0]
"""A model's shutdown within this many days needs attention."""


def attention(row: ClientStatus, findings: Sequence[Finding]) -> Iterator[Attention]:
    """All of it, what stops the client first. `findings`: the plan's about this client."""
    yield from _of_plan(row, findings)
    yield from _of_sender(row, findings)
    if row.answers == "failed":
        yield Attention("answers", f"the last message got no answer: {row.last_error or 'no reason is recorded'}")
    blocked = blocking(row.undelivered)
    if blocked:
        yield Attention("delivery", undelivered(blocked))
    for variable, use in (row.missing_secrets or {}).items():
        yield Attention("secrets", f"{variable} is not set where the runtime runs ({use})")
    yield from _of_assistant(row, findings)
    if row.canary is not None and row.canary.stopped_at is not None:
        yield Attention("canary", stopped_text(row.canary, row.client))
    if row.budget is not None and row.budget.percent >= 100:
        yield Attention("budget", _budget(row.budget))
    if row.request_due_at is not None and row.request_due_at <= timestamp(time.time() + REQUEST_DAYS * 86_400):
        yield Attention("requests", _requests(row))
    if row.loops:
        yield Attention("loops", _loops(row))


def _of_plan(row: ClientStatus, findings: Sequence[Finding]) -> Iterator[Attention]:
    if row.sync == "unresolved":
        yield Attention("reading", "a source of it could not be read, so it is not known whether it is in sync")
    for finding in findings:
        if finding.severity != "notice":
            yield Attention(finding.kind or "manifest", finding.message)


def _of_sender(row: ClientStatus, findings: Sequence[Finding]) -> Iterator[Attention]:
    if not row.is_sender_read:
        return
    if not row.is_online and not any(finding.kind == "sender" for finding in findings):
        yield Attention("sender", f"{row.number} is {row.sender_status or 'no WhatsApp sender'}")
    if row.webhook not in (None, "ours"):
        called = f"calls {row.webhook}" if row.webhook else "has no webhook"
        yield Attention("webhook", f"the sender {called}, so messages do not come here; `reconcile` attaches it")
    if row.quality_rating == "LOW":
        yield Attention("quality", "Meta rates the number's quality as low and may limit or lock it")


def _of_assistant(row: ClientStatus, findings: Sequence[Finding]) -> Iterator[Attention]:
    days = row.model_days_left
    is_said = any(finding.kind == "assistant" and repr(row.model) in finding.message for finding in findings)
    if days is not None and days <= SOON and not is_said:
        yield Attention(
            "model", f"{row.model} is shut down in {days} days" if days > 0 else f"{row.model} is shut down"
        )
    if row.knowledge_failed:
        count = "1 document" if row.knowledge_failed == 1 else f"{row.knowledge_failed} documents"
        yield Attention("documents", f"{count} could not be indexed, so no search finds what they say")


def _requests(row: ClientStatus) -> str:
    count = "a person's request" if row.requests == 1 else f"{row.requests} requests of people, the first of them"
    return (
        f"{count} is to be answered by {local_minute(row.request_due_at)}; "
        f"`horizonai-whatsapp-bot person requests --client {row.client}` lists them"
    )


def _budget(budget: BudgetStatus) -> str:
    effect = {
        "notify": "nothing stops",
        "pause": "it gets no answers, and proactive messages are refused, until the next month or a higher budget",
        "cheaper_model": "its cheaper model answers until the next month",
    }[budget.on_exceeded]
    return f"the budget of {budget.month} is used up: {budget_text(budget)}; {effect}"


def _loops(row: ClientStatus) -> str:
    paused = "1 conversation is" if row.loops == 1 else f"{row.loops} conversations are"
    return (
        f"{paused} paused until {local_minute(row.loops_until)}, since a program answers there; "
        "the log line loop_detected has its number and the sign"
    )
