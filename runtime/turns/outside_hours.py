"""What a person reads outside of a client's opening hours, and whether they are outside now. Pure, but for holidays.

A country's holidays are read from a package that takes a quarter of a second to import, in a thread and once a process,
before the first turn that needs them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from runtime.store.database.times import timestamp
from runtime.turns.opening_hours import LOOK_DAYS, closed_since, is_open, next_opening, opening_in_words
from schemas.client_language import ClientLanguage, language_of
from schemas.holiday_dates import holidays_of
from schemas.hours import Hours
from schemas.policy import Policy

SENTENCES: Final[Mapping[ClientLanguage, str]] = {
    "es": "Ahora estamos fuera de horario; atendemos {opening}.",
    "en": "We are closed now; we are here again {opening}.",
    "pt": "Agora estamos fora do horário; atendemos {opening}.",
}
SOON: Final[Mapping[ClientLanguage, str]] = {"es": "pronto", "en": "soon", "pt": "em breve"}
"""Instead of an opening that is further away than LOOK_DAYS."""


class Outside(NamedTuple):
    """A time outside of the hours."""

    mode: Literal["say", "away"]
    text: str
    """For the person, filled in."""
    since: str | None
    """When this time began, as text of `timestamp`; None where that is longer ago than LOOK_DAYS."""
    until: str | None = None
    """When it ends, likewise."""


class Calendars:
    """The holidays that this process has read."""

    def __init__(self) -> None:
        self._known: set[tuple[str, int]] = set()

    async def know(self, policy: Policy, now: str) -> None:
        """Reads the holidays on which a turn's end may depend, here or where it hands over to people, unless they are
        known."""
        hours = policy.hours
        is_asked = hours is not None and (hours.outside in ("say", "away") or policy.handoff is not None)
        if hours is None or hours.holidays is None or not is_asked:
            return
        at = datetime.fromisoformat(now)
        around = {(at + timedelta(days=days)).year for days in (-LOOK_DAYS - 1, LOOK_DAYS + 1)}
        for year in {(hours.holidays, year) for year in around} - self._known:
            await asyncio.to_thread(holidays_of, *year)
            self._known.add(year)


def outside_of(policy: Policy, zone: str, now: str) -> Outside | None:
    """What a person reads now, where it is outside of the hours and that makes a difference. `now`: text of
    `timestamp`."""
    hours = policy.hours
    if hours is None or hours.outside is None or hours.outside == "answer":
        return None
    at = datetime.fromisoformat(now)
    if is_open(hours, zone, at):
        return None
    since = closed_since(hours, zone, at)
    began = None if since is None else timestamp(since.timestamp())
    opening = next_opening(hours, zone, at)
    until = None if opening is None else timestamp(opening.timestamp())
    return Outside(hours.outside, sentence(policy, hours, zone, at), began, until)


def sentence(policy: Policy, hours: Hours, zone: str, at: datetime) -> str:
    """The sentence about the next opening: the client's own, or the built-in one in its language."""
    language = language_of(policy)
    opening = next_opening(hours, zone, at)
    when = SOON[language] if opening is None else opening_in_words(opening, at.astimezone(ZoneInfo(zone)), language)
    return (hours.message or SENTENCES[language]).replace("{opening}", when)
