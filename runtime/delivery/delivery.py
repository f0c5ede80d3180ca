"""Sends the outbox's messages: once, in order, over the claimed channel.

Every send is recorded as `sending` before it is made. When its outcome is unknown (time-out, broken connection, a crash
in between), Twilio is asked for the messages of that conversation, and only a message that is not there is sent again.
A process that was silent for a while first makes sure that no other process has taken the message over.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from contextlib import nullcontext
from itertools import zip_longest

import structlog

from runtime.catalog import Catalog
from runtime.delivery.file_links import FileLinks
from runtime.delivery.part_order import ON_THE_WAY, Parts
from runtime.delivery.reply_window import ReplyWindow, ReplyWindows
from runtime.delivery.unknown_sends import GIVE_UP_SECONDS, UnknownSends, pause_before_retry
from runtime.errors import KeyRefused, OperatorError, PermanentError, TemporaryError, UnknownOutcome
from runtime.observability.logs import masked_user
from runtime.observability.metrics import Metrics, client_label
from runtime.observability.tracing import span
from runtime.price_list import PriceList
from runtime.resilience.poison import MAX_CRASHES, Suspects
from runtime.store.database.database import Database
from runtime.store.database.times import seconds_since
from runtime.store.delivery_errors import OUTSIDE
from runtime.store.errors import StoreError
from runtime.store.messages import outbox, send_matching, waiting_sends
from runtime.store.messages.outbound_content import is_offer
from runtime.store.messages.outbox import OutboxRow, SendPostponed, SendWithheld
from runtime.store.records import BotRecord
from runtime.store.usage.ledger import CHARGED_BY_TWILIO
from runtime.twilio.accounts import Account, AccountError, Accounts
from runtime.twilio.client import SentMessage, Twilio
from runtime.twilio.twiml import message_twiml
from schemas.addresses import number_of
from schemas.overrides import with_overrides

HELD_SECONDS = 4.0
"""For this many seconds after a claim no other process can have taken the message over: the stall timeout is a little
longer."""
WRITING_SECONDS = 1.0
"""For how long a claim must hold yet as a send begins, since a request is not written after it."""
ROW_PARAMETER = "message"
"""Query parameter for the outbox row in the URL of its status callbacks, which may come before we know Twilio's sid."""

CHOICES_HINT = "it was sent in words; run reconcile, or write replies: {buttons: false} where Twilio never takes them"

log = structlog.get_logger("runtime.delivery")


class NotSent(OperatorError):
    """A message that failed for good; the text gives the reason."""


class Delivery:
    """Sends outbox rows."""

    def __init__(
        self,
        database: Database,
        twilio: Twilio,
        accounts: Accounts,
        catalog: Catalog,
        windows: ReplyWindows,
        suspects: Suspects,
        prices: PriceList,
        metrics: Metrics,
        status_url: str | None,
        overrides: str,
        links: FileLinks,
    ) -> None:
        self._database = database
        self._twilio = twilio
        self._accounts = accounts
        self._catalog = catalog
        self._windows = windows
        self._suspects = suspects
        self._prices = prices
        self._metrics = metrics
        self._status_url = status_url
        self._overrides = overrides
        self._links = links
        self._outcomes = UnknownSends(database, twilio, prices, metrics)
        self._parts = Parts(database)
        self._resumed: set[int] = set()

    async def deliver(self, rows: Sequence[OutboxRow], bot: BotRecord | None) -> None:
        """Sends the rows of one answer, in order; the first goes out in the window that its turn has claimed, if any.
        Failures are recorded. Parts after one that is sent again later are left to that."""
        for index, row in enumerate(rows):
            following = rows[index + 1] if index + 1 < len(rows) else None
            window = self._windows.claimed_by(row.turn_id) if row.channel == "twiml" else None
            try:
                if window is not None:
                    await self._send_as_twiml(row, bot, window)
                else:
                    await self.send(row, bot, following)
            except SendWithheld:
                await self._withheld(row)
                return
            except (NotSent, SendPostponed):
                return

    async def send(self, row: OutboxRow, bot: BotRecord | None, following: OutboxRow | None = None) -> SentMessage:
        """Sends one row over REST and records the outcome; raises NotSent when it fails for good, SendTakenOver when
        it is another process's to send, SendPostponed when it is not to be sent yet, SendWithheld when it is not any
        more."""
        if row.state == "ready":
            row = await self._database.write(outbox.claim, row, "rest")
        with self._parts.followed(row.id) if following is not None else nullcontext():
            sent = await self._send(row, bot)
            if following is not None:
                await self._parts.on_its_way(row.id)
        return sent

    async def _send(self, row: OutboxRow, bot: BotRecord | None) -> SentMessage:
        try:
            account = self._accounts.account_of(bot)
            with span(
                "send",
                "client",
                client=client_label(bot),
                number=number_of(row.sender),
                turn=row.turn_id,
                channel="rest",
            ):
                sent = await self._send_until_known(row, account, client_label(bot))
        except (AccountError, PermanentError) as error:
            if isinstance(error, PermanentError) and await self._waits(row, error):
                log.warning("message_came_too_late", error=str(error), **self._facts(row, bot))
                raise SendPostponed(f"Message {row.id} waits until its user writes again.") from error
            log.error("message_not_sent", error=str(error), **self._facts(row, bot))
            await self._failed(row, bot, str(error), error.code if isinstance(error, PermanentError) else None)
            raise NotSent(str(error)) from error
        self._metrics.sent(client_label(bot), "rest", row.turn_id)
        log.info("message_sent", channel="rest", message_sid=sent.sid, **self._facts(row, bot))
        return sent

    async def _waits(self, row: OutboxRow, error: PermanentError) -> bool:
        """Whether a message that WhatsApp refused as too late waits for its user from now on."""
        if error.code not in OUTSIDE or row.bot_id is None:
            return False
        configuration = await self._catalog.configuration(row.bot_id)
        seconds = configuration.waits_seconds if configuration is not None else None
        if seconds is None:
            return False
        return await self._database.write(waiting_sends.after_refusal, row.id, seconds, str(error))

    async def resume_alone(self, row: OutboxRow, bot: BotRecord | None) -> None:
        """Sends a row outside of any answer, or finds that another process sent it; raises as `send`."""
        await self._resume(row, bot, None)

    async def resume(self, conversation_id: int) -> None:
        """Resumes the rows of a conversation that an earlier process left unsent, in order; raises SendTakenOver."""
        rows = await self._database.read(outbox.unsent_of, conversation_id)
        left: int | None = None
        for row, after in zip_longest(rows, rows[1:]):
            if row.turn_id == left:
                continue
            following = after if after is not None and _follows(after, row) else None
            configuration = await self._catalog.configuration(row.bot_id) if row.bot_id else None
            try:
                await self._resume(row, configuration.bot if configuration else None, following)
            except SendWithheld:
                await self._withheld(row)
                left = row.turn_id
            except (NotSent, SendPostponed):
                left = row.turn_id

    async def _withheld(self, row: OutboxRow) -> None:
        """Records that a message that was claimed is not sent, since a person took its conversation."""
        await self._database.write(outbox.settle_withheld, row.id)
        log.info("message_withheld", message=row.id)

    async def _resume(self, row: OutboxRow, bot: BotRecord | None, following: OutboxRow | None) -> None:
        """Sends a row that another process left, or finds that it was sent. A row whose every process crashed is given
        up; until then such rows wait for each other like suspected turns (see `runtime.resilience.poison`)."""
        crashes = row.resumed + (row.id not in self._resumed)
        slot = self._suspects.slot()
        try:
            await slot.acquire(crashes)
            await self._mark_resumed(row, bot, crashes)
            if row.state == "sending":
                await self._settle(row, bot, following)
            else:
                await self.send(row, bot, following)
        except StoreError:
            # The outcome of the last write is looked up; this process still owns the message.
            raise
        except (asyncio.CancelledError, SendPostponed, SendWithheld):
            await self._release(row)
            raise
        except Exception:
            # Settled, taken over, or a bug, which counts like a crash of the process.
            self._resumed.discard(row.id)
            raise
        else:
            self._resumed.discard(row.id)
        finally:
            slot.release()

    async def _mark_resumed(self, row: OutboxRow, bot: BotRecord | None, crashes: int) -> None:
        """Records that this process owns the message; raises NotSent when too many others crashed with it."""
        if crashes >= MAX_CRASHES:
            error = f"Each of the {crashes} processes that were sending it crashed."
            log.error("message_given_up", error=error, **self._facts(row, bot))
            await self._failed(row, bot, error)
            raise NotSent(error)
        if row.id not in self._resumed:
            await self._database.write(outbox.mark_resumed, row.id)
            self._resumed.add(row.id)

    async def _release(self, row: OutboxRow) -> None:
        """Releases a message, whose sending did not crash this process, for any process to resume."""
        if row.id not in self._resumed:
            return
        self._resumed.remove(row.id)
        try:
            await self._database.write(outbox.release, row.id)
        except StoreError as error:
            log.warning("message_release_failed", message=row.id, error=str(error))

    async def _failed(self, row: OutboxRow, bot: BotRecord | None, error: str, code: str | None = None) -> None:
        """`code` is Twilio's, where it refused the message."""
        for _ in range(await self._database.write(outbox.mark_failed, row, error, code)):
            self._metrics.not_sent(client_label(bot), row.channel)
        if code is not None:
            self._metrics.undelivered(client_label(bot), code)

    def note_status(self, row_id: int, status: str) -> None:
        """Passes on a status callback that came to this process: a part may be waiting for it."""
        self._parts.note_status(row_id, status)

    async def _send_as_twiml(self, row: OutboxRow, bot: BotRecord | None, window: ReplyWindow) -> None:
        try:
            document = message_twiml(self._links.resolved(row.content))
            row = await self._held(row)
        except BaseException:
            window.release()
            raise
        with span("send", client=client_label(bot), number=number_of(row.sender), turn=row.turn_id, channel="twiml"):
            delivered = await window.hand_over(document)
        if delivered is False:
            await self.send(await self._database.write(outbox.claim, row, "rest"), bot)
            return
        if (
            delivered is not None
            and await self._database.write_unhurried(send_matching.mark_sent, row.id, None, None, None) is not None
        ):
            self._metrics.sent(client_label(bot), "twiml", row.turn_id)
            log.info("message_sent", channel="twiml", **self._facts(row, bot))
        else:
            await self._settle(row, bot)

    async def _settle(self, row: OutboxRow, bot: BotRecord | None, following: OutboxRow | None = None) -> None:
        give_up = time.monotonic() + GIVE_UP_SECONDS
        with self._parts.followed(row.id) if following is not None else nullcontext():
            try:
                account = self._accounts.account_of(bot)
                sent = await self._outcomes.settle(row, account, client_label(bot), give_up)
            except (AccountError, PermanentError) as error:
                log.error("send_outcome_unknown", error=str(error), **self._facts(row, bot))
                await self._failed(row, bot, f"Its outcome is unknown: {error}")
                raise NotSent(str(error)) from error
            if sent is not None:
                self._metrics.sent(client_label(bot), row.channel, row.turn_id)
                log.info("message_already_sent", message_sid=sent.sid, **self._facts(row, bot))
                if following is not None and sent.status not in ON_THE_WAY:
                    await self._parts.on_its_way(row.id)
                return
        await self.send(await self._database.write(outbox.claim, row, "rest"), bot, following)

    async def _held(self, row: OutboxRow) -> OutboxRow:
        """The row that this process is about to send, claimed again when its claim is old; raises SendTakenOver."""
        if row.claimed_at is None or seconds_since(row.claimed_at) < HELD_SECONDS - WRITING_SECONDS:
            return row
        return await self._database.write(outbox.claim, row, row.channel)

    async def _send_until_known(self, row: OutboxRow, account: Account, client: str) -> SentMessage:
        """Sends a row until it is recorded as sent; raises PermanentError when it cannot be sent. Buttons and lists
        that Twilio refuses are sent in words."""
        give_up = time.monotonic() + GIVE_UP_SECONDS
        attempt = 0
        while True:
            attempt += 1
            try:
                async with self._twilio.slot(account, row.sender) as slot:
                    row = await self._held(row)
                    sent = await slot.send(
                        recipient=row.recipient,
                        content=self._links.resolved(row.content),
                        status_callback=self._callback_of(row),
                        latest=_held_until(row),
                    )
                is_charged = sent.status in CHARGED_BY_TWILIO
                prices = await self._prices.of_messages(client, row.recipient) if is_charged else None
                charged = await self._database.write_unhurried(
                    send_matching.mark_sent, row.id, sent.sid, sent.status, prices
                )
                if charged is not None:
                    self._metrics.charged(client, charged)
                    return sent
                log.warning("sent_message_attributed_elsewhere", message=row.id, message_sid=sent.sid)
            except TemporaryError as error:
                await pause_before_retry(error, attempt, give_up)
                continue
            except PermanentError as error:
                if isinstance(error, KeyRefused) or not is_offer(row.content):
                    raise
                log.error("choices_refused", error=str(error), message=row.id, client=client, hint=CHOICES_HINT)
                row = await self._database.write(outbox.put_in_words, row)
                continue
            except UnknownOutcome as error:
                log.warning("send_in_doubt", error=str(error), message=row.id)
            found = await self._outcomes.settle(row, account, client, give_up)
            if found is not None:
                return found

    def _callback_of(self, row: OutboxRow) -> str | None:
        """The status callback of a row, with connection overrides, since a lost call would delay the next part of a
        long answer."""
        if self._status_url is None:
            return None
        return with_overrides(f"{self._status_url}?{ROW_PARAMETER}={row.id}", self._overrides)

    def _facts(self, row: OutboxRow, bot: BotRecord | None) -> dict[str, object]:
        return {
            "client": client_label(bot) or None,
            "number": number_of(row.sender),
            "user": masked_user(row.recipient),
            "part": row.part,
        }


def _held_until(row: OutboxRow) -> float:
    """The time, by `time.monotonic`, until which no other process can have taken a row over."""
    if row.claimed_at is None:
        return math.inf
    return time.monotonic() + HELD_SECONDS - seconds_since(row.claimed_at)


def _follows(row: OutboxRow, earlier: OutboxRow) -> bool:
    """Whether a row waits until the one before it has left: parts of an answer, and what one person after the other
    wrote."""
    return row.turn_id == earlier.turn_id or (row.author is not None and earlier.author is not None)
