"""Sends what waited until its person wrote again, asks them for an answer, and gives up when none comes.

The states are `runtime.store.messages.waiting_sends`. A turn releases what waits in its conversation as it begins; an
answer that no turn saw is found here.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from runtime.budgets.budgets import BudgetExceeded
from runtime.catalog import Catalog
from runtime.delivery.delivery import Delivery, NotSent
from runtime.delivery.proactive import Proactive
from runtime.delivery.templates import ApprovalUnknown, TemplateRefused
from runtime.dispatch.timers import RunAgain, Timers
from runtime.memory import remembered
from runtime.observability.metrics import Metrics, client_label
from runtime.store.database.database import Database
from runtime.store.errors import OptedOut, PersonBlocked
from runtime.store.messages import waiting_sends
from runtime.store.messages.outbox import SendPostponed, SendTakenOver
from runtime.store.messages.waiting_sends import NextStep
from runtime.store.records import BotRecord
from runtime.store.timers import Timer
from runtime.twilio.accounts import AccountError

log = structlog.get_logger("runtime.delivery")


@dataclass(frozen=True, slots=True)
class WaitingSends:
    """The handler of their timers."""

    database: Database
    catalog: Catalog
    proactive: Proactive
    delivery: Delivery
    metrics: Metrics

    def begin(self, timers: Timers) -> None:
        """Runs the timers in this process."""
        timers.register(waiting_sends.KIND, self.run)

    async def run(self, timer: Timer) -> RunAgain | None:
        """Takes one message a step further."""
        found = await self.database.write(waiting_sends.next_step, int(timer.payload["message"]), remembered)
        row = found.row
        if row is None:
            return None
        configuration = await self.catalog.configuration(row.bot_id) if row.bot_id else None
        bot = configuration.bot if configuration else None
        if found.step == "send":
            await self._send(found, bot)
            return None
        if found.step == "reopen" and not await self._reopened(found, bot):
            return None
        if found.step in ("expired", "failed"):
            error = found.error or waiting_sends.UNANSWERED
            log.warning("waiting_message_not_sent", client=client_label(bot), message=row.id, error=error)
            self.metrics.not_sent(client_label(bot), "rest")
            return None
        return RunAgain(found.seconds, timer.payload)

    async def _send(self, found: NextStep, bot: BotRecord | None) -> None:
        assert found.row is not None, "only a message is sent"
        try:
            await self.delivery.resume_alone(found.row, bot)
        except (NotSent, SendPostponed, SendTakenOver) as error:
            log.warning("waiting_message_not_sent", client=client_label(bot), message=found.row.id, error=str(error))

    async def _reopened(self, found: NextStep, bot: BotRecord | None) -> bool:
        """Asks the person for an answer; False when that cannot be, and the message fails with the reason."""
        assert found.row is not None, "a message waits"
        try:
            await self.proactive.reopen(found.row, bot)
        except (
            TemplateRefused,
            ApprovalUnknown,
            BudgetExceeded,
            OptedOut,
            PersonBlocked,
            AccountError,
            NotSent,
        ) as error:
            await self.database.write(waiting_sends.fail, found.row.id, str(error))
            log.warning("waiting_message_not_sent", client=client_label(bot), message=found.row.id, error=str(error))
            self.metrics.not_sent(client_label(bot), "rest")
            return False
        return True
