"""The month that a report in the console is of."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import cast

import pytest

from runtime.console import reports
from runtime.console.page import Declined, Visit
from runtime.console.reports import month_asked_for


class LateInNovember(datetime):
    """22:00 on 30 November in Chile."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> LateInNovember:
        return cls(2026, 12, 1, 1, tzinfo=UTC).astimezone(tz)


class Asking:
    def __init__(self, month: str) -> None:
        self.month = month

    def query(self, name: str) -> str:
        return self.month if name == "month" else ""


def month(asked: str) -> str:
    return str(month_asked_for(cast("Visit", Asking(asked)), "America/Santiago"))


@pytest.mark.parametrize(("asked", "shown"), [("", "2026-11"), ("2026-10", "2026-10"), ("2026-12", "2026-12")])
def test_it_is_the_one_that_lasts_where_the_agency_is(monkeypatch: pytest.MonkeyPatch, asked: str, shown: str) -> None:
    monkeypatch.setattr(reports, "datetime", LateInNovember)
    assert month(asked) == shown


@pytest.mark.parametrize("asked", ["2027-01", "enero"])
def test_no_other_is_shown(monkeypatch: pytest.MonkeyPatch, asked: str) -> None:
    monkeypatch.setattr(reports, "datetime", LateInNovember)
    with pytest.raises(Declined):
        month(asked)
