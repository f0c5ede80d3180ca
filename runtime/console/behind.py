"""What is behind a figure of a report: the conversations whose messages it counts.

A figure's key is its sort and, after a colon, its value: `received`, `answered`, `failed`, `waiting`, `reason:budget`,
`documents:menu.pdf`, `functions:reservar`, `day:17`, `hour:5-20` (the weekday from 0, Monday, and the hour).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from runtime.reports.month import Month
from runtime.store.usage.reporting import MessageOfMonth, ReportReader
from runtime.store.usage.traffic import FAILED, month_span, zone_of

UNANSWERED: Final = ("unanswered", "limited")
"""States of the inbox of messages that were not answered for a reason."""

Counts = Callable[[MessageOfMonth, datetime], bool]
"""Whether a figure counts a message, which came at that local time."""


def _uses(sort: str) -> Callable[[str], Counts]:
    def of(name: str) -> Counts:
        return lambda message, _: message.used is not None and name in json.loads(message.used).get(sort, ())

    return of


SORTS: Final[dict[str, Callable[[str], Counts]]] = {
    "received": lambda _: lambda message, at: True,
    "answered": lambda _: lambda message, at: message.state == "answered",
    "failed": lambda _: lambda message, at: message.state in FAILED,
    "waiting": lambda _: lambda message, at: message.state == "open",
    "reason": lambda reason: (
        lambda message, at: message.state in UNANSWERED and (message.reason or message.state) == reason
    ),
    "documents": _uses("documents"),
    "functions": _uses("functions"),
    "day": lambda day: lambda message, at: str(at.day) == day,
    "hour": lambda place: lambda message, at: f"{at.weekday()}-{at.hour}" == place,
}
"""By the sort: from its value to what decides."""


def is_figure(key: str) -> bool:
    """Whether a key is one of a figure."""
    return key.partition(":")[0] in SORTS


def conversations_behind(
    reader: ReportReader, client: str, month: Month, default_zone: str, key: str
) -> list[tuple[int, int]]:
    """Id of each conversation that a figure counts, and how many of its messages; the newest message first. Nothing of
    messages that retention has deleted."""
    sort, _, value = key.partition(":")
    counts, bots = SORTS[sort](value), reader.bots(client)
    span = month_span(month.year, month.number, ZoneInfo(zone_of(bots) or default_zone))
    found: Counter[int] = Counter()
    newest: dict[int, str] = {}
    for bot_id in [bot.id for bot in bots] or [client]:
        for message in reader.received(bot_id, span.since, span.until):
            if counts(message, datetime.fromisoformat(message.received_at).astimezone(span.zone)):
                found[message.conversation_id] += 1
                newest[message.conversation_id] = message.received_at
    return sorted(found.items(), key=lambda item: newest[item[0]], reverse=True)
