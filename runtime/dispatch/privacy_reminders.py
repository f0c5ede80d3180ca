"""Reminders of what people asked for under the law: 7 days, 2 days and a day before it is due, as it is, and every day
after that, until it is answered.

    registered ──► timer ──► channels of ALERT_NOTIFY ──► the next time ──► … ──► answered: the timer is cancelled

A reminder names the request, the client and the day; never the person. It may come twice where a process crashes while
it is sent, never not at all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import structlog

from notifications.channels import channel_of, is_understood, send, shown
from runtime.dispatch.timers import RunAgain, Timers
from runtime.store.database.database import Database
from runtime.store.messages import privacy_requests
from runtime.store.messages.privacy_requests import NoRequest, PrivacyRequest, RequestKind
from runtime.store.timers import Timer

BEFORE: Final = (timedelta(days=7), timedelta(days=2), timedelta(days=1), timedelta(0))
"""How long before it is due a reminder comes."""
OVERDUE: Final = timedelta(days=1)
"""Between two reminders of one that is overdue."""
PAUSE_SECONDS: Final = 300.0
"""Before a channel that refused is tried again."""
ATTEMPTS: Final = 10
KINDS_ES: Final[dict[RequestKind, str]] = {
    "access": "acceso a sus datos",
    "rectification": "rectificación",
    "erasure": "supresión",
    "objection": "oposición",
    "blocking": "bloqueo",
    "portability": "portabilidad",
    "review": "revisión de una decisión automatizada",
}

log = structlog.get_logger("runtime.privacy")


@dataclass(frozen=True, slots=True)
class PrivacyReminders:
    """The handler of these timers."""

    database: Database
    channels: Sequence[str]
    """Addresses of the setting ALERT_NOTIFY."""
    timezone: str
    """In which days are written."""

    def begin(self, timers: Timers) -> None:
        """Runs the timers in this process."""
        timers.register(privacy_requests.REMINDER, self.remind)

    async def remind(self, timer: Timer) -> RunAgain | None:
        """Reminds of a request; again while a channel refuses."""
        try:
            request = await self.database.read(privacy_requests.get, int(timer.key))
        except NoRequest:
            return None
        if request.answered_at is not None:
            return None
        now = datetime.now(UTC)
        due = datetime.fromisoformat(request.due_at)
        left, attempt = timer.payload.get("left"), int(timer.payload.get("attempt", 1))
        if left is None:
            is_overdue = now >= due
            log.warning("privacy_request_due", request=request.id, client=request.client, overdue=is_overdue)
        urls = [url for url in self.channels if left is None or channel_of(url) in left]
        refused = [url for url in urls if not await self._send(url, request, now)]
        if refused and attempt < ATTEMPTS:
            return RunAgain(PAUSE_SECONDS, {"left": [channel_of(url) for url in refused], "attempt": attempt + 1})
        return RunAgain((next_reminder(due, now) - now).total_seconds())

    async def _send(self, url: str, request: PrivacyRequest, now: datetime) -> bool:
        """Whether a channel accepted the reminder. One that Apprise does not understand never will."""
        if not await asyncio.to_thread(is_understood, url):
            log.error("setting_malformed", setting="ALERT_NOTIFY", problem=f"Apprise does not understand {shown(url)}")
            return True
        title, body = reminder_text(request, now, self.timezone)
        refused = await asyncio.to_thread(send, url, title, body, "warning")
        if refused is None:
            log.info("privacy_reminder_sent", request=request.id, channel=shown(url))
        else:
            log.warning("privacy_reminder_refused", channel=shown(url), reason=refused.lstrip(": "))
        return refused is None


def next_reminder(due: datetime, now: datetime) -> datetime:
    """When the next reminder comes of a request that is due then."""
    return next((at for at in (due - before for before in BEFORE) if at > now), now + OVERDUE)


def reminder_text(request: PrivacyRequest, now: datetime, timezone: str) -> tuple[str, str]:
    """Title and text of a reminder, for operators."""
    due = datetime.fromisoformat(request.due_at).astimezone(ZoneInfo(timezone))
    day = f"{due:%d-%m-%Y}"
    when = f"venció el {day}" if now >= due else f"vence el {day}"
    title = f"{request.client}: la solicitud {request.id} ({KINDS_ES[request.kind]}) {when}"
    lines = [
        f"Recibida: {request.received_at[:10]}. "
        + ("Recepción confirmada." if request.acknowledged_at else "Falta confirmar la recepción a la persona."),
        f"horizonai-whatsapp-bot person requests --client {request.client}",
        "Al responder: horizonai-whatsapp-bot person requests "
        f"--answer {request.id} --outcome granted --proof REFERENCIA",
    ]
    if request.kind not in ("blocking",) and request.extended_at is None:
        lines.append(f"Si hace falta más tiempo, una vez: --extend {request.id} --because REFERENCIA (30 días más)")
    return title, "\n".join(lines)
