"""Sends what the outbox holds: once, in order, over the channel that was claimed.

Every send is recorded as `sending` before it is made. When its outcome is unknown (time-out, broken connection, a crash
in between), Twilio is asked for the messages of that conversation, and only what is not there is sent again.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from itertools import zip_longest

import structlog

from runtime.accounts import Account, AccountError, Accounts
from runtime.catalog import Catalog
from runtime.errors import OperatorError, PermanentError, TemporaryError, UnknownOutcome
from runtime.logs import masked_user
from runtime.metrics import NO_CLIENT, Metrics
from runtime.store import outbox
from runtime.store.database import Database
from runtime.store.errors import StoreError
from runtime.store.outbox import FINAL_STATUSES, OutboxRow
from runtime.store.records import BotRecord
from runtime.store.times import timestamp
from runtime.tracing import span
from runtime.twilio_client import SentMessage, Twilio
from runtime.twiml import ReplyWindow
from schemas.overrides import with_overrides

SETTLE_AFTER_SECONDS = 2.0
"""A send may still be on its way inside Twilio for a moment; nobody asks before this."""
CLOCK_SKEW_SECONDS = 60.0
"""How far Twilio's clock may be behind ours when messages are looked up by time."""
GIVE_UP_SECONDS = 600.0
"""How long a message is tried."""
ABANDONED_SECONDS = 60.0
"""How much longer than it may be tried a proactive message is left to the replica that sends it."""
ROW_PARAMETER = "message"
"""Names the outbox row in the URL of its status callbacks, which may come before we know Twilio's sid."""
PART_WAIT_SECONDS = 10.0
"""How long a part waits for the one before it to be `sent`; WhatsApp keeps no order among messages under way."""
FIRST_LOOK_SECONDS = 0.25
"""When the store is first asked whether another replica took the callback; each next look waits twice as long."""
ON_THE_WAY = frozenset({"sent", "delivered", "read"}) | FINAL_STATUSES

log = structlog.get_logger("runtime.delivery")


class NotSent(OperatorError):
    """A message that will not go out; the text says why."""


class Delivery:
    """The way out."""

    def __init__(
        self,
        database: Database,
        twilio: Twilio,
        accounts: Accounts,
        catalog: Catalog,
        metrics: Metrics,
        status_url: str | None,
        overrides: str,
    ) -> None:
        self._database = database
        self._twilio = twilio
        self._accounts = accounts
        self._catalog = catalog
        self._metrics = metrics
        self._status_url = status_url
        self._overrides = overrides
        self._on_the_way: dict[int, asyncio.Event] = {}

    async def deliver(self, rows: Sequence[OutboxRow], bot: BotRecord | None, window: ReplyWindow | None) -> None:
        """Sends the rows of one answer, in order; a claimed window takes the first. What fails is recorded."""
        for index, row in enumerate(rows):
            following = rows[index + 1] if index + 1 < len(rows) else None
            try:
                if row.channel == "twiml" and window is not None:
                    await self._send_as_twiml(row, bot, window)
                else:
                    await self.send(row, bot, following)
            except NotSent:
                for lost in rows[index + 1 :]:
                    await self._database.write(
                        outbox.mark_failed, lost.id, "The part before this one could not be sent."
                    )
                    self._metrics.not_sent(_client(bot), lost.channel)
                return

    async def send(self, row: OutboxRow, bot: BotRecord | None, following: OutboxRow | None = None) -> SentMessage:
        """Sends one claimed row over REST and records the outcome; raises NotSent when it fails for good."""
        arrival = asyncio.Event()
        if following is not None:
            self._on_the_way[row.id] = arrival
        try:
            account = self._accounts.account_of(bot)
            with span("send", "client", client=_client(bot), number=_number(row), turn=row.turn_id, channel="rest"):
                sent = await self._send_until_known(row, account)
        except (AccountError, PermanentError) as error:
            self._on_the_way.pop(row.id, None)
            await self._database.write(outbox.mark_failed, row.id, str(error))
            self._metrics.not_sent(_client(bot), "rest")
            log.error("message not sent", error=str(error), **self._facts(row, bot))
            raise NotSent(str(error)) from error
        await self._database.write(
            outbox.mark_sent, row.id, sent.sid, sent.status, following.id if following is not None else None
        )
        self._metrics.sent(_client(bot), "rest", row.turn_id)
        log.info("message sent", channel="rest", message_sid=sent.sid, **self._facts(row, bot))
        if following is not None:
            await self._part_on_its_way(row, arrival)
        return sent

    async def resume(self, conversation_id: int) -> None:
        """Settles what an earlier process left unsent in a conversation, in order."""
        rows = await self._database.read(outbox.unsent_of, conversation_id)
        for row, after in zip_longest(rows, rows[1:]):
            following = after if after is not None and after.turn_id == row.turn_id else None
            configuration = await self._catalog.configuration(row.bot_id) if row.bot_id else None
            bot = configuration.bot if configuration else None
            try:
                if row.state == "sending":
                    await self._settle(row, bot, following)
                else:
                    await self._database.write(outbox.claim, row.id, "rest")
                    await self.send(row, bot, following)
            except NotSent:
                continue

    async def watch_proactive(self, *, alone: bool) -> None:
        """Settles what nobody is sending any more. On a store with replicas only age tells that, so it is looked for
        again and again; a process that is alone knows it when it starts."""
        if alone:
            await self._settle_proactive(await self._database.read(outbox.unsent_proactive, timestamp()))
            return
        while True:
            before = timestamp(time.time() - GIVE_UP_SECONDS - ABANDONED_SECONDS)
            try:
                await self._settle_proactive(await self._database.read(outbox.unsent_proactive, before))
            except StoreError as error:
                log.warning("proactive messages not settled", error=str(error))
            await asyncio.sleep(ABANDONED_SECONDS)

    async def _settle_proactive(self, rows: Sequence[OutboxRow]) -> None:
        """Settles proactive messages that an earlier process left in doubt. Whoever asked for one got no answer and may
        ask again, so what did not go out is not sent now."""
        for row in rows:
            configuration = await self._catalog.configuration(row.bot_id) if row.bot_id else None
            try:
                account = self._accounts.account_of(configuration.bot if configuration else None)
                sent = await self._find(row, account, time.monotonic() + GIVE_UP_SECONDS)
            except (AccountError, PermanentError) as error:
                await self._database.write(outbox.mark_failed, row.id, f"Its outcome is unknown: {error}")
                continue
            if sent is None:
                await self._database.write(outbox.mark_failed, row.id, "Cut off before it was sent; send it again.")
            else:
                await self._database.write(outbox.mark_sent, row.id, sent.sid, sent.status)

    def note_status(self, row_id: int, status: str) -> None:
        """Hears of a status callback that came to this process: a part may be waiting for it."""
        if status in ON_THE_WAY and (arrival := self._on_the_way.get(row_id)) is not None:
            arrival.set()

    async def _send_as_twiml(self, row: OutboxRow, bot: BotRecord | None, window: ReplyWindow) -> None:
        with span("send", client=_client(bot), number=_number(row), turn=row.turn_id, channel="twiml"):
            delivered = await window.hand_over(row.body)
        if delivered:
            await self._database.write(outbox.mark_sent, row.id, None, None)
            self._metrics.sent(_client(bot), "twiml", row.turn_id)
            log.info("message sent", channel="twiml", **self._facts(row, bot))
        elif delivered is None:
            await self._settle(row, bot)
        else:
            await self._database.write(outbox.claim, row.id, "rest")
            await self.send(row, bot)

    async def _settle(self, row: OutboxRow, bot: BotRecord | None, following: OutboxRow | None = None) -> None:
        try:
            sent = await self._find(row, self._accounts.account_of(bot), time.monotonic() + GIVE_UP_SECONDS)
        except (AccountError, PermanentError) as error:
            await self._database.write(outbox.mark_failed, row.id, f"Its outcome is unknown: {error}")
            self._metrics.not_sent(_client(bot), row.channel)
            log.error("outcome unknown", error=str(error), **self._facts(row, bot))
            raise NotSent(str(error)) from error
        if sent is not None:
            await self._database.write(outbox.mark_sent, row.id, sent.sid, sent.status)
            self._metrics.sent(_client(bot), row.channel, row.turn_id)
            log.info("message had been sent", message_sid=sent.sid, **self._facts(row, bot))
            return
        await self._database.write(outbox.claim, row.id, "rest")
        await self.send(row, bot, following)

    async def _send_until_known(self, row: OutboxRow, account: Account) -> SentMessage:
        give_up = time.monotonic() + GIVE_UP_SECONDS
        attempt = 0
        while True:
            attempt += 1
            try:
                return await self._twilio.send(
                    account,
                    sender=row.sender,
                    recipient=row.recipient,
                    body=row.body,
                    status_callback=self._callback_of(row),
                )
            except TemporaryError as error:
                await self._pause(error, attempt, give_up)
            except UnknownOutcome as error:
                log.warning("send in doubt", error=str(error), message=row.id)
                sent = await self._find(row, account, give_up)
                if sent is not None:
                    return sent

    def _callback_of(self, row: OutboxRow) -> str | None:
        """What Twilio calls about a row; one call that got lost would hold back the next part of a long answer."""
        if self._status_url is None:
            return None
        return with_overrides(f"{self._status_url}?{ROW_PARAMETER}={row.id}", self._overrides)

    async def _find(self, row: OutboxRow, account: Account, give_up: float) -> SentMessage | None:
        """Asks Twilio whether a row went out; raises PermanentError when it cannot be known."""
        await asyncio.sleep(SETTLE_AFTER_SECONDS)
        since = _earlier(row.claimed_at)
        twins = await self._database.read(outbox.twins, row, since)
        attempt = 0
        while True:
            attempt += 1
            try:
                listed = await self._twilio.find(
                    account, sender=row.sender, recipient=row.recipient, body=row.body, since=since
                )
            except TemporaryError as error:
                await self._pause(error, attempt, give_up)
                continue
            # The same words may have been sent before; only one more than those is ours.
            unknown = [message for message in listed if message.sid not in twins]
            return unknown[-1] if len(listed) > len(twins) and unknown else None

    async def _pause(self, error: TemporaryError, attempt: int, give_up: float) -> None:
        left = give_up - time.monotonic()
        if left <= 0:
            raise PermanentError(f"Given up after {GIVE_UP_SECONDS:g} seconds: {error}") from error
        delay = error.delay if error.delay is not None else min(0.5 * 2**attempt, 30.0)
        # Spread upwards only: what Twilio asks for is the least.
        delay *= random.uniform(1.0, 1.4)  # noqa: S311 - spreads retries, guards nothing
        await asyncio.sleep(min(delay, left))

    async def _part_on_its_way(self, row: OutboxRow, arrival: asyncio.Event) -> None:
        """Waits for a part's callback, whichever replica takes it: this one hears of its own at once."""
        deadline = time.monotonic() + PART_WAIT_SECONDS
        pause = FIRST_LOOK_SECONDS
        try:
            while (left := deadline - time.monotonic()) > 0:
                with suppress(TimeoutError):
                    await asyncio.wait_for(arrival.wait(), min(pause, left))
                if arrival.is_set() or await self._database.read(outbox.status_of, row.id) in ON_THE_WAY:
                    return
                pause *= 2
            log.warning("no status callback", message=row.id, waited_seconds=PART_WAIT_SECONDS)
        finally:
            del self._on_the_way[row.id]

    def _facts(self, row: OutboxRow, bot: BotRecord | None) -> dict[str, object]:
        return {
            "client": _client(bot) or None,
            "number": _number(row),
            "user": masked_user(row.recipient),
            "part": row.part,
        }


def _number(row: OutboxRow) -> str:
    return row.sender.removeprefix("whatsapp:")


def _client(bot: BotRecord | None) -> str:
    return (bot.client or bot.id) if bot else NO_CLIENT


def _earlier(moment: str | None) -> str:
    """A stored moment, moved back by what Twilio's clock may lag."""
    at = datetime.fromisoformat(moment).timestamp() if moment else time.time()
    return timestamp(at - CLOCK_SKEW_SECONDS)
