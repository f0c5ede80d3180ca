"""Warnings about the models in use: one that ends, and one that a turn found missing. Each once on each channel,
whichever replica finds it.

    model_ends   every RUN_SECONDS: models in use, GET /v1/models, the table ──► 90, 30, 7 days before, and on the day
    model_gone   put by a turn ──► at once, with what answers instead

One message names all clients that use the model. What was sent is a notice in the store, as `reconcile drift` records
its own: the channel that both are given gets it once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal
from uuid import uuid4

import structlog

from notifications.channels import channel_of, is_understood, send, shown
from runtime.dispatch.model_notice import ending_text, gone_text
from runtime.dispatch.timers import RunAgain, Timers
from runtime.engines.listed_models import ListedModels
from runtime.store import reconcile_state, timers
from runtime.store.database.database import Database
from runtime.store.database.times import timestamp
from runtime.store.history_records import NoticeRecord
from runtime.store.model_ends import ENDS, GONE, KEY, ModelUse, models_in_use, payload
from runtime.store.timers import Timer
from schemas.models import ModelEnd, end_finding, end_of, gone_finding

RUN_SECONDS = 6 * 3600.0
"""Interval of looking."""
FIRST_SECONDS = 60.0
"""From a start to the first look: a process that is restarted over and over asks the provider for nothing."""
AGAIN_SECONDS = 300.0
"""Until a channel that refused is tried again."""
CLAIM_SECONDS = 300.0
"""How long a warning that is being sent is left to its process."""

ALL = ""
"""In place of a client, for the claim to the whole message."""

Kind = Literal["ends", "gone"]

log = structlog.get_logger("runtime.models")


@dataclass(frozen=True, slots=True)
class _Warning:
    """One message: about one model, for the clients that use it."""

    uses: Sequence[ModelUse]
    finding: Callable[[str, str], str]
    fingerprint: str
    text: Callable[[Sequence[ModelUse]], tuple[str, str]]
    kind: Kind


@dataclass(frozen=True, slots=True)
class ModelEnds:
    """The handlers of the timers."""

    database: Database
    models: ListedModels
    channels: Sequence[str]
    """Addresses of the setting ALERT_NOTIFY."""

    async def begin(self, timers_: Timers) -> None:
        """Schedules a look soon and every RUN_SECONDS, in any process."""
        timers_.register(ENDS, self.look)
        timers_.register(GONE, self.gone)
        soon = datetime.now(UTC) + timedelta(seconds=FIRST_SECONDS)
        await self.database.write(timers.put_again, ENDS, KEY, soon, {})

    async def look(self, timer: Timer) -> RunAgain:
        """Looks at all models in use, and warns of those that end."""
        uses = await self.database.read(models_in_use)
        listed = await self.models.dates() if uses else None
        today = datetime.now(UTC).date()
        ends = {use: end for use in uses if (end := end_of(use.model, today, listed)) is not None}
        refused = False
        for end in {end.model: end for end in ends.values()}.values():
            refused |= not await self._warn(_ending(end, [use for use in ends if use.model == end.model]))
        await self._forget_unused(uses)
        found = {(use.client, use.model): end.on for use, end in ends.items()}
        return RunAgain(AGAIN_SECONDS if refused else RUN_SECONDS, payload(found))

    async def gone(self, timer: Timer) -> RunAgain | None:
        """Warns of a model that a turn found missing."""
        uses = [use for use in await self.database.read(models_in_use) if use.model == timer.key]
        warning = _Warning(uses, gone_finding, "gone", lambda new: gone_text(timer.key, new), "gone")
        return None if await self._warn(warning) else RunAgain(AGAIN_SECONDS)

    async def _warn(self, warning: _Warning) -> bool:
        """Sends a warning on each channel that has not had it; False where one refused."""
        results = [await self._on(url, warning) for url in self.channels] if warning.uses else []
        return all(results)

    async def _on(self, url: str, warning: _Warning) -> bool:
        """Whether a channel has a warning now, or another process sends it there: one message, not half of it each."""
        channel, owner = channel_of(url), uuid4().hex
        whole = warning.finding(ALL, warning.uses[0].model)
        if not await self._claim(channel, whole, "sending", owner):
            return True
        try:
            return await self._sent(url, warning, owner)
        finally:
            await self.database.write(reconcile_state.release_claim, channel, whole, owner)

    async def _sent(self, url: str, warning: _Warning, owner: str) -> bool:
        """Sends a warning about the clients of which the channel has not had it."""
        channel, model = channel_of(url), warning.uses[0].model
        new = [
            use
            for use in warning.uses
            if await self._claim(channel, warning.finding(use.client, model), warning.fingerprint, owner)
        ]
        if not new:
            return True
        count = len(new)
        if not await asyncio.to_thread(is_understood, url):
            log.error("setting_malformed", setting="ALERT_NOTIFY", problem=f"Apprise does not understand {shown(url)}")
            refused: str | None = None
        else:
            refused = await asyncio.to_thread(send, url, *warning.text(new), "warning")
        for use in new:
            finding = warning.finding(use.client, use.model)
            if refused is None:
                record = NoticeRecord(channel, finding, warning.fingerprint, timestamp())
                await self.database.write(reconcile_state.put_notice, record)
            else:
                await self.database.write(reconcile_state.release_claim, channel, finding, owner)
        if refused is None:
            log.info("model_warning_sent", model=model, about=warning.kind, clients=count, channel=shown(url))
        else:
            log.warning("model_warning_refused", model=model, channel=shown(url), reason=refused.lstrip(": "))
        return refused is None

    async def _claim(self, channel: str, finding: str, fingerprint: str, owner: str) -> bool:
        return await self.database.write(
            reconcile_state.claim_notice, channel, finding, fingerprint, owner, CLAIM_SECONDS
        )

    async def _forget_unused(self, uses: Iterable[ModelUse]) -> None:
        """Forgets what was sent about models that a client does not use any more: used again, they are warned of
        again."""
        used = {name(use.client, use.model) for use in uses for name in (end_finding, gone_finding)}
        ours = {channel_of(url) for url in self.channels}
        for notice in await self.database.read(reconcile_state.list_notices):
            is_of_model = notice.finding.partition("/")[2].startswith(("model/", "model-gone/"))
            if notice.channel in ours and is_of_model and notice.finding not in used:
                await self.database.write(reconcile_state.forget_notice, notice.channel, notice.finding)


def _ending(end: ModelEnd, uses: Sequence[ModelUse]) -> _Warning:
    """The warning that is due of a model's end; without clients while none is."""
    due = uses if end.notice is not None else ()
    return _Warning(due, end_finding, f"ends-{end.notice}", lambda new: ending_text(end, new), "ends")


def days_left(ends: Mapping[tuple[str, str], date]) -> dict[tuple[str, str], int]:
    """By client and model, the days until it is shut down; 0 once it is."""
    today = datetime.now(UTC).date()
    return {key: max((on - today).days, 0) for key, on in ends.items()}
