"""Admission to the inbox: refuses quickly what cannot be stored in time, and keeps a flood from the model.

webhook ──► too many being stored, or not on disk in time ──► StoreBusy: 503, so that Twilio tries again
        ├─► too many messages in a minute ──► stored as `limited`, the user notified once
        └─► the inbox
sweep   ──► the same limits, by the minute in which a message was written; without a notification
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Coroutine, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

import structlog

from runtime.delivery.delivery import Delivery, NotSent
from runtime.dispatch.inbox import Inbox
from runtime.inbound.rate_limits import WINDOW_SECONDS, InboundRateLimits
from runtime.observability.logs import masked_user
from runtime.settings import Settings
from runtime.store.database.database import Database
from runtime.store.database.url import is_sqlite
from runtime.store.errors import StoreBusy
from runtime.store.messages import inbox as inbox_store
from runtime.store.messages import rates
from runtime.store.messages.inbox import InboundMessage, StoredMessage
from runtime.store.messages.outbound_content import OutboundText
from runtime.store.messages.outbox import OutboundMessage, OutboxRow
from runtime.store.records import BotRecord
from runtime.turns.leavings import leavings_of_message, leavings_of_notice
from runtime.turns.policy import Decision, Facts, MayAnswer, Say, Silent, decide
from schemas.addresses import whatsapp_address

STORING_LIMIT = 5_000
"""Maximum number of messages that wait for the disk."""
STORE_SECONDS = 5.0
"""Time limit of storing a message; Twilio hangs up after 15 seconds and needs time to try again."""
STOP_SECONDS = 2.0
NEWEST = 10
"""Number of a user's messages that are read to count those of a minute, as a multiple of the limit."""

Result = Literal["accepted", "duplicate", "limited"]
"""The result for a message: to be answered, a duplicate, or stored only."""

log = structlog.get_logger("runtime.admission")


class Admitted(NamedTuple):
    """The result of a message from its webhook."""

    result: Result
    awaited: StoredMessage | None
    """The message, when its answer may come while its webhook waits."""


@dataclass(frozen=True, slots=True)
class Missed:
    """A message whose webhook did not arrive."""

    message: InboundMessage
    bot: BotRecord
    at: datetime
    """When it was written."""


class StoreDeadline:
    """Raises StoreBusy in its block after STORE_SECONDS. asyncio.timeout would take as long as storing the message
    does."""

    __slots__ = ("_is_over", "_task", "_timer")

    def __enter__(self) -> None:
        self._is_over = False
        task = asyncio.current_task()
        assert task is not None, "a deadline needs a task"
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
    """Admits messages to the inbox."""

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
        """Stores a message, on disk when this returns; raises StoreBusy when it is not stored in time.

        It may be stored later nevertheless. Then it is answered, and Twilio's next try is a duplicate.
        """
        if self._storing >= STORING_LIMIT:
            raise StoreBusy(f"{STORING_LIMIT} messages wait for the store already; is its disk or server slow?")
        self._storing += 1
        try:
            with StoreDeadline():
                return await self._stored(message, bot)
        finally:
            self._storing -= 1

    def limits_of_missed(self) -> InboundRateLimits:
        """Rate limits for the missed messages of one account, by the times at which they were written."""
        return InboundRateLimits(*self._rates)

    async def accept_missed(self, missed: Sequence[Missed], limits: InboundRateLimits) -> list[Result]:
        """Stores messages of one account without a webhook, in their order; on disk when this returns."""
        over = {item.message.message_sid for item in missed if _is_over(item, limits)}
        wanted = [item.message for item in missed if item.message.message_sid not in over]
        unwanted = [item.message for item in missed if item.message.message_sid in over]
        taken = await self._inbox.accept_all(wanted)
        if unwanted:
            left = [(message, leavings_of_message(message.content)) for message in unwanted]
            taken += await self._database.write(inbox_store.store_all_limited, left)
        new = {message.message_sid for message, is_new in zip([*wanted, *unwanted], taken, strict=True) if is_new}
        for item in missed:
            if item.message.message_sid in over & new:
                _log_limited(item.message, item.bot, told=False)
        return [_result(item.message.message_sid, new, over) for item in missed]

    async def stop(self) -> None:
        """Waits STOP_SECONDS for notices that are being sent. An interrupted one is settled at the next start."""
        if self._telling:
            _, late = await asyncio.wait(self._telling, timeout=STOP_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _stored(self, message: InboundMessage, bot: BotRecord) -> Admitted:
        facts = Facts(bot=bot, limit_message=self._limit_message)
        decision = decide(facts)
        if isinstance(decision, Silent):
            # Its turn asks the policy again, and records the reason.
            taken = await self._inbox.accept(message)
            return Admitted("duplicate" if taken is None else "accepted", None)
        # Only a message without another objection is counted, and only once: Twilio delivers some twice, and one that
        # could not be stored up to eight times.
        is_over = self._limits.is_over(bot.id, message.user_key)
        admitted = Admitted("duplicate", None)
        try:
            if is_over or await self._is_over_elsewhere(message):
                decision = decide(facts._replace(is_over_limit=True))
            admitted = await self._admitted(message, bot, decision)
        finally:
            if admitted.result == "duplicate":
                self._limits.uncount(bot.id, message.user_key)
        return admitted

    async def _admitted(self, message: InboundMessage, bot: BotRecord, decision: Decision) -> Admitted:
        if isinstance(decision, Say):
            is_new = await self._stored_limited(message, bot, decision)
            return Admitted("limited" if is_new else "duplicate", None)
        taken = await self._inbox.accept(message)
        if taken is not None and taken.has_new_number:
            facts = {"client": bot.label, "user": masked_user(message.sender), "message_sid": message.message_sid}
            log.info("number_changed", **facts)
        return Admitted("duplicate" if taken is None else "accepted", taken)

    async def _is_over_elsewhere(self, message: InboundMessage) -> bool:
        """Whether all replicas together have stored as many messages as are answered in a minute, of a user or of all
        users of a bot."""
        return not self._is_alone and (
            await self._is_user_over_elsewhere(message) or await self._is_client_over_elsewhere(message.bot_id)
        )

    async def _is_user_over_elsewhere(self, message: InboundMessage) -> bool:
        if not self._limits.may_be_over_elsewhere(message.bot_id, message.user_key):
            return False
        per_user, _ = self._rates
        wanted = await self._database.read(
            rates.wanted_since, message.bot_id, message.user_key, WINDOW_SECONDS, per_user * NEWEST
        )
        return wanted >= per_user

    async def _is_client_over_elsewhere(self, bot_id: str) -> bool:
        is_over = self._limits.is_client_over(bot_id)
        if is_over is not None:
            return is_over
        async with self._looks[bot_id]:
            # For messages that come during the query, the first one queries for all.
            while (is_over := self._limits.is_client_over(bot_id)) is None:
                _, per_client = self._rates
                self._limits.note_client(
                    bot_id, await self._database.read(rates.wanted_of_bot, bot_id, WINDOW_SECONDS, per_client)
                )
        return is_over

    async def _stored_limited(self, message: InboundMessage, bot: BotRecord, decision: Say) -> bool:
        tell = self._limits.may_notify(bot.id, message.user_key)
        notice = _notice(message, bot, decision.text) if tell else None
        left, of_notice = leavings_of_message(message.content), leavings_of_notice(decision.text)
        taken, row = await self._database.write(inbox_store.store_limited, message, left, notice, of_notice)
        if taken is not None:
            _log_limited(message, bot, told=row is not None)
        if row is not None:
            self._in_background(self._notify(row, bot))
        return taken is not None

    async def _notify(self, row: OutboxRow, bot: BotRecord) -> None:
        with suppress(NotSent):  # recorded and logged where it failed
            await self._delivery.send(row, bot)

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)


def _is_over(item: Missed, limits: InboundRateLimits) -> bool:
    """Whether a message exceeds a limit. Like messages from webhooks, only those that might be answered count."""
    may_be_answered = isinstance(decide(Facts(bot=item.bot)), MayAnswer)
    return may_be_answered and limits.is_over(item.bot.id, item.message.user_key, item.at.timestamp())


def _result(sid: str, new: Set[str], over: Set[str]) -> Result:
    if sid not in new:
        return "duplicate"
    return "limited" if sid in over else "accepted"


def _notice(message: InboundMessage, bot: BotRecord, text: str) -> OutboundMessage:
    """The notice for a user whose message is not answered."""
    return OutboundMessage(
        account_sid=message.account_sid,
        sender=whatsapp_address(bot.twilio_phone_number),
        recipient=message.sender,
        content=OutboundText(text),
        channel="rest",
        claimed=True,
        bot_id=bot.id,
    )


def _log_limited(message: InboundMessage, bot: BotRecord, *, told: bool) -> None:
    log.warning(
        "message_limited",
        client=bot.label,
        number=bot.twilio_phone_number,
        user=masked_user(message.sender),
        message_sid=message.message_sid,
        user_notified=told,
    )
