"""A calendar month, and where it begins and ends in a time zone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

from runtime.errors import OperatorError
from runtime.store.database.times import timestamp


class BadMonth(OperatorError):
    """Not a month of which there can be a report."""


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A month of a year."""

    year: int
    number: int

    def __str__(self) -> str:
        return f"{self.year:04}-{self.number:02}"

    @property
    def before(self) -> Month:
        """The month before."""
        return Month(self.year - 1, 12) if self.number == 1 else Month(self.year, self.number - 1)

    @property
    def after(self) -> Month:
        """The month after."""
        return Month(self.year + 1, 1) if self.number == 12 else Month(self.year, self.number + 1)

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.after.first - self.first).days

    @property
    def first(self) -> date:
        """Its first day."""
        return date(self.year, self.number, 1)

    @property
    def last(self) -> date:
        """Its last day."""
        return self.after.first - timedelta(days=1)

    def begins(self, zone: tzinfo) -> datetime:
        """Its first midnight in a zone, in UTC."""
        return datetime(self.year, self.number, 1, tzinfo=zone).astimezone(UTC)

    def begins_text(self, zone: tzinfo) -> str:
        """The same as text of `timestamp`."""
        return timestamp(self.begins(zone).timestamp())


def month_of(moment: datetime) -> Month:
    """The month that a time is in, in its own zone."""
    return Month(moment.year, moment.month)


def present_month(now: datetime, zone: tzinfo) -> Month:
    """The newest month that has begun both in a zone, by which messages are counted, and in UTC, by which costs are."""
    return min(month_of(now.astimezone(zone)), month_of(now.astimezone(UTC)))


def parsed_month(text: str, now: datetime) -> Month:
    """`2026-11`, which must have begun in UTC. Raises `BadMonth`."""
    found = re.fullmatch(r"([0-9]{4})-(0[1-9]|1[0-2])", text)
    if found is None or int(found[1]) < 1000:
        raise BadMonth(f"--month {text!r} is not a month; write its year and number, as {month_of(now)}.")
    month = Month(int(found[1]), int(found[2]))
    current = month_of(now.astimezone(UTC))
    if month > current:
        raise BadMonth(
            f"--month {month} is still to come; the newest month of which there can be a report is {current}."
        )
    return month
