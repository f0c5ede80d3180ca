"""Looks at what Twilio and Meta say of each number, every RUN_SECONDS, and records what changed: quality and limits are
facts of now at Twilio, and a fall is seen only by who has the former ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from runtime.dispatch.timers import RunAgain, Timers
from runtime.errors import OperatorError, ProviderError
from runtime.store import sender_ratings, timers
from runtime.store.activity_records import RatingRecord
from runtime.store.catalog import list_all
from runtime.store.database.database import Database
from runtime.store.records import BotRecord
from runtime.store.timers import Timer
from runtime.twilio.accounts import Account, Accounts
from runtime.twilio.client import Twilio

KIND: Final = "sender_ratings"
KEY: Final = "all"
RUN_SECONDS: Final = 6 * 3600.0
FIRST_SECONDS: Final = 120.0
"""From a start to the first look: a process that is restarted over and over asks Twilio for nothing."""
LOW: Final = "LOW"

log = structlog.get_logger("runtime.senders")


@dataclass(frozen=True, slots=True)
class SenderRatings:
    """The handler of the timer."""

    database: Database
    accounts: Accounts
    twilio: Twilio

    async def begin(self, timers_: Timers) -> None:
        """Schedules a look soon and every RUN_SECONDS, in any process."""
        timers_.register(KIND, self.look)
        soon = datetime.now(UTC) + timedelta(seconds=FIRST_SECONDS)
        await self.database.write(timers.put_again, KIND, KEY, soon, {})

    async def look(self, _timer: Timer) -> RunAgain:
        """Looks at the numbers of all bots. An account that does not answer is looked at the next time."""
        bots = [row for row in await self.database.read(list_all, BotRecord) if isinstance(row, BotRecord)]
        numbers = {bot.twilio_phone_number: bot for bot in bots}
        for account in self._accounts_of(bots):
            try:
                seen = await self.twilio.ratings(account)
            except ProviderError as error:
                log.warning("senders_unavailable", account=account.sid, error=str(error))
                continue
            ours = [rating for rating in seen or () if rating.number in numbers]
            for rating in await self.database.write(sender_ratings.note, ours):
                _tell(numbers[rating.number], rating)
        return RunAgain(RUN_SECONDS)

    def _accounts_of(self, bots: Iterable[BotRecord]) -> list[Account]:
        found: dict[str, Account] = {}
        for bot in bots:
            try:
                account = self.accounts.account_of(bot)
            except OperatorError:  # which the start reports, and each of its turns
                continue
            found.setdefault(account.sid, account)
        return list(found.values())


def _tell(bot: BotRecord, rating: RatingRecord) -> None:
    facts = {"client": bot.label, "number": rating.number, "quality": rating.quality, "limit": rating.messaging_limit}
    (log.warning if rating.quality == LOW else log.info)("sender_rating", status=rating.status, **facts)
