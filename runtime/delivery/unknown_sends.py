"""Determines at Twilio the outcome of a send for which it is unknown. It sends nothing itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime

import structlog

from runtime.errors import PermanentError, TemporaryError
from runtime.observability.metrics import Metrics
from runtime.price_list import PriceList
from runtime.resilience.backoff import pause_seconds
from runtime.store.database.database import Database
from runtime.store.database.times import SKEW_SECONDS, timestamp
from runtime.store.messages import send_matching
from runtime.store.messages.outbox import OutboxRow
from runtime.store.messages.send_matching import ListedMessage, SentMeanwhile, Undecidable
from runtime.twilio.accounts import Account
from runtime.twilio.client import SentMessage, Twilio

SETTLE_AFTER_SECONDS = 2.0
"""Delay before the first look-up, since a send may not be listed at once."""
LOOKUPS_LIMIT = 10
"""Maximum number of look-ups in Twilio's list, while callbacks about other messages to the same user may still come: a
call may take 15 seconds."""
CLOCK_SKEW_SECONDS = 60.0
"""How far Twilio's clock may be behind ours when messages are looked up by time."""
STEP_SECONDS = 86_400.0
"""How far back is searched for a message that was sent before the clock was set back."""
GIVE_UP_SECONDS = 600.0
"""Time limit of sending a message."""
LONGEST_PAUSE_SECONDS = 30.0
"""Longest pause before a call is repeated, where Twilio asks for none."""

log = structlog.get_logger("runtime.delivery")


class UnknownSends:
    """Sends with an unknown outcome."""

    def __init__(self, database: Database, twilio: Twilio, prices: PriceList, metrics: Metrics) -> None:
        self._database = database
        self._twilio = twilio
        self._prices = prices
        self._metrics = metrics

    async def settle(self, row: OutboxRow, account: Account, client: str, give_up: float) -> SentMessage | None:
        """Asks Twilio whether a row of a client (its label) was sent, and records it then; None when it was not.

        Raises PermanentError when it cannot be known, SendTakenOver when it is another process's to settle.
        """
        since = earlier(row.claimed_at)
        prices = await self._prices.of_messages(client, row.recipient)
        looks = 0
        while True:
            known = await self._database.read(send_matching.replies, row, since)
            await asyncio.sleep(SETTLE_AFTER_SECONDS)
            listed = await self._listed(row, account, since, give_up)
            try:
                found = await self._database.write(send_matching.settle, row, listed, since, known, prices)
            except SentMeanwhile as error:
                log.info("send_lookup_repeated", reason=str(error))
            except Undecidable as error:
                looks += 1
                if looks >= LOOKUPS_LIMIT:
                    raise PermanentError(str(error)) from error
                log.info("send_lookup_repeated", reason=str(error))
            else:
                if found is None:
                    return None
                self._metrics.charged(client, found.charged)
                return SentMessage(found.message_sid, found.status)

    async def _listed(self, row: OutboxRow, account: Account, since: str, give_up: float) -> Sequence[ListedMessage]:
        """Twilio's messages to a row's user, oldest first."""
        attempt = 0
        while True:
            attempt += 1
            try:
                return await self._twilio.sent(account, sender=row.sender, recipient=row.recipient, since=since)
            except TemporaryError as error:
                await pause_before_retry(error, attempt, give_up)


async def pause_before_retry(error: TemporaryError, failures: int, give_up: float) -> None:
    """Waits until a call may be made again; raises PermanentError when that would be too late."""
    left = give_up - time.monotonic()
    if left <= 0:
        raise PermanentError(f"Given up after {GIVE_UP_SECONDS:g} seconds: {error}") from error
    await asyncio.sleep(min(pause_seconds(failures, longest=LONGEST_PAUSE_SECONDS, asked=error.delay), left))


def earlier(moment: str | None) -> str:
    """A stored timestamp, minus the possible lag of Twilio's clock. One that is still to come, since our clock was set
    back, says nothing: Twilio may have the message from before it."""
    now = time.time()
    at = datetime.fromisoformat(moment).timestamp() if moment else now
    return timestamp(min(at, now) - CLOCK_SKEW_SECONDS if at <= now + SKEW_SECONDS else now - STEP_SECONDS)
