"""Stands before the inbox: turns away quickly what cannot be stored in time, and keeps a flood from the model.

webhook ──► too many being stored, or not on disk in time ──► StoreBusy: 503, so that Twilio tries again
        ├─► too many messages in a minute ──► stored as `limited`, the user told once
        └─► the inbox
sweep   ──► the same limits, by the minute in which a message was written; nobody is told of one that is past
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from weakref import WeakSet

import structlog
from sqlalchemy import Connection

from runtime.delivery import Delivery, NotSent
from runtime.inbox import Inbox
from runtime.limits import WINDOW_SECONDS, Limits
from runtime.logs import masked_user
from runtime.settings import Settings
from runtime.store import inbox as inbox_store
from runtime.store.database import Database
from runtime.store.errors import StoreBusy
from runtime.store.inbox import InboundMessage
from runtime.store.outbox import Draft, OutboxRow, add_to_outbox
from runtime.store.records import BotRecord
from runtime.store.times import timestamp
from runtime.twiml import ReplyWindow

STORING_LIMIT = 5_000
"""Messages that wait for the disk at the same time."""
STORE_SECONDS = 5.0
"""How long one of them waits; Twilio hangs up after 15 seconds and must have time to try again."""
WATCH_SECONDS = 0.5
"""How often it is looked whether one waits too long."""
STOP_SECONDS = 2.0
NEWEST = 10
"""Times the limit: so many of a user's messages are looked at to count those of a minute."""
WINDOWS_LIMIT = 2_000
"""Webhooks that are held open for their answers; beyond it answers are sent by themselves."""

Admitted = Literal["accepted", "duplicate", "limited"]
"""What became of a message: to be answered, here already, or stored only."""

log = structlog.get_logger("runtime.admission")


@dataclass(frozen=True, slots=True)
class Missed:
    """A message whose webhook did not arrive."""

    message: InboundMessage
    bot: BotRecord
    at: datetime
    """When it was written."""


@dataclass(frozen=True, slots=True)
class _Storing:
    """A message on its way to the disk."""

    outcome: asyncio.Future[Admitted]
    """What its webhook waits for."""
    until: float
    """How long it does, on the loop's clock."""


class Admission:
    """The way into the inbox."""

    def __init__(self, settings: Settings, database: Database, inbox: Inbox, delivery: Delivery) -> None:
        self._database = database
        self._inbox = inbox
        self._delivery = delivery
        self._rates = settings.rate_per_user, settings.rate_per_client
        self._limits = Limits(*self._rates)
        self._is_alone = settings.database_url.startswith("sqlite:///")
        self._limit_message = settings.limit_message
        self._storing: dict[asyncio.Task[Admitted], _Storing] = {}
        self._watch: asyncio.TimerHandle | None = None
        self._telling: set[asyncio.Task[None]] = set()
        self._windows: WeakSet[ReplyWindow] = WeakSet()

    async def accept(self, message: InboundMessage, bot: BotRecord, window: ReplyWindow | None) -> Admitted:
        """Takes a message in, on disk when this returns; raises StoreBusy when it is not there in time."""
        if len(self._storing) >= STORING_LIMIT:
            raise StoreBusy(f"{STORING_LIMIT} messages wait for the store already; is its disk or server slow?")
        loop = asyncio.get_running_loop()
        task = loop.create_task(self._taken_in(message, bot, self._bounded(window)))
        storing = self._storing[task] = _Storing(loop.create_future(), loop.time() + STORE_SECONDS)
        task.add_done_callback(self._stored)
        if self._watch is None:
            self._watch = loop.call_later(WATCH_SECONDS, self._let_the_late_go)
        try:
            return await storing.outcome
        except StoreBusy:
            # It may still be stored, and is answered then; the webhook that Twilio repeats finds it here.
            if window is not None and not task.done():
                await window.wait(0)
            raise

    def limits_of_missed(self) -> Limits:
        """Counts the missed messages of one account, by the moments at which they were written."""
        return Limits(*self._rates)

    async def accept_missed(self, missed: Sequence[Missed], limits: Limits) -> list[Admitted]:
        """Takes in messages of one account that have no webhook, in their order; on disk when this returns."""
        over = {item.message.message_sid for item in missed if _is_over(item, limits)}
        wanted = [item.message for item in missed if item.message.message_sid not in over]
        unwanted = [item.message for item in missed if item.message.message_sid in over]
        is_new = await self._inbox.accept_all(wanted)
        is_new += await self._database.write(_store_limited, unwanted) if unwanted else []
        new = {message.message_sid for message, new in zip([*wanted, *unwanted], is_new, strict=True) if new}
        for item in missed:
            if item.message.message_sid in over & new:
                _say_limited(item.message, item.bot, told=False)
        return [_admitted(item.message.message_sid, new, over) for item in missed]

    async def stop(self) -> None:
        """Waits a moment for what is under way. A notice that is left is settled at the next start."""
        tasks = [*self._storing, *self._telling]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=STOP_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _bounded(self, window: ReplyWindow | None) -> ReplyWindow | None:
        if window is None:
            return None
        if len(self._windows) >= WINDOWS_LIMIT:
            window.release()
            return None
        self._windows.add(window)
        return window

    async def _taken_in(self, message: InboundMessage, bot: BotRecord, window: ReplyWindow | None) -> Admitted:
        limited = bot.state == "active" and (
            self._limits.is_over(bot.id, message.user_key) or await self._is_over_elsewhere(message)
        )
        if limited:
            accepted = await self._turned_away(message, bot)
            if window is not None:
                window.release()
        else:
            accepted = await self._inbox.accept(message, window)
        if not accepted:
            self._limits.give_back(bot.id, message.user_key)
            return "duplicate"
        return "limited" if limited else "accepted"

    async def _is_over_elsewhere(self, message: InboundMessage) -> bool:
        """Whether all replicas together took in as many of a user's messages as are answered in a minute."""
        if self._is_alone or not self._limits.may_be_over_elsewhere(message.bot_id, message.user_key):
            return False
        per_user, _ = self._rates
        since = timestamp(time.time() - WINDOW_SECONDS)
        wanted = await self._database.read(
            inbox_store.wanted_since, message.bot_id, message.user_key, since, per_user * NEWEST
        )
        return wanted >= per_user

    async def _turned_away(self, message: InboundMessage, bot: BotRecord) -> bool:
        tell = self._limits.may_tell(bot.id, message.user_key)
        accepted, row = await self._database.write(
            _take_in_limited, message, bot, self._limit_message if tell else None
        )
        if accepted:
            _say_limited(message, bot, told=row is not None)
        if row is not None:
            self._in_background(self._tell(row, bot))
        return accepted

    async def _tell(self, row: OutboxRow, bot: BotRecord) -> None:
        with suppress(NotSent):  # recorded and logged where it was found out
            await self._delivery.send(row, bot)

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    def _stored(self, task: asyncio.Task[Admitted]) -> None:
        outcome = self._storing.pop(task).outcome
        error = StoreBusy("The service is stopping.") if task.cancelled() else task.exception()
        if outcome.done():
            return  # its webhook has been answered
        if error is None:
            outcome.set_result(task.result())
        else:
            outcome.set_exception(error)

    def _let_the_late_go(self) -> None:
        """One timer for all: each message having its own costs more than storing it."""
        loop = asyncio.get_running_loop()
        for storing in self._storing.values():
            if loop.time() < storing.until:
                break  # they are in the order in which they came
            if not storing.outcome.done():
                late = f"A message was not stored within {STORE_SECONDS:g} seconds; is the disk or the server slow?"
                storing.outcome.set_exception(StoreBusy(late))
        self._watch = loop.call_later(WATCH_SECONDS, self._let_the_late_go) if self._storing else None


def _is_over(item: Missed, limits: Limits) -> bool:
    return item.bot.state == "active" and limits.is_over(item.bot.id, item.message.user_key, item.at.timestamp())


def _admitted(sid: str, new: Set[str], over: Set[str]) -> Admitted:
    if sid not in new:
        return "duplicate"
    return "limited" if sid in over else "accepted"


def _say_limited(message: InboundMessage, bot: BotRecord, *, told: bool) -> None:
    log.warning(
        "message limited",
        client=bot.client or bot.id,
        number=bot.twilio_phone_number,
        user=masked_user(message.sender),
        message_sid=message.message_sid,
        told=told,
    )


def _store_limited(connection: Connection, messages: Sequence[InboundMessage]) -> list[bool]:
    return [inbox_store.take_in(connection, message, state="limited") is not None for message in messages]


def _take_in_limited(
    connection: Connection, message: InboundMessage, bot: BotRecord, text: str | None
) -> tuple[bool, OutboxRow | None]:
    """Stores a message that nobody will answer, with what its user is told; not when it was here already."""
    taken = inbox_store.take_in(connection, message, state="limited")
    if taken is None or text is None:
        return taken is not None, None
    draft = Draft(
        account_sid=message.account_sid,
        sender=f"whatsapp:{bot.twilio_phone_number}",
        recipient=message.sender,
        body=text,
        channel="rest",
        claimed=True,
        bot_id=bot.id,
        conversation_id=taken.conversation_id,
    )
    return True, add_to_outbox(connection, draft)
