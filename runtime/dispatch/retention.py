"""Deletes what is over by `data.retention` of its client, in small bites, in one process at a time.

    timer, every hour ──► a pass: months rolled up ──► conversations, in order ──► the rest ──► the file's free space
                             │  after RUN_SECONDS, and after a crash: from the conversation that it had come to
                             └─ each bite: a transaction of BITE_ROWS rows and the run's counts, then a pause

A bite waits like any write, so that under load it takes longer, and the pause after it too. What is declared when a
pass begins is what counts. Twilio's copies, where they are to go as well, are deleted by a timer for each message.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import structlog

from runtime.dispatch.timers import RunAgain, Timers
from runtime.observability.metrics import Metrics
from runtime.store import catalog, timers
from runtime.store.database.database import Database
from runtime.store.database.times import timestamp
from runtime.store.retention import conversations, ledger, months, runs, transcripts, vacuum
from runtime.store.retention.due import NEVER, Due, due_of
from runtime.store.retention.transcripts import Position
from runtime.store.timers import Timer
from runtime.store.usage import reporting
from runtime.store.usage.reporting import ReportReader
from runtime.store.usage.traffic import TrafficCount, month_span, with_the_rest

KIND: Final = "retention"
KEY: Final = "all"
PAUSE_SECONDS: Final = 3600.0
"""From the end of a pass to the next one."""
CROWDED_SECONDS: Final = 60.0
"""The same, where a client's messages wait until Twilio has deleted others."""
RUN_SECONDS: Final = 10.0
"""How long a run deletes before it records how far it has come."""
BITE_ROWS: Final = 40
"""Rows that one transaction deletes, about."""
VACUUM_PAGES: Final = 32
PAGE: Final = 200
"""Conversations that are looked at in one read."""
SHARE: Final = 4.0
"""A pause is this many times as long as what it follows."""
SHORTEST_PAUSE: Final = 0.005
AT_TWILIO_MOST: Final = 200
"""Messages of a bot that wait to be deleted at Twilio."""

log = structlog.get_logger("runtime.retention")


class _TimeUp(Exception):
    """The run records how far it has come, and is continued."""


@dataclass(slots=True)
class _Pass:
    """How far a pass has come; what a timer's payload keeps of it."""

    began_at: str
    after: int = 0
    """Conversations up to this one are done."""
    positions: dict[str, Position] | None = None
    """By bot, the messages whose transcripts are deleted; also of earlier passes."""
    done: bool = False
    """Whether all conversations are done."""

    @classmethod
    def of(cls, payload: Mapping[str, Any]) -> _Pass:
        places = {bot: Position(*place) for bot, place in payload.get("positions", {}).items()}
        return cls(
            payload.get("began_at") or timestamp(), int(payload.get("after", 0)), places, bool(payload.get("done"))
        )

    def payload(self) -> dict[str, Any]:
        return {
            "began_at": self.began_at,
            "after": self.after,
            "done": self.done,
            "positions": {bot: list(place) for bot, place in (self.positions or {}).items()},
        }


class Retentions:
    """The handler of the timer."""

    def __init__(self, database: Database, timers: Timers, metrics: Metrics, timezone: str) -> None:
        """`timezone`: where neither a policy nor a number names one."""
        self._database = database
        self._timers = timers
        self._metrics = metrics
        self._timezone = timezone
        self._until = 0.0

    async def begin(self) -> None:
        """Begins a pass, or continues the one that was interrupted."""
        self._timers.register(KIND, self.run)
        await self._database.write(timers.put_again, KIND, KEY, datetime.now(UTC), {})
        self._timers.wake()

    async def run(self, timer: Timer) -> RunAgain:
        """Deletes for RUN_SECONDS, or to the end of the pass."""
        state = _Pass.of(timer.payload)
        if "began_at" not in timer.payload:
            # Recorded first: after a crash it is the same pass that continues, with the same times.
            return RunAgain(SHORTEST_PAUSE, state.payload())
        self._until = time.monotonic() + RUN_SECONDS
        dues = await self._dues(state)
        crowded = [bot_id for bot_id, due in dues.items() if await self._is_crowded(due)]
        active = {bot_id: due for bot_id, due in dues.items() if bot_id not in crowded}
        try:
            await self._delete(state, active)
        except _TimeUp:
            return RunAgain(SHORTEST_PAUSE, state.payload())
        await self._end(state, dues)
        return RunAgain(CROWDED_SECONDS if crowded else PAUSE_SECONDS, {"positions": state.payload()["positions"]})

    async def _dues(self, state: _Pass) -> dict[str, Due]:
        bots = await self._database.read(catalog.bots_with, "retention")
        began = datetime.fromisoformat(state.began_at)
        dues = [due for bot in bots if (due := due_of(bot, began, self._timezone)) is not None]
        declared = {due.client: due.retention for due in dues}
        if declared:
            await self._database.write(runs.begin_all, state.began_at, declared)
        return {due.bot_id: due for due in dues}

    async def _is_crowded(self, due: Due) -> bool:
        if not due.retention.at_twilio:
            return False
        return await self._database.read(conversations.left_at_twilio, due.bot_id) >= AT_TWILIO_MOST

    async def _delete(self, state: _Pass, dues: Mapping[str, Due]) -> None:
        with_messages = {bot_id: due for bot_id, due in dues.items() if due.has_messages}
        for due in with_messages.values() if not state.done else ():
            await self._roll_up(due)
        if with_messages and not state.done:
            await self._delete_conversations(state, with_messages)
        state.done = True
        for due in dues.values():
            await self._delete_rest(state, due)
        while await self._database.read(vacuum.free_pages):
            async with self._pausing():
                await self._database.write(vacuum.give_back, VACUUM_PAGES)

    async def _delete_conversations(self, state: _Pass, dues: Mapping[str, Due]) -> None:
        last: int | None = state.after
        while last is not None:
            async with self._pausing():
                page = await self._database.read(conversations.next_page, state.after, dues, PAGE)
            waiting, last = list(page.due), page.last
            while waiting:
                async with self._pausing():
                    done = await self._database.write(conversations.bite, waiting, dues, state.began_at, BITE_ROWS)
                if done:
                    state.after = waiting[done - 1]
                waiting = waiting[done:]
                self._check_time()
            state.after = last if last is not None else state.after
            self._check_time()

    async def _delete_rest(self, state: _Pass, due: Due) -> None:
        """What is found by its bot: messages without a conversation, lists of campaigns, transcripts, the ledger."""
        deleted = BITE_ROWS if due.before != NEVER else 0
        while deleted >= BITE_ROWS:
            async with self._pausing():
                deleted = await self._database.write(conversations.bite_outside, due, state.began_at, BITE_ROWS)
            self._check_time()
        if due.transcripts_before != NEVER:
            await self._delete_transcripts(state, due)
        for month in await self._database.read(ledger.months, due) if due.usage_before != NEVER else ():
            is_more = True
            while is_more:
                async with self._pausing():
                    is_more = await self._database.write(ledger.bite, due, month, state.began_at, BITE_ROWS)
                self._check_time()

    async def _delete_transcripts(self, state: _Pass, due: Due) -> None:
        positions = state.positions = state.positions if state.positions is not None else {}
        is_all = False
        while not is_all:
            position = positions.get(due.bot_id, Position())
            async with self._pausing():
                looked = await self._database.write(transcripts.bite, due, position, state.began_at, BITE_ROWS)
            positions[due.bot_id], is_all = looked
            self._check_time()
        first = await self._database.read(transcripts.first_open, due)
        if first is not None:
            positions[due.bot_id] = min(positions[due.bot_id], Position(first))

    async def _roll_up(self, due: Due) -> None:
        """Rolls up the months of which messages are about to be deleted."""
        bots = await self._database.read(reporting.with_reader, ReportReader.bots, due.client)
        bot_ids = [bot.id for bot in bots]
        oldest = await self._database.read(months.oldest_message, bot_ids)
        until = max(due.deleted_before, due.dropped_deleted_before)
        if oldest is None or oldest > until:
            return
        known = await self._database.read(months.rolled_up, due.client)
        zone = ZoneInfo(due.zone)
        first, last = (datetime.fromisoformat(at).astimezone(zone) for at in (oldest, until))
        year, number = first.year, first.month
        while (year, number) <= (last.year, last.month):
            month = f"{year:04}-{number:02}"
            if month not in known:
                await self._roll_up_month(due, month, bot_ids, TrafficCount(month_span(year, number, zone)))
            year, number = (year + 1, 1) if number == 12 else (year, number + 1)

    async def _roll_up_month(self, due: Due, month: str, bot_ids: Sequence[str], count: TrafficCount) -> None:
        for bot_id in bot_ids:
            span = count.span
            messages = await self._database.read(
                reporting.with_reader, ReportReader.count_received, bot_id, span.since, span.until
            )
            for since, until in span.slices(messages) if messages else ():
                async with self._pausing():
                    received = await self._database.read(reporting.all_received, bot_id, since, until)
                for message in received:
                    count.add(message)
        if not count.last:
            return
        traffic = await self._database.read(reporting.with_reader, with_the_rest, bot_ids, count)
        await self._database.write(months.keep, due.client, month, due.zone, traffic)
        log.info("month_rolled_up", client=due.client, month=month, messages=traffic.received)

    async def _end(self, state: _Pass, dues: Mapping[str, Due]) -> None:
        kept = {due.client: await self._database.read(conversations.kept, due) for due in dues.values()}
        await self._database.write(runs.end, state.began_at, kept)
        for client, run in (await self._database.read(runs.newest_of_each, list(kept))).items():
            self._metrics.retention_run(client, run.deleted)
            if run.deleted:
                log.info("retention_run", client=client, deleted=dict(run.deleted), kept=dict(run.kept))

    def _check_time(self) -> None:
        if time.monotonic() > self._until:
            raise _TimeUp

    @asynccontextmanager
    async def _pausing(self) -> AsyncIterator[None]:
        """Pauses after what it surrounds."""
        began = time.monotonic()
        yield
        await asyncio.sleep(max(SHORTEST_PAUSE, SHARE * (time.monotonic() - began)))
