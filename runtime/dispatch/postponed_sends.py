"""Sends again what Twilio accepted and did not deliver for a passing reason, when its pause is over.

Answers are handed to the driver of the inbox, which sends them in the order of their parts, between the turns of their
conversation; a message outside of any answer is sent here. What is postponed, and for how long, is decided where the
callback is recorded (`runtime.store.messages.postponed_sends`).
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from runtime.catalog import Catalog
from runtime.delivery.delivery import Delivery, NotSent
from runtime.dispatch.inbox import Inbox
from runtime.dispatch.timers import Timers
from runtime.observability.metrics import Metrics, client_label
from runtime.store.database.database import Database
from runtime.store.messages import postponed_sends
from runtime.store.messages.outbox import SendTakenOver
from runtime.store.timers import Timer

log = structlog.get_logger("runtime.delivery")


@dataclass(frozen=True, slots=True)
class PostponedSends:
    """The handler of their timers."""

    database: Database
    catalog: Catalog
    inbox: Inbox
    delivery: Delivery
    metrics: Metrics

    def begin(self, timers: Timers) -> None:
        """Runs the timers in this process."""
        timers.register(postponed_sends.KIND, self.run)

    async def run(self, timer: Timer) -> None:
        """Ends the wait of one answer, or of one proactive message."""
        released = await self.database.write(postponed_sends.release, timer)
        configuration = await self.catalog.configuration(released.bot_id) if released.bot_id else None
        bot = configuration.bot if configuration else None
        if released.expired:
            log.error("message_expired", client=client_label(bot), error_code=released.code, messages=released.expired)
            self.metrics.undelivered(client_label(bot), released.code, released.expired)
        if released.conversation_id is not None:
            await self.inbox.send_rest(released.conversation_id)
        if released.proactive is not None:
            try:
                await self.delivery.send(released.proactive, bot)
            except (NotSent, SendTakenOver) as error:
                log.warning("postponed_message_not_sent", error=str(error))
