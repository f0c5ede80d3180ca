"""Accepts messages whose webhook never arrived: those that are at Twilio and not in the inbox.

    every account ──► its inbound messages ──► not in the inbox ──► its sender calls us ──► accepted, BATCH to a commit

A sweep is a timer, so exactly one process sweeps: after each start, and every SWEEP_SECONDS. The timer stores how far
each account is known; a new account is swept from the beginning of the window. A message is processed like one from its
webhook, and the inbox stores each message once, so a late webhook changes nothing. Messages from before the bot was
created are ignored, and so is a number whose sender calls another address, which may have answered; where Twilio does
not know its senders, a bot's number is taken to call us. Very many messages are read LIMIT at a time, the oldest first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import structlog

from runtime.catalog import Catalog
from runtime.dispatch.timers import RunAgain, Timers
from runtime.errors import PermanentError, ProviderError
from runtime.inbound.admission import Admission, Missed
from runtime.inbound.message import inbound_message
from runtime.observability.logs import masked_user
from runtime.observability.metrics import Metrics
from runtime.price_list import PriceList
from runtime.store import catalog as store
from runtime.store.database.database import Database
from runtime.store.database.times import SKEW_SECONDS
from runtime.store.errors import StoreError
from runtime.store.messages import inbox as inbox_store
from runtime.store.records import BotRecord
from runtime.store.timers import Timer, put_again
from runtime.store.usage.ledger import Line
from runtime.twilio.accounts import Account, AccountError, Accounts
from runtime.twilio.client import Received, ReceivedMessage, Twilio
from schemas.addresses import number_of

LIMIT = 20_000
"""Maximum number of messages of one account in memory."""
BATCH = 100
"""Number of messages that are stored in one commit. Until then a webhook of the same user waits."""
RETRY_SECONDS = 15.0
"""Pause before an account that could not be read is read again."""
WEBHOOK_SECONDS = 30.0
"""How long Twilio may still be trying a message's webhook and its fallback."""

KIND = "sweep"
KEY = "all"
"""Key of the one timer, which all accounts share: they are few, and read one after the other."""

log = structlog.get_logger("runtime.sweep")


@dataclass(frozen=True, slots=True)
class Sweep:
    """Searches for missed messages."""

    webhook_url: str
    """The URL that our senders call."""
    window: timedelta
    """How far back the sweep after a start goes."""
    seconds: float
    """Interval of sweeping every account."""
    database: Database
    catalog: Catalog
    accounts: Accounts
    twilio: Twilio
    admission: Admission
    prices: PriceList
    metrics: Metrics
    limit: int = LIMIT

    async def begin(self, timers: Timers) -> None:
        """Schedules a sweep of every account now and every `seconds`, in any process."""
        timers.register(KIND, self.run)
        now = datetime.now(UTC)
        await self.database.write(put_again, KIND, KEY, now, {"started_at": now.isoformat()})
        timers.wake()

    async def never(self, timers: Timers) -> None:
        """Cancels the sweep in all processes."""
        await timers.cancel(KIND, KEY)

    async def run(self, timer: Timer) -> RunAgain:
        """Sweeps every account of the bots. One that could not be read is read again soon."""
        progress = _Progress.of(timer.payload)
        bots = await self.database.read(store.bot_of_each_account)
        if all([await self._sweep(bot, progress) for bot in bots]):
            return RunAgain(self.seconds, _Progress(progress.swept).payload())
        return RunAgain(min(self.seconds, RETRY_SECONDS), progress.payload())

    async def _sweep(self, bot: BotRecord, progress: _Progress) -> bool:
        """Sweeps a bot's account; False when that failed and may succeed soon."""
        now = datetime.now(UTC)
        try:
            account = self.accounts.account_of(bot)
            since, until = progress.span(account.sid, now, self.window)
            while (rest := await self._swept_from(account, since, until)) is not None:
                since = progress.swept[account.sid] = rest
        except (AccountError, ProviderError, StoreError) as error:
            log.warning("sweep_postponed", account=bot.account_sid or "shared", error=str(error))
            return isinstance(error, (AccountError, PermanentError))
        progress.swept[account.sid] = max(since, until)
        return True

    async def _swept_from(self, account: Account, since: datetime, until: datetime) -> datetime | None:
        """Accepts the messages missed since a timestamp; returns the timestamp from which there are more to read."""
        received = await self.twilio.received(account, since, self.limit)
        missed = await self._missed(account, received, until)
        if missed:
            taken = await self._accept(account, missed)
            log.warning("webhooks_missed", account=account.sid, missed=len(missed), accepted=taken)
        if received.is_all:
            return None
        # Twilio's timestamps are whole seconds, so the last second is read twice; but each read advances by at least
        # one.
        rest = max(received.messages[-1].at, since + timedelta(seconds=1))
        log.warning("sweep_continued", account=account.sid, messages=self.limit, until=rest.isoformat())
        return rest

    async def _missed(self, account: Account, received: Received, until: datetime) -> list[ReceivedMessage]:
        sids = [message.sid for message in received.messages]
        # What Twilio has from a time that is still to come shows that our clock is slow; its webhook is not in flight.
        soon = datetime.now(UTC) + timedelta(seconds=SKEW_SECONDS)
        unseen = await self.database.read(inbox_store.unseen, account.sid, sids)
        return [each for each in received.messages if each.sid in unseen and not until < each.at <= soon]

    async def _accept(self, account: Account, missed: Sequence[ReceivedMessage]) -> int:
        calls = await self.twilio.callback_urls(account)
        if calls is None:
            log.info("senders_not_listed", account=account.sid)
        limits = self.admission.limits_of_missed()
        taken = 0
        for batch in _batches(missed):
            found = [item for message in batch if (item := await self.found(account, message, calls)) is not None]
            results = await self.admission.accept_missed(found, limits)
            for item, result in zip(found, results, strict=True):
                if result != "duplicate":
                    taken += 1
                    self.metrics.inbound(item.bot.label, "swept" if result == "accepted" else result)
                    if item.message.prices is not None:
                        self.metrics.charged(item.bot.label, [Line(item.message.prices.message_in, 1)])
                    _log_accepted(item)
        return taken

    async def found(self, account: Account, message: ReceivedMessage, calls: Mapping[str, str] | None) -> Missed | None:
        """The message as its webhook would have delivered it; None when its webhook would not have called us."""
        bot = await self.catalog.bot_of_number(number_of(message.recipient))
        if bot is None or not self._is_ours(bot, account, message):
            return None
        if calls is not None and _address(calls.get(message.recipient, "")) != self.webhook_url:
            return None
        form = await self._form(account, message)
        prices = await self.prices.of_messages(bot.label, form["From"][0])
        return Missed(inbound_message(form, bot, prices), bot, message.at)

    def _is_ours(self, bot: BotRecord, account: Account, message: ReceivedMessage) -> bool:
        """Whether it was written to this bot, in this account."""
        made = datetime.fromisoformat(bot.created_at).replace(microsecond=0)
        return self.accounts.account_of(bot).sid == account.sid and message.at >= made

    async def _form(self, account: Account, message: ReceivedMessage) -> dict[str, list[str]]:
        """The parameters of the missed webhook, as far as Twilio stores them."""
        form = {
            "AccountSid": [account.sid],
            "MessageSid": [message.sid],
            "From": [message.sender],
            "To": [message.recipient],
            "Body": [message.body],
            "NumMedia": [str(message.media)],
        }
        files = await self.twilio.media_of(account, message.sid) if message.media else ()
        for index, (url, content_type) in enumerate(files):
            form |= {f"MediaUrl{index}": [url], f"MediaContentType{index}": [content_type]}
        return form


@dataclass(frozen=True, slots=True)
class _Progress:
    """How far the accounts are known: the payload of the sweep's timer."""

    swept: dict[str, datetime]
    """Account → the timestamp up to which all of its messages are known."""
    started_at: datetime | None = None
    """The last start of a process, until every account has been swept since."""

    @classmethod
    def of(cls, payload: Mapping[str, Any]) -> _Progress:
        """The inverse of `payload`."""
        swept = {sid: datetime.fromisoformat(moment) for sid, moment in payload.get("swept", {}).items()}
        started_at = payload.get("started_at")
        return cls(swept, datetime.fromisoformat(started_at) if started_at else None)

    def payload(self) -> dict[str, Any]:
        """As JSON."""
        swept = {sid: moment.isoformat() for sid, moment in self.swept.items()}
        return {"swept": swept} | ({"started_at": self.started_at.isoformat()} if self.started_at else {})

    def span(self, account_sid: str, now: datetime, window: timedelta) -> tuple[datetime, datetime]:
        """The span to sweep. After a start a webhook in flight may be overtaken: it is a duplicate then. Later it is
        waited for, since it has more data than Twilio's list and can be answered at once."""
        swept = self.swept.get(account_sid)
        if swept is None or swept > now:  # a clock that was set back must not skip messages until then
            return now - window, now
        # Twilio's timestamps are whole seconds, so the last second is read twice.
        since = swept - timedelta(seconds=1)
        if self.started_at is not None and swept < self.started_at:
            return max(since, now - window), now
        return since, now - timedelta(seconds=WEBHOOK_SECONDS)


def _batches(messages: Sequence[ReceivedMessage]) -> Iterator[Sequence[ReceivedMessage]]:
    return (messages[start : start + BATCH] for start in range(0, len(messages), BATCH))


def _log_accepted(item: Missed) -> None:
    log.info(
        "missed_message_accepted",
        client=item.bot.label,
        number=item.bot.twilio_phone_number,
        user=masked_user(item.message.sender),
        message_sid=item.message.message_sid,
    )


def _address(url: str) -> str:
    """A URL without connection overrides, query and user name."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
