"""Answers at the next opening what came in while a client was away, by a timer for each conversation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from runtime.catalog import Catalog
from runtime.dispatch.inbox import Inbox
from runtime.dispatch.timers import RunAgain, Timers
from runtime.store.database.database import Database
from runtime.store.database.times import timestamp
from runtime.store.messages import answered_later
from runtime.store.timers import Timer
from runtime.turns.outside_hours import Calendars, outside_of

log = structlog.get_logger("runtime.turn")


@dataclass(frozen=True, slots=True)
class Openings:
    """The handler of the timers."""

    database: Database
    catalog: Catalog
    inbox: Inbox
    timezone: str
    """The zone of clients for whom neither a manifest nor a number decides."""
    calendars: Calendars

    def begin(self, timers: Timers) -> None:
        """Runs the timers in this process."""
        timers.register(answered_later.OPENING, self.open)

    async def open(self, timer: Timer) -> RunAgain | None:
        """Has the messages of a conversation answered, once it is within the hours: they may have changed since."""
        seconds = await self._seconds_closed(int(timer.key))
        if seconds > 0:
            return RunAgain(seconds)
        turns = await self.database.write(answered_later.answer_away, timer)
        if turns:
            log.info("away_messages_answered", conversation=int(timer.key), turns=turns)
            await self.inbox.send_rest(int(timer.key))
        return None

    async def _seconds_closed(self, conversation_id: int) -> float:
        """For how long the conversation's client is away yet."""
        bot_id = await self.database.read(answered_later.bot_of, conversation_id)
        configuration = await self.catalog.configuration(bot_id) if bot_id is not None else None
        if configuration is None:
            return 0.0
        now = timestamp()
        await self.calendars.know(configuration.policy, now)
        outside = outside_of(configuration.policy, configuration.timezone or self.timezone, now)
        if outside is None or outside.mode != "away" or outside.until is None:
            return 0.0
        return (datetime.fromisoformat(outside.until) - datetime.now(UTC)).total_seconds()
