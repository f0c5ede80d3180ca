"""What people wrote in a month, and how they were answered: counted from a client's messages, one by one, or read as it
was rolled up before they were deleted.

A roll-up is made once the month is over, in the client's zone and in UTC, and its messages begin to be deleted
(`data.retention.messages`). It has no word of theirs, no name and no address.
"""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import ceil
from typing import Any, Final
from zoneinfo import ZoneInfo

from runtime.store.codec import dump_json
from runtime.store.database.times import timestamp
from runtime.store.records import BotRecord
from runtime.store.usage.reporting import MessageOfMonth, ReportReader
from schemas.policy_document import read_document
from schemas.timezones import zone_of_number

WINDOW_SECONDS: Final = 24 * 3600
"""A message begins a conversation if its person wrote nothing within this time: WhatsApp's window for free answers."""
SLICE: Final = 100
"""Messages that are counted without a pause, about."""
FAILED: Final = frozenset({"dead", "dropped"})
"""States of the inbox of messages of which the answer failed."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """What people wrote in a month, and how they were answered."""

    people: int
    conversations: int
    """By WINDOW_SECONDS."""
    received: int
    answered: int
    unanswered: Mapping[str, int]
    """Number of messages by the reason, in one word of `runtime.turns.policy`."""
    failed: int
    waiting: int
    """Messages that are not answered yet."""
    undelivered: int
    """Answers and notices that reached no phone."""
    half_within: float | None
    """Seconds within which half of the answers went out; None without answers."""
    most_within: float | None
    """Seconds of 90 %."""
    hours: Sequence[Sequence[int]]
    """Messages by weekday (Monday first) and hour, in the client's zone."""
    days: Sequence[int]
    """Messages by day of the month, in the client's zone."""
    documents: Mapping[str, int]
    """Number of answers by the document that they cite, the most cited first."""
    functions: Mapping[str, int]
    """Number of answers by the function that was called for them, likewise."""
    undelivered_codes: Mapping[str, int]
    """Their number by Twilio's code (`runtime.store.delivery_errors`), the most frequent first."""
    at_the_border: int
    """Messages of this month in the client's zone or in UTC, but not in both."""


@dataclass(frozen=True, slots=True)
class MonthSpan:
    """When a month begins and ends in a zone, and in UTC."""

    zone: ZoneInfo
    begins: datetime
    """In UTC, as all of these."""
    ends: datetime
    utc_begins: datetime
    utc_ends: datetime

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.utc_ends - self.utc_begins).days

    @property
    def since(self) -> str:
        """Its first midnight in the zone, as text of `timestamp`."""
        return _text(self.begins)

    @property
    def until(self) -> str:
        """The first midnight after it."""
        return _text(self.ends)

    def slices(self, messages: int) -> Iterator[tuple[str, str]]:
        """The month in equal times of about SLICE messages, each as its beginning and its end."""
        number = 1 + messages // SLICE
        borders = [self.begins + part * (self.ends - self.begins) / number for part in range(number)] + [self.ends]
        for begins, ends in pairwise(borders):
            yield _text(begins), _text(ends)

    @property
    def borders(self) -> Sequence[tuple[str, str]]:
        """The times in which it is another month in UTC than in the zone."""
        pairs = ((self.begins, self.utc_begins), (self.ends, self.utc_ends))
        return [(_text(min(pair)), _text(max(pair))) for pair in pairs]


def month_span(year: int, number: int, zone: ZoneInfo) -> MonthSpan:
    """A month of a year in a zone."""
    first = datetime(year, number, 1, tzinfo=zone)
    after = (first + timedelta(days=32)).replace(day=1)
    utc = [one.replace(tzinfo=UTC) for one in (first, after)]
    return MonthSpan(zone, first.astimezone(UTC), after.astimezone(UTC), *utc)


def zone_of(bots: Sequence[BotRecord]) -> str | None:
    """The zone of a client's bots; None where neither their policies nor their numbers name one."""
    zones = (read_document(bot.policy).policy.timezone or zone_of_number(bot.twilio_phone_number) for bot in bots)
    return next(filter(None, zones), None)


def read_traffic(reader: ReportReader, bot_ids: Sequence[str], span: MonthSpan) -> Traffic:
    """The traffic of some bots together, counted from their messages."""
    count = TrafficCount(span)
    for bot_id in bot_ids:
        for message in reader.received(bot_id, span.since, span.until):
            count.add(message)
    return with_the_rest(reader, bot_ids, count)


def with_the_rest(reader: ReportReader, bot_ids: Sequence[str], count: TrafficCount) -> Traffic:
    """The traffic of bots all of whose messages were counted."""
    span = count.span
    undelivered: Counter[str] = Counter()
    for bot_id in bot_ids:
        undelivered.update(reader.undelivered(bot_id, span.since, span.until))
    people = reader.people(bot_ids, span.since, span.until) if len(bot_ids) > 1 else len(count.last)
    at_the_border = sum(reader.count_received(bot_id, *border) for border in span.borders for bot_id in bot_ids)
    return count.result(people, undelivered, at_the_border)


def traffic_text(traffic: Traffic) -> str:
    """A roll-up, as it is stored."""
    return dump_json(asdict(traffic))


def traffic_of(text: str) -> Traffic:
    """A roll-up from its text. What a newer release has added is left out."""
    stored: dict[str, Any] = json.loads(text)
    return Traffic(**{name: stored[name] for name in Traffic.__slots__ if name in stored})


def _text(moment: datetime) -> str:
    return timestamp(moment.timestamp())


class TrafficCount:
    """Adds up messages one by one, so that a month of any size needs no more memory than its conversations."""

    def __init__(self, span: MonthSpan) -> None:
        self.span = span
        self._zone = span.zone
        self._minutes: dict[str, tuple[int, int, int]] = {}
        self._hours = [[0] * 24 for _ in range(7)]
        self._days = [0] * span.days
        self._conversations = 0
        self._states: Counter[str] = Counter()
        self._unanswered: Counter[str] = Counter()
        self._turns: set[int] = set()
        self._used: Counter[str] = Counter()
        self._seconds = array("d")
        self.last: dict[int, float] = {}
        """Conversation → when its person last wrote."""

    def add(self, message: MessageOfMonth) -> None:
        """Counts a message; they come in the order of their time."""
        weekday, hour, day = self._place(message.received_at)
        self._hours[weekday][hour] += 1
        self._days[day - 1] += 1
        came = datetime.fromisoformat(message.received_at).timestamp()
        if came - self.last.get(message.conversation_id, -WINDOW_SECONDS) >= WINDOW_SECONDS:
            self._conversations += 1
        self.last[message.conversation_id] = came
        self._states[message.state] += 1
        if message.state in ("unanswered", "limited"):
            self._unanswered[message.reason or message.state] += 1
        elif message.state == "answered" and message.turn_id is not None and message.turn_id not in self._turns:
            # A turn answers all that waited: its first message waited for the longest.
            self._turns.add(message.turn_id)
            self._add_turn(message, came)

    def _add_turn(self, message: MessageOfMonth, came: float) -> None:
        if message.answered_at is not None:
            self._seconds.append(max(datetime.fromisoformat(message.answered_at).timestamp() - came, 0.0))
        if message.used is not None:
            self._used[message.used] += 1

    def _place(self, moment: str) -> tuple[int, int, int]:
        """Weekday, hour and day in the zone, looked up once a minute: conversions cost more than all the rest."""
        minute = moment[:16]
        place = self._minutes.get(minute)
        if place is None:
            local = datetime.fromisoformat(moment).astimezone(self._zone)
            place = self._minutes[minute] = local.weekday(), local.hour, local.day
        return place

    def _most(self, sort: str) -> dict[str, int]:
        """How many answers used what, of one sort. Equal lists were counted together, as few differ."""
        counted: Counter[str] = Counter()
        for used, answers in self._used.items():
            for name in json.loads(used).get(sort, ()):
                counted[name] += answers
        return dict(counted.most_common())

    def result(self, people: int, undelivered: Counter[str], at_the_border: int) -> Traffic:
        """What was counted."""
        ordered = sorted(self._seconds)
        return Traffic(
            people=people,
            conversations=self._conversations,
            received=self._states.total(),
            answered=self._states["answered"],
            unanswered=dict(self._unanswered.most_common()),
            failed=sum(self._states[state] for state in FAILED),
            waiting=self._states["open"],
            undelivered=undelivered.total(),
            undelivered_codes=dict(undelivered.most_common()),
            half_within=_share(ordered, 0.5),
            most_within=_share(ordered, 0.9),
            hours=self._hours,
            days=self._days,
            documents=self._most("documents"),
            functions=self._most("functions"),
            at_the_border=at_the_border,
        )


def _share(ordered: Sequence[float], share: float) -> float | None:
    """The smallest value that this share of all values does not exceed."""
    return ordered[ceil(len(ordered) * share) - 1] if ordered else None
