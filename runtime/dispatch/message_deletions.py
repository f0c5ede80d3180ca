"""Deletes Twilio's copies of messages that were deleted here, where `data.retention.at_twilio` says so, by a timer for
each.

What is declared when a timer runs is what counts: without `at_twilio` a copy that is still there is kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from runtime.catalog import Catalog
from runtime.dispatch.media_retention import again, report_of
from runtime.dispatch.timers import RunAgain, Timers
from runtime.errors import ProviderError
from runtime.store.retention.conversations import AT_TWILIO
from runtime.store.timers import Timer
from runtime.twilio.accounts import AccountError, Accounts
from runtime.twilio.client import Twilio

log = structlog.get_logger("runtime.retention")


@dataclass(frozen=True, slots=True)
class MessageDeletions:
    """The handler of these timers."""

    catalog: Catalog
    accounts: Accounts
    twilio: Twilio

    def begin(self, timers: Timers) -> None:
        """Deletes what is due, in any process."""
        timers.register(AT_TWILIO, self.delete)

    async def delete(self, timer: Timer) -> RunAgain | None:
        """Deletes one message at Twilio, with its files."""
        bot_id, account_sid, message_sid = timer.key.rsplit(" ", 2)
        configuration = await self.catalog.configuration(bot_id)
        data = configuration.policy.data if configuration is not None else None
        if configuration is None or data is None or data.retention is None or not data.retention.at_twilio:
            return None
        try:
            account = self.accounts.account_with(account_sid, configuration.bot)
            await self.twilio.delete_message(account, message_sid)
        except (AccountError, ProviderError) as error:
            tell, later = report_of(timer, error), again(timer)
            facts = {"client": configuration.bot.label, "message_sid": message_sid, "seconds": round(later.seconds)}
            tell("copy_not_deleted", error=str(error), **facts)
            return later
        return None
