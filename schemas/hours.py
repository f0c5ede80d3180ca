"""When a client's people attend: spans of each weekday, holidays, and what happens outside of them.

    hours: {lun-vie: ["09:00-13:00", "14:30-18:30"], sab: ["20:00-02:00"], holidays: CL, outside: answer}

A span that ends before it begins, or when it begins the next day's 00:00, goes past midnight and belongs to the day on
which it begins. A day without a key is closed, and so is a holiday.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NamedTuple

from pydantic import AfterValidator, ConfigDict, Field, GetCoreSchemaHandler, StringConstraints, create_model
from pydantic_core import CoreSchema, PydanticCustomError

from schemas.strict import Strict

WEEKDAYS: Final = ("lun", "mar", "mie", "jue", "vie", "sab", "dom")
"""In the order of `date.weekday`."""
DAY_MINUTES: Final = 24 * 60
MOST_SPANS: Final = 6
"""Of one day."""

_SPAN: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-(?:([01][0-9]|2[0-3]):([0-5][0-9])|(24):(00))")
_YEARLY: Final = re.compile(r"[0-9]{2}-[0-9]{2}")
_LEAP_YEAR: Final = "2028-"


class TimeSpan(NamedTuple):
    """A span of one day, in minutes from its 00:00 on the clock of the zone; above DAY_MINUTES: past midnight."""

    start: int
    end: int


def _known_day(day: str) -> str:
    try:
        date.fromisoformat(_LEAP_YEAR + day if _YEARLY.fullmatch(day) else day)
    except ValueError:
        raise PydanticCustomError("calendar_day", "is not a day") from None
    return day


def _not_empty(span: str) -> str:
    start, _, end = span.partition("-")
    if start == end:
        raise PydanticCustomError("empty_span", "is an empty span")
    return span


Span = Annotated[
    str,
    StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]-(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"),
    AfterValidator(_not_empty),
]
"""`09:00-13:00`; `20:00-02:00` goes past midnight, `00:00-24:00` is a whole day."""


class _BuiltOnce:
    """Marks a type whose schema is built at its first use, for all fields of it: fifty keys have this one."""

    def __init__(self) -> None:
        self._schema: CoreSchema | None = None

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        if self._schema is None:
            self._schema = handler(source)
        return self._schema


Spans = Annotated[list[Span], Field(min_length=1, max_length=MOST_SPANS), _BuiltOnce()]
Day = Annotated[str, StringConstraints(pattern=r"^([0-9]{4}-)?[0-9]{2}-[0-9]{2}$"), AfterValidator(_known_day)]
"""`2026-12-24`, or `12-24` for that day of every year."""
Region = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,6})?$")]
"""A country of ISO 3166, or a region of one: `CL`, `CL-AP`. Whether its holidays are known is checked with the
manifest, which imports the package that knows; a message waits for no import."""

DAY_KEYS: Final[Mapping[str, Sequence[int]]] = {
    **{name: (number,) for number, name in enumerate(WEEKDAYS)},
    **{
        f"{first}-{last}": tuple((start + step) % 7 for step in range((end - start) % 7 + 1))
        for start, first in enumerate(WEEKDAYS)
        for end, last in enumerate(WEEKDAYS)
        if start != end
    },
}
"""Keys of weekdays and of runs of them, with their numbers: `lun-vie`, `dom-jue`, `sab`."""


def _with_patterns(schema: dict[str, Any]) -> None:
    """Describes all keys of days by one pattern: fifty equal properties would tell a reader nothing."""
    properties = schema["properties"]
    spans = properties[WEEKDAYS[0]]
    for key in DAY_KEYS:
        del properties[key]
    name = f"({'|'.join(WEEKDAYS)})"
    schema["patternProperties"] = {f"^{name}(-{name})?$": {**spans, "title": "Spans of these days"}}


if TYPE_CHECKING:

    class _Days(Strict):
        """The keys of days, which are fields."""
else:
    _DAY = Field(
        default=None,
        description="From when to when people attend on these weekdays.",
        examples=[["09:00-13:00", "14:30-18:30"]],
    )
    _Days = create_model("_Days", __base__=Strict, **dict.fromkeys(DAY_KEYS, (Spans | None, _DAY)))


class Hours(_Days):
    """When a client's people attend, and what happens outside of these hours."""

    model_config = ConfigDict(json_schema_extra=_with_patterns)

    holidays: Region | None = Field(
        default=None,
        description="Whose public holidays are closed: a country, or a region of one; none without it.",
        examples=["CL"],
    )
    extra: Annotated[list[Day], Field(max_length=60)] | None = Field(
        default=None,
        description="Further days that are closed; without a year: every year.",
        examples=[["2026-12-24", "12-31"]],
    )
    excepted: Annotated[list[Day], Field(max_length=60)] | None = Field(
        default=None,
        description="Holidays that are days like any other; without a year: every year.",
        examples=[["2026-10-31"]],
    )
    outside: Literal["answer", "say", "away"] | None = Field(
        default=None,
        description=(
            "What happens outside of them. answer (also without it): the assistant answers. say: it answers, and its "
            "first answer of each time that is closed says so. away: one message says so, at most once a day, and "
            "nothing else is answered."
        ),
        examples=["away"],
    )
    message: Annotated[str, StringConstraints(min_length=1, max_length=600)] | None = Field(
        default=None,
        description=(
            "What say and away tell the person; {opening} becomes when people attend again, such as `mañana desde las "
            "9:00`, in the client's language. A built-in sentence without it."
        ),
        examples=["Ahora estamos cerrados; atendemos {opening}."],
    )

    @cached_property
    def week(self) -> Sequence[Sequence[TimeSpan]]:
        """The spans of each weekday, Monday first, in their order."""
        days: list[list[TimeSpan]] = [[] for _ in WEEKDAYS]
        for key, numbers in DAY_KEYS.items():
            spans = getattr(self, key)
            for number in numbers if spans else ():
                days[number] += map(time_span, spans)
        return tuple(tuple(sorted(day)) for day in days)


def time_span(span: str) -> TimeSpan:
    """The span that a text stands for. Raises ValueError for one that is not a `Span`."""
    found = _SPAN.fullmatch(span)
    if found is None:
        raise ValueError(f"{span!r} is not a span of time.")
    hour, minute, end_hour, end_minute, _, _ = (int(part or 0) for part in found.groups())
    start = hour * 60 + minute
    end = DAY_MINUTES if found[5] else end_hour * 60 + end_minute
    return TimeSpan(start, end if end > start else end + DAY_MINUTES)


class Overlap(NamedTuple):
    """Two spans of a week that share a minute, by the keys under which they stand and their places there."""

    key: str
    place: int
    other_key: str
    other: str


def overlaps(days: Mapping[str, Sequence[str]]) -> Iterator[Overlap]:
    """The spans that share time with one before them in the week, also past midnight and from Sunday to Monday. Other
    keys, and texts that are not spans, are left out."""
    placed = sorted(
        (number * DAY_MINUTES + time_span(span).start, number * DAY_MINUTES + time_span(span).end, key, index, span)
        for key, spans in days.items()
        for number in DAY_KEYS.get(key, ())
        for index, span in enumerate(spans)
        if _SPAN.fullmatch(span)
    )
    week = 7 * DAY_MINUTES
    reported: set[tuple[str, int]] = set()
    around = [*placed, *((start + week, end + week, key, index, span) for start, end, key, index, span in placed[:1])]
    last = placed[0] if placed else None
    for one in around[1:]:
        assert last is not None, "there is a first one"
        start, end, key, index, _ = one
        if start < last[1] and (key, index) not in reported:
            reported.add((key, index))
            yield Overlap(key, index, last[2], last[4])
        last = one if end > last[1] else last


def matches(day: date, days: Sequence[str] | None) -> bool:
    """Whether a date is one of these days."""
    text = day.isoformat()
    return days is not None and (text in days or text[5:] in days)
