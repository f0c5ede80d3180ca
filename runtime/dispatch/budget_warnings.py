"""Warnings about budgets: each threshold once a month on each channel, whichever replica finds it reached.

    timer ──► spent of each client ──► thresholds reached ──► recorded ──► sent
                                                                 ▲           │ not accepted
                                                                 └── undone ◄┘ so that the next run sends it

A warning is recorded before it is sent, so a crash in between loses it rather than sending it twice; the log line
`budget_threshold_reached` and the metric `horizonai_budget_used_ratio` have it in any case.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from notifications.channels import channel_of, is_understood, mail_channel, send, shown
from runtime.budgets.budgets import Budgets, Use
from runtime.dispatch.timers import RunAgain, Timers
from runtime.store.database.database import Database
from runtime.store.records import BotRecord
from runtime.store.timers import Timer
from runtime.store.usage import budgets as store
from schemas.budgets import EXCEEDED, thresholds
from schemas.policy import Budget

KIND, KEY = "budget_warnings", "all"
RUN_SECONDS = 60.0
"""Interval of looking."""
IN_THE_LOG = "log"
"""The channel under which it is recorded that the log has a warning."""

log = structlog.get_logger("runtime.budgets")


@dataclass(frozen=True, slots=True)
class BudgetWarnings:
    """The handler of the timer."""

    database: Database
    budgets: Budgets
    channels: Sequence[str]
    """Addresses of the setting ALERT_NOTIFY."""

    async def begin(self, timers: Timers) -> None:
        """Schedules a look now and every RUN_SECONDS, in any process."""
        timers.register(KIND, self.run)
        await timers.put(KIND, KEY, datetime.now(UTC))

    async def run(self, _timer: Timer) -> RunAgain:
        """Looks at each client with a budget."""
        for bot, budget, use in await self.budgets.uses():
            await self._look(bot, budget, use)
        return RunAgain(RUN_SECONDS)

    async def _look(self, bot: BotRecord, budget: Budget, use: Use) -> None:
        reached = [percent for percent in thresholds(budget) if use.percent >= percent]
        if await self._recorded(use, IN_THE_LOG, reached):
            log.warning("budget_threshold_reached", client=bot.label, percent=reached[-1], month=use.month)
        for url in self._channels_of(bot, budget):
            new = await self._recorded(use, channel_of(url), reached)
            if new:
                await self._send(url, bot, budget, use, new)

    def _channels_of(self, bot: BotRecord, budget: Budget) -> list[str]:
        """The installation's channels, and those of the manifest's addresses."""
        urls = list(self.channels)
        for address in budget.notify:
            url = mail_channel(self.channels, address)
            if url is None:
                log.warning("budget_address_without_mail_server", client=bot.label, setting="ALERT_NOTIFY")
                break
            urls.append(url)
        return list(dict.fromkeys(urls))

    async def _recorded(self, use: Use, channel: str, reached: Sequence[int]) -> list[int]:
        """Those of the thresholds that were not sent on a channel yet; now they are recorded as sent."""
        return await self.database.write(store.record_warnings, use.client, use.month, reached, channel)

    async def _send(self, url: str, bot: BotRecord, budget: Budget, use: Use, new: Sequence[int]) -> None:
        """Sends the highest of the thresholds; one that is passed with it needs no message of its own."""
        title, body = warning_text(bot.name, budget, use, new[-1])
        if not await asyncio.to_thread(is_understood, url):
            log.error("setting_malformed", setting="ALERT_NOTIFY", problem=f"Apprise does not understand {shown(url)}")
            refused: str | None = ""
        else:
            refused = await asyncio.to_thread(send, url, title, body, "warning")
        if refused is None:
            log.info("budget_warning_sent", client=use.client, percent=new[-1], channel=shown(url))
            return
        log.warning("budget_warning_refused", client=use.client, channel=shown(url), reason=refused.lstrip(": "))
        await self.database.write(store.forget_warnings, use.client, use.month, new, channel_of(url))


def warning_text(name: str, budget: Budget, use: Use, percent: int) -> tuple[str, str]:
    """Title and text of a warning, for operators."""
    title = f"{name}: {percent} % del presupuesto de {use.month}"
    spent = budget.monthly * use.spent / use.limit
    lines = [
        f"Gasto del mes: {_number(spent)} de {_number(budget.monthly)} {budget.currency} ({use.percent:.0f} %).",
        _effect(budget, is_exceeded=percent >= EXCEEDED),
    ]
    if use.unknown:
        lines.append(f"No incluye {use.unknown} consumos sin precio conocido; agrégalo en tariffs.yaml.")
    return title, "\n".join(lines)


def _effect(budget: Budget, *, is_exceeded: bool) -> str:
    if budget.on_exceeded == "notify":
        return "Nada se detiene."
    if budget.on_exceeded == "pause":
        effect = "el asistente no responde y no salen avisos hasta el próximo mes (UTC) o hasta subir budget.monthly."
    else:
        effect = f"responde {budget.cheaper_model} hasta el próximo mes (UTC)."
    return f"Desde ahora {effect}" if is_exceeded else f"Al llegar al 100 %, {effect}"


def _number(amount: float) -> str:
    """`1.234,50`, as Spanish writes it."""
    return f"{amount:,.2f}".translate(str.maketrans(",.", ".,"))
