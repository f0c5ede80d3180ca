"""When a client's people attend: open now, the next opening, since when it is closed, and that in words. Pure.

All times are compared in UTC, so a day with a change of the clock has its real length; spans are of the clock on the
wall of the client's zone. `next_opening` is what a handoff to a person tells too ("responderemos desde las 9:00").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from schemas.client_language import ClientLanguage
from schemas.holiday_dates import is_holiday
from schemas.hours import Hours, matches

LOOK_DAYS: Final = 31
"""How far an opening or a closing is looked for, in days."""


def is_open(hours: Hours, zone: str, at: datetime) -> bool:
    """Whether people attend at a time. `zone`: a name of the tz database."""
    return any(start <= at < end for start, end in _spans(hours, zone, at, -1, 0))


def next_opening(hours: Hours, zone: str, at: datetime) -> datetime | None:
    """When people attend next, in the zone: `at` itself while they do; None where nothing opens within LOOK_DAYS."""
    if is_open(hours, zone, at):
        return at.astimezone(ZoneInfo(zone))
    starts = (start for start, _ in _spans(hours, zone, at, 0, LOOK_DAYS) if start > at)
    first = next(starts, None)
    return None if first is None else first.astimezone(ZoneInfo(zone))


def closed_since(hours: Hours, zone: str, at: datetime) -> datetime | None:
    """Of a time that is closed: the last closing before it, in UTC; None where that is longer ago than LOOK_DAYS."""
    return max((end for _, end in _spans(hours, zone, at, -LOOK_DAYS, 0) if end <= at), default=None)


def opening_in_words(opening: datetime, now: datetime, language: ClientLanguage = "es") -> str:
    """An opening as people say it: `hoy desde las 9:00`, `mañana desde las 9:00`, `el lunes desde las 9:00`, `el 4 de
    enero desde las 9:00`. `opening` with its zone; `now` with any."""
    days = (opening.date() - now.astimezone(opening.tzinfo).date()).days
    words = _WORDS[language]
    if days <= 1:
        day = words.near[max(days, 0)]
    elif days < 7:
        day = words.weekdays[opening.weekday()]
    else:
        day = words.date.format(day=opening.day, month=words.months[opening.month - 1])
    clock = words.from_one if opening.hour in words.ones else words.from_many
    return f"{day} {clock.format(time=f'{opening.hour}:{opening.minute:02}')}"


def _spans(hours: Hours, zone: str, at: datetime, first: int, last: int) -> Iterator[tuple[datetime, datetime]]:
    """The spans that begin from `first` to `last` days after the day of `at` in the zone, in UTC, in their order."""
    where = ZoneInfo(zone)
    today = at.astimezone(where).date()
    for distance in range(first, last + 1):
        day = today + timedelta(days=distance)
        if _is_closed_day(hours, day):
            continue
        midnight = datetime.combine(day, time())
        for start, end in hours.week[day.weekday()]:
            yield _utc(midnight + timedelta(minutes=start), where), _utc(midnight + timedelta(minutes=end), where)


def _utc(wall: datetime, where: ZoneInfo) -> datetime:
    return wall.replace(tzinfo=where).astimezone(UTC)


def _is_closed_day(hours: Hours, day: date) -> bool:
    if matches(day, hours.extra):
        return True
    return hours.holidays is not None and is_holiday(hours.holidays, day) and not matches(day, hours.excepted)


class _Words:
    """How a language says when something opens."""

    def __init__(
        self,
        near: tuple[str, str],
        weekdays: str,
        months: str,
        date: str,
        clocks: tuple[str, str],
        ones: tuple[int, ...],
    ) -> None:
        self.near = near
        self.weekdays = weekdays.split(", ")
        self.months = months.split()
        self.date = date
        self.from_many, self.from_one = clocks
        self.ones = ones


_WORDS: Final[Mapping[ClientLanguage, _Words]] = {
    "es": _Words(
        ("hoy", "mañana"),
        "el lunes, el martes, el miércoles, el jueves, el viernes, el sábado, el domingo",
        "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
        "el {day} de {month}",
        ("desde las {time}", "desde la {time}"),
        (1,),
    ),
    "en": _Words(
        ("today", "tomorrow"),
        "on Monday, on Tuesday, on Wednesday, on Thursday, on Friday, on Saturday, on Sunday",
        "January February March April May June July August September October November December",
        "on {day} {month}",
        ("from {time}", "from {time}"),
        (),
    ),
    "pt": _Words(
        ("hoje", "amanhã"),
        "na segunda-feira, na terça-feira, na quarta-feira, na quinta-feira, na sexta-feira, no sábado, no domingo",
        "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
        "em {day} de {month}",
        ("a partir das {time}", "a partir da {time}"),
        (0, 1),
    ),
}
