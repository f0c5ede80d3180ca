"""Reads the statuses of messages whose callbacks never arrived from Twilio's list: they decide what a message costs,
and whether it is sent again.

    every account ──► our messages that may still be charged ──► Twilio's list since the oldest ──► as a callback

A timer, so exactly one process does it, every SWEEP_SECONDS. Its payload keeps the row behind which nothing waits any
more, so that a run reads what is recent only. A callback that comes later changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from runtime.catalog import Catalog
from runtime.dispatch.timers import RunAgain, Timers
from runtime.errors import PermanentError, ProviderError
from runtime.inbound.status_counts import count_status, waits_seconds
from runtime.observability.metrics import Metrics, client_label
from runtime.price_list import PriceList
from runtime.resilience.backoff import spread
from runtime.store import catalog as store
from runtime.store.database.database import Database
from runtime.store.errors import StoreError
from runtime.store.messages import outbox, postponed_sends
from runtime.store.messages.outbox import AwaitedStatus
from runtime.store.records import BotRecord
from runtime.store.timers import Timer, put_again
from runtime.twilio.accounts import AccountError, Accounts
from runtime.twilio.client import ListedStatus, Twilio
from schemas.addresses import number_of

KIND = "statuses"
KEY = "all"
"""Key of the one timer, which all accounts share."""
YOUNGEST = timedelta(seconds=60)
"""How long callbacks are waited for."""
OLDEST = timedelta(hours=24)
"""A phone that was off for longer is left to its callback: Twilio's list of a whole day is long enough to read."""
RETRY_SECONDS = 15.0
"""Until the next search, where an account could not be read."""
LIMIT = 20_000
"""Maximum number of rows that one run looks at."""

log = structlog.get_logger("runtime.sweep")


@dataclass(frozen=True, slots=True)
class MissedStatuses:
    """Searches for missed statuses."""

    seconds: float
    """Interval of searching."""
    database: Database
    catalog: Catalog
    accounts: Accounts
    twilio: Twilio
    prices: PriceList
    timers: Timers
    metrics: Metrics

    async def begin(self) -> None:
        """Schedules a search now and every `seconds`, in any process."""
        self.timers.register(KIND, self.run)
        await self.database.write(put_again, KIND, KEY, datetime.now(UTC), {})
        self.timers.wake()

    async def never(self) -> None:
        """Cancels it in all processes."""
        await self.timers.cancel(KIND, KEY)

    async def run(self, timer: Timer) -> RunAgain:
        """Searches in every account of the bots. One that could not be read is searched again soon."""
        now = datetime.now(UTC)
        behind = int(timer.payload.get("behind", 0))
        awaited, behind = await self.database.read(outbox.awaited_statuses, behind, now - OLDEST, LIMIT)
        due = [row for row in awaited if row.sent_at < now - YOUNGEST]
        are_read = [await self._search(bot, due) for bot in await self.database.read(store.bot_of_each_account)]
        pause = self.seconds if all(are_read) else min(self.seconds, RETRY_SECONDS)
        return RunAgain(pause, {"behind": behind})

    async def _search(self, bot: BotRecord, due: Sequence[AwaitedStatus]) -> bool:
        """Searches in a bot's account; False when that failed and may succeed soon."""
        try:
            account = self.accounts.account_of(bot)
            theirs = [row for row in due if row.account_sid == account.sid]
            if not theirs:
                return True
            since = min(row.sent_at for row in theirs) - YOUNGEST
            listed = await self.twilio.statuses(account, since, LIMIT)
            missed = sum([await self._is_new(account.sid, message) for message in _news(listed, theirs)])
        except (AccountError, ProviderError, StoreError) as error:
            log.warning("statuses_not_read", account=bot.account_sid or "shared", error=str(error))
            return isinstance(error, (AccountError, PermanentError))
        if missed:
            log.warning("statuses_missed", account=account.sid, missed=missed)
        return True

    async def _is_new(self, account_sid: str, message: ListedStatus) -> bool:
        """Records a status as its callback would have; whether it was not known."""
        bot = await self.catalog.bot_of_number(number_of(message.sender))
        client = client_label(bot)
        note = await self.database.write(
            postponed_sends.record_callback,
            account_sid=account_sid,
            message_sid=message.sid,
            sender=message.sender,
            recipient=message.recipient,
            status=message.status,
            code=message.error_code,
            row_id=None,
            prices=await self.prices.of_messages(client, message.recipient),
            spread=spread(),
            waits_seconds=await waits_seconds(self.catalog, bot, message.error_code),
        )
        count_status(note, client, message.error_code, self.metrics, self.timers)
        return bool(note.charged or note.failure)


def _news(listed: Iterable[ListedStatus], awaited: Sequence[AwaitedStatus]) -> list[ListedStatus]:
    """Twilio's statuses that are not the recorded ones. A message in a webhook's response is known by its parties only,
    until its first callback."""
    recorded = {row.message_sid: row.status for row in awaited if row.message_sid is not None}
    nameless = {(row.sender, row.recipient) for row in awaited if row.message_sid is None}
    return [
        message
        for message in listed
        if (
            message.status != recorded[message.sid]
            if message.sid in recorded
            else message.is_reply and (message.sender, message.recipient) in nameless
        )
    ]
