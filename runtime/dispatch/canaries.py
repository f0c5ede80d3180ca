"""Looks at canaries by a timer, and notifies people of one that was stopped.

canaries         every RUN_SECONDS each bot's canary is compared with its other turns
canary_notice    one was stopped: each channel of ALERT_NOTIFY is notified, again while one refuses
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from notifications.channels import channel_of, is_understood, send, shown
from runtime.catalog import Catalog
from runtime.dispatch.timers import RunAgain, Timers
from runtime.store import canary_stops, catalog
from runtime.store.canary_stops import StoppedCanary
from runtime.store.database.database import Database
from runtime.store.timers import Timer
from runtime.turns.canaries import CanaryWatch
from schemas.policy_document import read_document

KIND, KEY = "canaries", "all"
RUN_SECONDS = 30.0
ATTEMPTS = 10
"""How often a channel is tried."""
PAUSE_SECONDS = 60.0
REASONS: Final = {
    "failing": "3 de sus últimos turnos fallaron",
    "failures": "falla más que el asistente estable",
    "handoffs": "deriva a personas más que el asistente estable",
}

log = structlog.get_logger("runtime.canaries")


@dataclass(frozen=True, slots=True)
class Canaries:
    """The handlers of these timers."""

    database: Database
    catalog: Catalog
    watch: CanaryWatch
    channels: Sequence[str]
    """Addresses of the setting ALERT_NOTIFY."""

    async def begin(self, timers: Timers) -> None:
        """Schedules a look now and every RUN_SECONDS, in any process."""
        timers.register(KIND, self.run)
        timers.register(canary_stops.NOTICE, self.notify)
        await timers.put(KIND, KEY, datetime.now(UTC))

    async def run(self, _timer: Timer) -> RunAgain:
        """Looks at each bot's canary."""
        for bot in await self.database.read(catalog.bots_with, "canary"):
            canary = read_document(bot.policy).policy.canary
            if canary is not None:
                await self.watch.look(bot, canary)
        return RunAgain(RUN_SECONDS)

    async def notify(self, timer: Timer) -> RunAgain | None:
        """Notifies the installation's people that a canary was stopped."""
        stopped = await self.database.read(canary_stops.stopped, timer.key)
        configuration = await self.catalog.configuration(timer.key)
        if stopped is None or configuration is None:
            return None
        client = configuration.bot.label
        title, body = notice_text(configuration.bot.name, client, stopped)
        if not self.channels:
            log.warning("canary_stop_not_notified", client=client, hint="set ALERT_NOTIFY")
        left, attempt = timer.payload.get("left"), int(timer.payload.get("attempt", 1))
        refused = [
            channel_of(url)
            for url in self.channels
            if (left is None or channel_of(url) in left) and not await self._send(url, client, title, body)
        ]
        if not refused or attempt >= ATTEMPTS:
            return None
        return RunAgain(PAUSE_SECONDS, {"left": refused, "attempt": attempt + 1})

    async def _send(self, url: str, client: str, title: str, body: str) -> bool:
        """Whether a channel accepted the notice. One that Apprise does not understand never will."""
        if not await asyncio.to_thread(is_understood, url):
            log.error("setting_malformed", setting="ALERT_NOTIFY", problem=f"Apprise does not understand {shown(url)}")
            return True
        refused = await asyncio.to_thread(send, url, title, body, "warning")
        if refused is None:
            log.info("canary_stop_notified", client=client, channel=shown(url))
        else:
            log.warning("canary_notice_refused", client=client, channel=shown(url), reason=refused.lstrip(": "))
        return refused is None


def notice_text(name: str, client: str, stopped: StoppedCanary) -> tuple[str, str]:
    """Title and text, for operators."""
    figures = json.loads(stopped.figures)
    lines = [
        f"Motivo: {REASONS.get(stopped.reason, stopped.reason)}.",
        f"Canario: {_counts(figures['canary'])}. Estable: {_counts(figures['stable'])}.",
        "Desde ahora el asistente estable responde a todos.",
        f"Para quitarlo: reconcile canary drop {client}. Para probar otro: cambia assistant.canary en el manifiesto.",
    ]
    return f"{name}: el canario se detuvo", "\n".join(lines)


def _counts(variant: Mapping[str, Any]) -> str:
    return f"{variant['turns']} turnos, {variant['failed']} fallidos, {variant['handoffs']} derivados"
