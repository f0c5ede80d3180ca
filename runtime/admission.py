"""Stands before the inbox: turns away quickly what cannot be stored in time, and keeps a flood from the model.

webhook ──► too many being stored, or not on disk in time ──► StoreBusy: 503, so that Twilio tries again
        ├─► too many messages in a minute ──► stored as `limited`, the user told once
        └─► the inbox
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any
from weakref import WeakSet

import structlog
from sqlalchemy import Connection

from runtime.delivery import Delivery, NotSent
from runtime.inbox import Inbox
from runtime.limits import Limits
from runtime.logs import masked_user
from runtime.settings import Settings
from runtime.store import inbox as inbox_store
from runtime.store.database import Database
from runtime.store.errors import StoreBusy
from runtime.store.inbox import InboundMessage
from runtime.store.outbox import Draft, OutboxRow, add_to_outbox
from runtime.store.records import BotRecord
from runtime.twiml import ReplyWindow

STORING_LIMIT = 5_000
"""Messages that wait for the disk at the same time."""
STORE_SECONDS = 5.0
"""How long one of them waits; Twilio hangs up after 15 seconds and must have time to try again."""
STOP_SECONDS = 2.0
WINDOWS_LIMIT = 2_000
"""Webhooks that are held open for their answers; beyond it answers are sent by themselves."""

log = structlog.get_logger("runtime.admission")


class Admission:
    """The way into the inbox for webhooks."""

    def __init__(self, settings: Settings, database: Database, inbox: Inbox, delivery: Delivery) -> None:
        self._database = database
        self._inbox = inbox
        self._delivery = delivery
        self._limits = Limits(settings.rate_per_user, settings.rate_per_client)
        self._limit_message = settings.limit_message
        self._storing: set[asyncio.Task[bool]] = set()
        self._telling: set[asyncio.Task[None]] = set()
        self._windows: WeakSet[ReplyWindow] = WeakSet()

    async def accept(self, message: InboundMessage, bot: BotRecord, window: ReplyWindow | None) -> bool:
        """As of Inbox.accept; raises StoreBusy when the message is not on disk in time."""
        if len(self._storing) >= STORING_LIMIT:
            raise StoreBusy(f"{STORING_LIMIT} messages wait for the store already; is its disk or server slow?")
        task = asyncio.create_task(self._taken_in(message, bot, self._bounded(window)))
        self._storing.add(task)
        task.add_done_callback(self._stored)
        done, _ = await asyncio.wait((task,), timeout=STORE_SECONDS)
        if done:
            return task.result()
        # It may still be stored, and is answered then; the webhook that Twilio repeats finds it here.
        if window is not None:
            await window.wait(0)
        raise StoreBusy(f"A message was not stored within {STORE_SECONDS:g} seconds; is the disk or the server slow?")

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

    async def _taken_in(self, message: InboundMessage, bot: BotRecord, window: ReplyWindow | None) -> bool:
        limited = bot.state == "active" and self._limits.is_over(bot.id, message.user_key)
        if limited:
            accepted = await self._turned_away(message, bot)
            if window is not None:
                window.release()
        else:
            accepted = await self._inbox.accept(message, window)
        if not accepted:
            self._limits.give_back(bot.id, message.user_key)
        return accepted

    async def _turned_away(self, message: InboundMessage, bot: BotRecord) -> bool:
        tell = self._limits.may_tell(bot.id, message.user_key)
        accepted, row = await self._database.write(
            _take_in_limited, message, bot, self._limit_message if tell else None
        )
        log.warning(
            "message limited",
            client=bot.client or bot.id,
            number=bot.twilio_phone_number,
            user=masked_user(message.sender),
            message_sid=message.message_sid,
            told=row is not None,
        )
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

    def _stored(self, task: asyncio.Task[bool]) -> None:
        self._storing.discard(task)
        if not task.cancelled():
            task.exception()


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
