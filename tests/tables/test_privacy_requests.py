"""The clocks of the law, the references that may outlive an erasure, and when reminders come."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from runtime.dispatch.privacy_reminders import next_reminder, reminder_text
from runtime.store.messages.privacy_requests import PrivacyRequest, RequestKind, due_of, is_content

CHILE = ZoneInfo("America/Santiago")
NEW_YEAR = {date(2027, 1, 1)}
DUE = datetime(2026, 12, 31, 2, 59, 59, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=CHILE)


@pytest.mark.parametrize(
    ("kind", "received", "due"),
    [
        ("access", "2026-12-01T10:30", "2026-12-31"),
        ("erasure", "2027-01-30T23:59", "2027-03-01"),
        ("blocking", "2026-12-01T10:30", "2026-12-03"),  # a Tuesday
        ("blocking", "2026-12-03T10:30", "2026-12-07"),  # a Thursday: the weekend does not count
        ("blocking", "2026-12-05T10:30", "2026-12-08"),  # a Saturday
        ("blocking", "2026-12-31T10:30", "2027-01-05"),  # before a holiday and a weekend
    ],
)
def test_when_the_law_wants_an_answer(kind: RequestKind, received: str, due: str) -> None:
    found = due_of(kind, at(received), NEW_YEAR)
    assert (f"{found:%Y-%m-%dT%H:%M:%S}", found.tzinfo) == (f"{due}T23:59:59", CHILE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ticket 1234", False),
        ("carta del 3-12-2026", False),
        ("sha256 " + "0123456789abcdef" * 4, False),
        ("ana@example.cl", True),
        ("+56 9 1234 5678", True),
        ("rut 12345678-9", True),
    ],
)
def test_what_a_reference_may_have(text: str, expected: bool) -> None:
    assert is_content(text) is expected


@pytest.mark.parametrize(("days", "next_days"), [(-30, -7), (-7, -2), (-3, -2), (-2, -1), (-1, 0), (0, 1), (4, 5)])
def test_reminders_come_before_it_is_due_and_daily_after_that(days: int, next_days: int) -> None:
    assert next_reminder(DUE, DUE + timedelta(days=days)) == DUE + timedelta(days=next_days)


def test_a_reminder_names_the_request_and_no_person() -> None:
    request = PrivacyRequest(
        7, "la-cocina", "erasure", "2026-12-01T13:30:00.000Z", "2026-12-31T02:59:59.000Z", "ana", *[None] * 7
    )
    title, body = reminder_text(request, DUE - timedelta(days=2), "America/Santiago")
    assert title == "la-cocina: la solicitud 7 (supresión) vence el 30-12-2026"
    assert body.splitlines()[0] == "Recibida: 2026-12-01. Falta confirmar la recepción a la persona."
    late, _ = reminder_text(request, DUE + timedelta(days=2), "America/Santiago")
    assert late.endswith("venció el 30-12-2026")
