"""Takes in the messages whose webhook never arrived: those that Twilio has and the inbox never saw.

    every account ──► its inbound messages ──► not in the inbox ──► its sender calls us ──► accepted, BATCH to a commit

On start the whole window is looked through, later only what came since. A message goes the way of its webhook, and the
inbox knows each message once, so a webhook that comes late changes nothing. What was written before the bot was made is
left alone, and so is a number whose sender calls somebody else: that one may have answered. Very many messages are
looked through LIMIT at a time, the oldest first; a sweep that is cut off is gone on with where it had come to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import structlog

from runtime.catalog import Catalog
from runtime.errors import PermanentError, ProviderError
from runtime.inbound.admission import Admission, Missed
from runtime.inbound.message import inbound_message
from runtime.observability.logs import masked_user
from runtime.observability.metrics import Metrics
from runtime.store import catalog as store
from runtime.store.database.database import Database
from runtime.store.errors import StoreError
from runtime.store.messages import inbox as inbox_store
from runtime.store.records import BotRecord
from runtime.twilio.accounts import Account, AccountError, Accounts
from runtime.twilio.client import Received, ReceivedMessage, Twilio
from schemas.addresses import number_of

LIMIT = 20_000
"""Messages of one account that are in memory at once."""
BATCH = 100
"""Messages that are stored together. Until then a webhook of the same user waits."""
RETRY_SECONDS = 15.0
"""When an account is asked again that could not be asked."""
WEBHOOK_SECONDS = 30.0
"""How long Twilio may still be trying a message's webhook and its fallback."""

log = structlog.get_logger("runtime.sweep")


@dataclass(frozen=True, slots=True)
class Sweep:
    """Looks for missed messages."""

    webhook_url: str
    """What a sender of ours calls."""
    window: timedelta
    """How far back a start looks."""
    database: Database
    catalog: Catalog
    accounts: Accounts
    twilio: Twilio
    admission: Admission
    metrics: Metrics
    limit: int = LIMIT
    _swept: dict[str, datetime] = field(default_factory=dict)
    """Account → the moment up to which all of its messages are known."""

    async def run(self, seconds: float) -> None:
        """Sweeps now and every so many seconds, until cancelled."""
        while True:
            try:
                done = await self._sweep_all()
            except Exception:
                # A mistake of ours, or something new in Twilio's answers, must not end the looking.
                log.exception("sweep_failed")
                done = False
            await asyncio.sleep(seconds if done else min(seconds, RETRY_SECONDS))

    async def _sweep_all(self) -> bool:
        """Sweeps every account that bots are on; False when one has to be asked again."""
        try:
            bots = await self.database.read(store.bot_of_each_account)
        except StoreError as error:
            log.warning("sweep_postponed", error=str(error))
            return False
        return all([await self._sweep(bot) for bot in bots])

    async def _sweep(self, bot: BotRecord) -> bool:
        """Sweeps a bot's account; False when that failed and may work soon."""
        now = datetime.now(UTC)
        try:
            account = self.accounts.account_of(bot)
            since, until = self._span(account, now)
            while (rest := await self._swept_from(account, since, until)) is not None:
                since = self._swept[account.sid] = rest
        except (AccountError, ProviderError, StoreError) as error:
            log.warning("sweep_postponed", account=bot.account_sid or "shared", error=str(error))
            return isinstance(error, (AccountError, PermanentError))
        self._swept[account.sid] = until
        return True

    async def _swept_from(self, account: Account, since: datetime, until: datetime) -> datetime | None:
        """Takes in what was missed since a moment; gives the moment from which there is more to look through."""
        received = await self.twilio.received(account, since, self.limit)
        missed = await self._missed(account, received, until)
        if missed:
            taken = await self._take_in(account, missed)
            log.warning("webhooks_missed", account=account.sid, missed=len(missed), accepted=taken)
        if received.is_all:
            return None
        # Twilio's moments are whole seconds, so the last one is looked at twice; but each look gets on by one at least.
        rest = max(received.messages[-1].at, since + timedelta(seconds=1))
        log.warning("sweep_continued", account=account.sid, messages=self.limit, until=rest.isoformat())
        return rest

    def _span(self, account: Account, now: datetime) -> tuple[datetime, datetime]:
        """What to look through. After a start a webhook in flight may be overtaken: it finds its message here. Later
        it is waited for, since it knows more than Twilio's list and can be answered at once."""
        swept = self._swept.get(account.sid)
        if swept is None:
            return now - self.window, now
        # Twilio's moments are whole seconds, so the last one is looked at twice.
        return swept - timedelta(seconds=1), now - timedelta(seconds=WEBHOOK_SECONDS)

    async def _missed(self, account: Account, received: Received, until: datetime) -> list[ReceivedMessage]:
        sids = [message.sid for message in received.messages]
        unseen = await self.database.read(inbox_store.unseen, account.sid, sids)
        return [message for message in received.messages if message.sid in unseen and message.at <= until]

    async def _take_in(self, account: Account, missed: Sequence[ReceivedMessage]) -> int:
        calls = await self.twilio.callback_urls(account)
        limits = self.admission.limits_of_missed()
        taken = 0
        for batch in _batches(missed):
            found = [item for message in batch if (item := await self._found(account, message, calls)) is not None]
            results = await self.admission.accept_missed(found, limits)
            for item, result in zip(found, results, strict=True):
                if result != "duplicate":
                    taken += 1
                    self.metrics.inbound(item.bot.label, "swept" if result == "accepted" else result)
                    _say_taken_in(item)
        return taken

    async def _found(self, account: Account, message: ReceivedMessage, calls: Mapping[str, str]) -> Missed | None:
        """The message as its webhook would have brought it; None when it would not have come here."""
        bot = await self.catalog.bot_of_number(number_of(message.recipient))
        if bot is None or not self._is_ours(bot, account, message, calls.get(message.recipient, "")):
            return None
        return Missed(inbound_message(await self._form(account, message), bot), bot, message.at)

    def _is_ours(self, bot: BotRecord, account: Account, message: ReceivedMessage, calls: str) -> bool:
        """Whether its webhook would have come here, and to this bot."""
        made = datetime.fromisoformat(bot.created_at).replace(microsecond=0)
        return (
            self.accounts.account_of(bot).sid == account.sid
            and message.at >= made
            and _place(calls) == self.webhook_url
        )

    async def _form(self, account: Account, message: ReceivedMessage) -> dict[str, list[str]]:
        """The parameters of the webhook that did not come, as far as Twilio keeps them."""
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


def _batches(messages: Sequence[ReceivedMessage]) -> Iterator[Sequence[ReceivedMessage]]:
    return (messages[start : start + BATCH] for start in range(0, len(messages), BATCH))


def _say_taken_in(item: Missed) -> None:
    log.info(
        "missed_message_accepted",
        client=item.bot.label,
        number=item.bot.twilio_phone_number,
        user=masked_user(item.message.sender),
        message_sid=item.message.message_sid,
    )


def _place(url: str) -> str:
    """A URL without what may be added to it: connection overrides, a query, a user name."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
