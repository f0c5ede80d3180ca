"""Opening hours: spans of a day and past midnight, holidays, changes of the clock, and the next opening in words."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from runtime.turns.opening_hours import closed_since, is_open, next_opening, opening_in_words
from schemas.client_language import ClientLanguage
from schemas.hours import DAY_KEYS, WEEKDAYS, Hours, Overlap, overlaps

ZONE = "America/Santiago"
SHOP = Hours.model_validate(
    {"lun-vie": ["09:00-13:00", "14:30-18:30"], "sab": ["20:00-02:00"], "holidays": "CL", "extra": ["12-24"]}
)


def at(text: str, zone: str = ZONE) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


@pytest.mark.parametrize(
    ("now", "opening"),
    [
        ("2026-11-30T09:00", "2026-11-30T09:00"),  # a Monday, open: now
        ("2026-11-30T12:59", "2026-11-30T12:59"),
        ("2026-11-30T13:00", "2026-11-30T14:30"),  # the end is closed
        ("2026-11-30T03:00", "2026-11-30T09:00"),
        ("2026-11-30T18:30", "2026-12-01T09:00"),
        ("2026-12-07T20:00", "2026-12-09T09:00"),  # Tuesday the 8th is a holiday
        ("2026-12-23T19:00", "2026-12-26T20:00"),  # the 24th is an extra day, the 25th a holiday
        ("2026-12-05T23:30", "2026-12-05T23:30"),  # Saturday night
        ("2026-12-06T01:59", "2026-12-06T01:59"),  # and past midnight
        ("2026-12-06T02:00", "2026-12-07T09:00"),
    ],
)
def test_the_next_opening(now: str, opening: str) -> None:
    assert next_opening(SHOP, ZONE, at(now)) == at(opening)
    assert is_open(SHOP, ZONE, at(now)) is (now == opening)


def test_a_region_s_holiday_is_closed_there_only_and_an_excepted_one_is_not() -> None:
    morro = at("2027-06-07T10:00")  # the assault on the Morro: Arica only, a Monday
    regional, national = ({"lun": ["09:00-13:00"], "holidays": region} for region in ("CL-AP", "CL"))

    assert not is_open(Hours.model_validate(regional), ZONE, morro)
    assert is_open(Hours.model_validate(national), ZONE, morro)
    assert is_open(Hours.model_validate({**regional, "excepted": ["2027-06-07"]}), ZONE, morro)
    assert is_open(Hours.model_validate({**regional, "excepted": ["06-07"]}), ZONE, morro)


def test_a_day_on_which_the_clock_changes_has_its_real_length() -> None:
    night = Hours.model_validate({"sab": ["22:00-03:00"]})
    # In Santiago 2026-04-05T00:00 was 2026-04-04T23:00 again: this span takes six hours, and ends at 03:00.
    start = at("2026-04-04T22:00").astimezone(ZoneInfo("UTC"))
    assert is_open(night, ZONE, start + timedelta(hours=5, minutes=59))
    assert not is_open(night, ZONE, start + timedelta(hours=6))
    # 2026-09-06 has no 00:00: what begins then begins at 01:00.
    early = Hours.model_validate({"dom": ["00:00-08:00"]})
    opening = next_opening(early, ZONE, at("2026-09-05T12:00"))
    assert opening is not None
    assert opening.isoformat() == "2026-09-06T01:00:00-03:00"


@pytest.mark.parametrize(
    ("now", "since"),
    [
        ("2026-11-30T13:30", "2026-11-30T13:00"),
        ("2026-11-30T08:00", "2026-11-29T02:00"),  # since Saturday night
        ("2026-12-08T12:00", "2026-12-07T18:30"),  # a holiday
    ],
)
def test_since_when_it_is_closed(now: str, since: str) -> None:
    assert closed_since(SHOP, ZONE, at(now)) == at(since)


@pytest.mark.parametrize(
    ("opening", "language", "words"),
    [
        ("2026-12-02T09:00", "es", "hoy desde las 9:00"),
        ("2026-12-03T09:00", "es", "mañana desde las 9:00"),
        ("2026-12-07T13:05", "es", "el lunes desde las 13:05"),
        ("2026-12-05T01:30", "es", "el sábado desde la 1:30"),
        ("2027-01-04T09:00", "es", "el 4 de enero desde las 9:00"),
        ("2026-12-07T09:00", "en", "on Monday from 9:00"),
        ("2027-01-04T09:00", "en", "on 4 January from 9:00"),
        ("2026-12-05T09:00", "pt", "no sábado a partir das 9:00"),
        ("2026-12-03T00:00", "pt", "amanhã a partir da 0:00"),
    ],
)
def test_an_opening_in_words(opening: str, language: ClientLanguage, words: str) -> None:
    assert opening_in_words(at(opening), at("2026-12-02T01:00"), language) == words


def test_what_never_opens_has_no_opening() -> None:
    never = Hours.model_validate(
        {"lun": ["09:00-10:00"], "extra": [f"{m:02}-{d:02}" for m in (1, 2) for d in range(1, 29)]}
    )
    assert next_opening(never, ZONE, at("2027-01-02T00:00")) is None
    assert closed_since(never, ZONE, at("2027-02-28T00:00")) is None


def test_days_and_runs_of_days_are_keys() -> None:
    assert DAY_KEYS["lun-vie"] == (0, 1, 2, 3, 4)
    assert DAY_KEYS["dom-jue"] == (6, 0, 1, 2, 3)
    assert len(DAY_KEYS) == 49
    assert set(DAY_KEYS) < set(Hours.model_fields)


@pytest.mark.parametrize(
    ("days", "found"),
    [
        ({"lun": ["09:00-13:00", "13:00-18:00"]}, []),
        ({"lun": ["09:00-13:00", "12:59-18:00"]}, [Overlap("lun", 1, "lun", "09:00-13:00")]),
        ({"lun-vie": ["09:00-18:00"], "vie": ["10:00-12:00"]}, [Overlap("vie", 0, "lun-vie", "09:00-18:00")]),
        ({"lun-vie": ["09:00-18:00"], "vie": ["20:00-22:00"]}, []),
        ({"sab": ["20:00-02:00"], "dom": ["01:00-05:00"]}, [Overlap("dom", 0, "sab", "20:00-02:00")]),
        ({"dom": ["20:00-02:00"], "lun": ["01:00-05:00"]}, [Overlap("lun", 0, "dom", "20:00-02:00")]),
        ({"lun-dom": ["00:00-24:00"]}, []),
        ({"lun-dom": ["08:00-09:00", "23:00-08:30"]}, [Overlap("lun-dom", 0, "lun-dom", "23:00-08:30")]),
        ({"lun": ["nonsense"], "holidays": ["x"]}, []),
    ],
)
def test_spans_that_share_time_are_found_also_across_midnight_and_weeks(
    days: dict[str, list[str]], found: list[Overlap]
) -> None:
    assert list(overlaps(days)) == found


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({"lun": ["9:00-13:00"]}, "string_pattern_mismatch"),
        ({"lun": ["09:00-25:00"]}, "string_pattern_mismatch"),
        ({"lun": ["09:00-09:00"]}, "empty_span"),
        ({"lun": []}, "too_short"),
        ({"lunes": ["09:00-13:00"]}, "extra_forbidden"),
        ({"lun-lun": ["09:00-13:00"]}, "extra_forbidden"),
        ({"extra": ["2026-02-30"]}, "calendar_day"),
        ({"extra": ["13-01"]}, "calendar_day"),
        ({"extra": ["24/12"]}, "string_pattern_mismatch"),
        ({"holidays": "Chile"}, "string_pattern_mismatch"),
        ({"outside": "silent"}, "literal_error"),
    ],
)
def test_what_is_not_an_hour_is_refused(values: dict[str, object], kind: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Hours.model_validate(values)
    assert [error["type"] for error in refused.value.errors()] == [kind]


minutes = st.integers(0, 24 * 60 - 1).map(lambda minute: f"{minute // 60:02}:{minute % 60:02}")
spans = st.tuples(minutes, minutes).filter(lambda ends: ends[0] != ends[1]).map("-".join)


@given(
    days=st.dictionaries(st.sampled_from(WEEKDAYS), st.lists(spans, min_size=1, max_size=2), min_size=1),
    minute=st.integers(0, 366 * 24 * 60),
)
def test_nothing_is_open_between_now_and_the_next_opening(days: dict[str, list[str]], minute: int) -> None:
    hours = Hours.model_validate(days)
    now = at("2026-01-01T00:00").astimezone(ZoneInfo("UTC")) + timedelta(minutes=minute)

    opening = next_opening(hours, ZONE, now)

    assert opening is not None
    assert is_open(hours, ZONE, opening)
    assert is_open(hours, ZONE, now) is (opening == now)
    if opening > now:
        middle = now + (opening - now) / 2
        assert not is_open(hours, ZONE, middle)
        assert not is_open(hours, ZONE, opening - timedelta(seconds=1))
        assert next_opening(hours, ZONE, middle) == opening
