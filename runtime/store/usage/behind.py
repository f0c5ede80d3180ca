"""What is behind a figure of a report: the conversations whose messages it counts, counted by the store itself.

A figure's key is its sort and, after a colon, its value: `received`, `answered`, `failed`, `waiting`, `reason:budget`,
`documents:menu.pdf`, `functions:reservar`, `day:17`, `hour:5-20` (the weekday from 0, Monday, and the hour).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from runtime.store.database.statement import Statement
from runtime.store.database.times import timestamp
from runtime.store.usage.reporting import ReportReader
from runtime.store.usage.traffic import MonthSpan, month_span, zone_of

QUARTER: Final = timedelta(minutes=15)
"""By multiples of which all time zones differ from UTC."""


@dataclass(frozen=True, slots=True)
class CountedConversation:
    """A conversation, and what of it a figure counts."""

    id: int
    messages: int
    newest_at: str
    """When the newest of them came."""


def _counting(condition: str, joined: str = "", used: str = "NULL") -> Statement:
    """One row for each conversation, and for each `used`."""
    return Statement(
        f"SELECT inbox.conversation_id, {used}, count(*), max(inbox.received_at) FROM inbox{joined}"  # noqa: S608
        " WHERE inbox.bot_id = :bot_id AND inbox.received_at >= :since AND inbox.received_at < :until"
        f" AND {condition} AND inbox.conversation_id NOT IN (SELECT id FROM conversations WHERE blocked_at IS NOT NULL)"
        " GROUP BY 1, 2"
    )


_TURNS = " JOIN turns ON turns.id = inbox.turn_id"
ALL = _counting("inbox.state <> ''")
WITH_USED = _counting("turns.used IS NOT NULL", _TURNS, "turns.used")
STATEMENTS: Final = {
    "received": ALL,
    "answered": _counting("inbox.state = 'answered'"),
    "failed": _counting("inbox.state IN ('dead', 'dropped')"),
    "waiting": _counting("inbox.state = 'open'"),
    "reason": _counting(
        "inbox.state IN ('unanswered', 'limited')"
        " AND coalesce(nullif((SELECT reason FROM turns WHERE turns.id = inbox.turn_id), ''), inbox.state) = :value"
    ),
    "documents": WITH_USED,
    "functions": WITH_USED,
    "day": ALL,
    "hour": ALL,
}
"""By the sort of a figure."""


def is_figure(key: str) -> bool:
    """Whether a key is one of a figure."""
    return key.partition(":")[0] in STATEMENTS


def behind_figure(
    connection: Connection, client: str, year: int, number: int, default_zone: str, key: str
) -> tuple[str, list[CountedConversation]] | None:
    """A client's name, and the conversations behind a figure of its month; None for a client that is not known."""
    reader = ReportReader(connection)
    if client not in reader.clients():
        return None
    bots = reader.bots(client)
    span = month_span(year, number, ZoneInfo(zone_of(bots) or default_zone))
    behind = conversations_behind(connection, [bot.id for bot in bots] or [client], span, key)
    return bots[0].name if bots else client, behind


def conversations_behind(
    connection: Connection, bot_ids: Sequence[str], span: MonthSpan, key: str
) -> list[CountedConversation]:
    """The conversations that a figure of a month counts; the newest message first. Nothing of messages that retention
    has deleted."""
    sort, _, value = key.partition(":")
    counts: dict[int, int] = {}
    newest: dict[int, str] = {}
    for bot_id in bot_ids:
        for since, until in _times(span, sort, value):
            rows = STATEMENTS[sort].each_row(connection, bot_id=bot_id, since=since, until=until, value=value)
            for id_, used, messages, at in rows:
                if used is None or value in json.loads(used).get(sort, ()):
                    counts[id_] = counts.get(id_, 0) + int(messages)
                    newest[id_] = max(newest.get(id_, ""), at)
    found = (CountedConversation(id_, messages, newest[id_]) for id_, messages in counts.items())
    return sorted(found, key=lambda one: one.newest_at, reverse=True)


def _times(span: MonthSpan, sort: str, value: str) -> Iterator[tuple[str, str]]:
    """The parts of a month that a figure counts, each as its beginning and its end."""
    if sort == "day":
        yield from _where(span, lambda local: str(local.day) == value)
    elif sort == "hour":
        yield from _where(span, lambda local: f"{local.weekday()}-{local.hour}" == value)
    else:
        yield span.since, span.until


def _where(span: MonthSpan, counts: Callable[[datetime], bool]) -> Iterator[tuple[str, str]]:
    """The times of a month in which the local time is one that counts."""
    moment, since = span.begins, None
    while moment < span.ends:
        if counts(moment.astimezone(span.zone)):
            since = since or moment
        elif since is not None:
            yield _text(since), _text(moment)
            since = None
        moment += QUARTER
    if since is not None:
        yield _text(since), span.until


def _text(moment: datetime) -> str:
    return timestamp(moment.timestamp())
