"""What the fleet says of a client, by what the store has of it."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from runtime.console.fleet import FILTERS, judged, spent_percent
from runtime.store.console.fleet import FleetRow, MonthOfClient
from runtime.store.database.times import timestamp

NOW = time.time()
HOUR_AGO, NOW_TEXT = timestamp(NOW - 3600), timestamp(NOW)
ROW = FleetRow("bot", "cocina", "La Cocina", "+1", "active", "gpt", True, HOUR_AGO, False, HOUR_AGO)


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests are collected minutes before they run."""
    monkeypatch.setattr("runtime.store.database.times.time.time", lambda: NOW)


@pytest.mark.parametrize(
    ("row", "answers"),
    [
        (ROW, "answers"),
        (replace(ROW, last_inbound=None), "unused"),
        (replace(ROW, open_since=timestamp(NOW - 30)), "answers"),
        (replace(ROW, open_since=timestamp(NOW - 600)), "silent"),
        (replace(ROW, dead_letters=1, dead_at=NOW_TEXT), "silent"),
        (replace(ROW, dead_letters=1, dead_at=timestamp(NOW - 7200)), "degraded"),
        (replace(ROW, dead_letters=1, dead_at=timestamp(NOW - 3 * 86_400)), "answers"),
        (replace(ROW, state="paused", dead_at=NOW_TEXT), "paused"),
    ],
)
def test_whether_a_client_answers(row: FleetRow, answers: str) -> None:
    assert judged(row).answers == answers


@pytest.mark.parametrize(
    ("row", "sync"),
    [
        (ROW, "applied"),
        (replace(ROW, is_changed_by_hand=True), "differs"),
        (replace(ROW, is_declared=False), "by_hand"),
        (replace(ROW, found="in_sync"), "applied"),
        (replace(ROW, found="differs"), "differs"),
        (replace(ROW, found="unresolved"), "unresolved"),
        (replace(ROW, found="withheld"), "unresolved"),
        (replace(ROW, found="error"), "unresolved"),
        (replace(ROW, found="unresolved", is_changed_by_hand=True), "differs"),
    ],
)
def test_whether_a_client_stands_as_declared(row: FleetRow, sync: str) -> None:
    assert judged(row).sync == sync


def test_the_most_urgent_comes_first() -> None:
    rows = [
        replace(ROW, client="a-fine"),
        replace(ROW, client="b-differs", is_changed_by_hand=True),
        replace(ROW, client="c-waiting", waiting_people=2),
        replace(ROW, client="d-failing", dead_at=timestamp(NOW - 7200)),
        replace(ROW, client="e-silent", dead_at=NOW_TEXT),
    ]
    ordered = sorted(map(judged, rows), key=lambda line: line.urgency)
    assert [line.row.client[0] for line in ordered] == ["e", "d", "c", "b", "a"]


def test_a_model_that_ends_within_ninety_days_is_found_by_its_filter() -> None:
    today = datetime.now(UTC).date()
    soon, late = (judged(replace(ROW, model_ends=today + timedelta(days=days))) for days in (90, 91))
    assert (soon.model_days, FILTERS["model"](soon), FILTERS["model"](late)) == (90, True, False)


def test_a_budget_s_part_is_shown_in_percent() -> None:
    assert spent_percent(MonthOfClient(900, 0, None, 1_000)) == 90
    assert spent_percent(MonthOfClient(900, 0, None, None)) is None
