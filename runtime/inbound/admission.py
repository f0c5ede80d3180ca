"""Stands before the inbox: turns away quickly what cannot be stored in time, and keeps a flood from the model.

webhook ──► too many being stored, or not on disk in time ──► StoreBusy: 503, so that Twilio tries again
        ├─► too many messages in a minute ──► stored as `limited`, the user told once
        └─► the inbox
sweep   ──► the same limits, by the minute in which a message was written; nobody is told of one that is past
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Coroutine, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, NamedTuple

import structlog

from runtime.delivery.delivery import Delivery, NotSent
from runtime.dispatch.inbox import Inbox
from runtime.inbound.rate_limits import WINDOW_SECONDS, InboundRateLimits
from runtime.observability.logs import masked_user
from runtime.settings import Settings
from runtime.store.database.database import Database
from runtime.store.database.times import timestamp
from runtime.store.database.url import is_sqlite
from runtime.store.errors import StoreBusy
from runtime.store.messages import inbox as inbox_store
from runtime.store.messages import rates
from runtime.store.messages.inbox import InboundMessage, Taken
from runtime.store.messages.outbound_content import OutboundText
from runtime.store.messages.outbox import OutboundMessage, OutboxRow
from runtime.store.records import BotRecord
from runtime.turns.policy import Decision, Facts, MayAnswer, Say, Silent, decide
from schemas.addresses import whatsapp_address

STORING_LIMIT = 5_000
"""Messages that wait for the disk at the same time."""
STORE_SECONDS = 5.0
"""How long one of them waits; Twilio hangs up after 15 seconds and must have time to try again."""
STOP_SECONDS = 2.0
NEWEST = 10
"""Times the limit: so many of a user's messages are looked at to count those of a minute."""

Result = Literal["accepted", "duplicate", "limited"]
"""What became of a message: to be answered, here already, or stored only."""

log = structlog.get_logger("runtime.admission")


class Admitted(NamedTuple):
    """A message that was brought by its webhook."""

    result: Result
    awaited: Taken | None
    """The message, when an answer to it may come while its webhook waits."""


@dataclass(frozen=True, slots=True)
class Missed:
    """A message whose webhook did not arrive."""

    message: InboundMessage
    bot: BotRecord
    at: datetime
    """When it was written."""


class _Deadline:
    """Ends what its block waits for with StoreBusy, after STORE_SECONDS. asyncio.timeout would take as long as storing
    the message does."""

    __slots__ = ("_is_over", "_task", "_timer")

    def __enter__(self) -> None:
        self._is_over = False
        task = asyncio.current_task()
        assert task is not None, "only a task can be told that it is late"
        self._task = task
        self._timer = asyncio.get_running_loop().call_later(STORE_SECONDS, self._end)

    def _end(self) -> None:
        self._is_over = True
        self._task.cancel()

    def __exit__(self, kind: type[BaseException] | None, *_error: object) -> None:
        self._timer.cancel()
        if self._is_over and self._task.uncancel() == 0 and kind is asyncio.CancelledError:
            raise StoreBusy(
                f"A message was not stored within {STORE_SECONDS:g} seconds; is the disk or the server slow?"
            )


class Admission:
    """The way into the inbox."""

    def __init__(self, settings: Settings, database: Database, inbox: Inbox, delivery: Delivery) -> None:
        self._database = database
        self._inbox = inbox
        self._delivery = delivery
        self._rates = settings.rate_per_user, settings.rate_per_client
        self._limits = InboundRateLimits(*self._rates)
        self._looks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._is_alone = is_sqlite(settings.database_url)
        self._limit_message = settings.limit_message
        self._storing = 0
        self._telling: set[asyncio.Task[None]] = set()

    async def accept(self, message: InboundMessage, bot: BotRecord) -> Admitted:
        """Takes a message in, on disk when this returns; raises StoreBusy when it is not there in time.

        It may be stored later all the same. Then it is answered, and Twilio's next try finds it here.
        """
        if self._storing >= STORING_LIMIT:
            raise StoreBusy(f"{STORING_LIMIT} messages wait for the store already; is its disk or server slow?")
        self._storing += 1
        try:
            with _Deadline():
                return await self._taken_in(message, bot)
        finally:
            self._storing -= 1

    def limits_of_missed(self) -> InboundRateLimits:
        """Counts the missed messages of one account, by the moments at which they were written."""
        return InboundRateLimits(*self._rates)

    async def accept_missed(self, missed: Sequence[Missed], limits: InboundRateLimits) -> list[Result]:
        """Takes in messages of one account that have no webhook, in their order; on disk when this returns."""
        over = {item.message.message_sid for item in missed if _is_over(item, limits)}
        wanted = [item.message for item in missed if item.message.message_sid not in over]
        unwanted = [item.message for item in missed if item.message.message_sid in over]
        taken = await self._inbox.accept_all(wanted)
        taken += await self._database.write(inbox_store.take_in_all, unwanted, state="limited") if unwanted else []
        new = {message.message_sid for message, is_new in zip([*wanted, *unwanted], taken, strict=True) if is_new}
        for item in missed:
            if item.message.message_sid in over & new:
                _say_limited(item.message, item.bot, told=False)
        return [_result(item.message.message_sid, new, over) for item in missed]

    async def stop(self) -> None:
        """Waits a moment for notices under way. One that is left is settled at the next start."""
        if self._telling:
            _, late = await asyncio.wait(self._telling, timeout=STOP_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _taken_in(self, message: InboundMessage, bot: BotRecord) -> Admitted:
        decision = await self._decision(message, bot)
        if isinstance(decision, Silent):
            # Its turn asks again, and records why nobody answers.
            taken = await self._inbox.accept(message)
            return Admitted("duplicate" if taken is None else "accepted", None)
        if isinstance(decision, Say):
            if await self._turned_away(message, bot, decision):
                return Admitted("limited", None)
        elif (taken := await self._inbox.accept(message)) is not None:
            return Admitted("accepted", taken)
        self._limits.give_back(bot.id, message.user_key)
        return Admitted("duplicate", None)

    async def _decision(self, message: InboundMessage, bot: BotRecord) -> Decision:
        """Whether a message may be answered. Only one that nothing else speaks against is counted."""
        facts = Facts(bot=bot, limit_message=self._limit_message)
        decision = decide(facts)
        if isinstance(decision, MayAnswer) and (
            self._limits.is_over(bot.id, message.user_key) or await self._is_over_elsewhere(message)
        ):
            return decide(replace(facts, is_over_limit=True))
        return decision

    async def _is_over_elsewhere(self, message: InboundMessage) -> bool:
        """Whether all replicas together took in as much as is answered in a minute, of a user or of all of a bot's."""
        return not self._is_alone and (
            await self._is_user_over_elsewhere(message) or await self._is_client_over_elsewhere(message.bot_id)
        )

    async def _is_user_over_elsewhere(self, message: InboundMessage) -> bool:
        if not self._limits.may_be_over_elsewhere(message.bot_id, message.user_key):
            return False
        per_user, _ = self._rates
        since = timestamp(time.time() - WINDOW_SECONDS)
        wanted = await self._database.read(
            rates.wanted_since, message.bot_id, message.user_key, since, per_user * NEWEST
        )
        return wanted >= per_user

    async def _is_client_over_elsewhere(self, bot_id: str) -> bool:
        is_over = self._limits.is_client_over(bot_id)
        if is_over is not None:
            return is_over
        async with self._looks[bot_id]:
            # Of those that come while the store is asked, the first one asks for all.
            while (is_over := self._limits.is_client_over(bot_id)) is None:
                _, per_client = self._rates
                since = timestamp(time.time() - WINDOW_SECONDS)
                self._limits.note_client(
                    bot_id, await self._database.read(rates.wanted_of_bot, bot_id, since, per_client)
                )
        return is_over

    async def _turned_away(self, message: InboundMessage, bot: BotRecord, decision: Say) -> bool:
        tell = self._limits.may_tell(bot.id, message.user_key)
        notice = _notice(message, bot, decision.text) if tell else None
        taken, row = await self._database.write(inbox_store.take_in_limited, message, notice)
        if taken is not None:
            _say_limited(message, bot, told=row is not None)
        if row is not None:
            self._in_background(self._tell(row, bot))
        return taken is not None

    async def _tell(self, row: OutboxRow, bot: BotRecord) -> None:
        with suppress(NotSent):  # recorded and logged where it was found out
            await self._delivery.send(row, bot)

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)


def _is_over(item: Missed, limits: InboundRateLimits) -> bool:
    """Whether a message is too much. As of one that its webhook brings, only of those that might be answered."""
    may_be_answered = isinstance(decide(Facts(bot=item.bot)), MayAnswer)
    return may_be_answered and limits.is_over(item.bot.id, item.message.user_key, item.at.timestamp())


def _result(sid: str, new: Set[str], over: Set[str]) -> Result:
    if sid not in new:
        return "duplicate"
    return "limited" if sid in over else "accepted"


def _notice(message: InboundMessage, bot: BotRecord, text: str) -> OutboundMessage:
    """What a user is told whose message nobody will answer."""
    return OutboundMessage(
        account_sid=message.account_sid,
        sender=whatsapp_address(bot.twilio_phone_number),
        recipient=message.sender,
        content=OutboundText(text),
        channel="rest",
        claimed=True,
        bot_id=bot.id,
    )


def _say_limited(message: InboundMessage, bot: BotRecord, *, told: bool) -> None:
    log.warning(
        "message_limited",
        client=bot.label,
        number=bot.twilio_phone_number,
        user=masked_user(message.sender),
        message_sid=message.message_sid,
        user_notified=told,
    )
