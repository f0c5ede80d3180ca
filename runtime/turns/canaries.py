"""Canaries: which of a client's two assistants answers a conversation, and when the canary is stopped.

    conversation ──► its share of 100, always the same ──► below `percent`: canary ──► turn, with its variant
                                                           else: stable
    a canary's turn failed, or a timer ──► tally ──► `reason_to_stop` ──► stopped: stable for everybody, on all replicas

It is stopped until another canary is declared. That is a fact of the runtime, not drift: nothing declared changes.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Final, Literal
from zoneinfo import ZoneInfo

import structlog

from runtime.catalog import Configuration
from runtime.observability.metrics import Metrics
from runtime.store import canaries, canary_stops
from runtime.store.canaries import CanaryTally, VariantTally
from runtime.store.database.database import Database
from runtime.store.errors import StoreError
from runtime.store.records import AssistantRecord, BotRecord
from schemas.policy_document import StoredCanary

StopReason = Literal["failing", "failures", "handoffs"]
"""`failing`: FAILED_TURNS of its newest turns; `failures`, `handoffs`: their share exceeds the other variant's."""
FAILED_TURNS: Final = 3
LEAST_TURNS: Final = 30
"""Of each variant, before their shares are compared."""

log = structlog.get_logger("runtime.canaries")


def share_of(conversation_id: int) -> float:
    """A number from 0 to below 100 that belongs to a conversation for good."""
    digest = hashlib.blake2b(f"canary/{conversation_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64 * 100


def assigned(configuration: Configuration, conversation_id: int, now: str, default_zone: str) -> Configuration:
    """The configuration as it answers a conversation: with the canary's assistant in place of the bot's where it is the
    canary's, and with its variant while there is one. `now`: text of `timestamp`."""
    canary, bot = configuration.policy.canary, configuration.bot
    is_live = bot.assistant_id is not None and configuration.assistant is None
    if canary is None or configuration.is_canary_stopped or is_live:
        return configuration
    zone = ZoneInfo(configuration.timezone or default_zone)
    if canary.is_over(datetime.fromisoformat(now).astimezone(zone).date()):
        return configuration
    if share_of(conversation_id) >= canary.percent:
        return replace(configuration, variant="stable")
    return as_canary(configuration, canary)


def as_canary(configuration: Configuration, canary: StoredCanary) -> Configuration:
    """The configuration with the canary's assistant in place of the bot's."""
    bot = configuration.bot
    return replace(
        configuration,
        variant="canary",
        bot=replace(bot, instructions=canary.instructions or bot.instructions, model=canary.model or bot.model),
        assistant=_with_settings(configuration.assistant, canary),
    )


def _with_settings(assistant: AssistantRecord | None, canary: StoredCanary) -> AssistantRecord | None:
    if assistant is None:
        return None
    return replace(assistant, settings={**assistant.settings, **canary.settings})


def reason_to_stop(tally: CanaryTally, margin: int) -> StopReason | None:
    """Why a canary is stopped; None where it continues. `margin`: percentage points."""
    if tally.newest_failed >= FAILED_TURNS:
        return "failing"
    canary, stable = tally.canary, tally.stable
    if min(canary.turns, stable.turns) < LEAST_TURNS:
        return None
    if _exceeds(canary.failed, canary, stable.failed, stable, margin):
        return "failures"
    return "handoffs" if _exceeds(canary.handoffs, canary, stable.handoffs, stable, margin) else None


def _exceeds(of_canary: int, canary: VariantTally, of_stable: int, stable: VariantTally, margin: int) -> bool:
    """Whether a share of the canary's turns exceeds that of the others by more than a margin; in whole numbers."""
    difference = of_canary * stable.turns - of_stable * canary.turns
    return 100 * difference > margin * canary.turns * stable.turns


@dataclass(frozen=True, slots=True)
class CanaryWatch:
    """Stops canaries that do worse."""

    database: Database
    metrics: Metrics

    async def after_failure(self, configuration: Configuration) -> None:
        """Looks at the canary whose turn has just failed; where the store is not there, the timer will."""
        canary = configuration.policy.canary
        if canary is None:
            return
        try:
            await self.look(configuration.bot, canary)
        except StoreError as error:
            log.warning("canary_not_looked_at", client=configuration.bot.label, error=str(error))

    async def look(self, bot: BotRecord, canary: StoredCanary) -> bool:
        """Stops a bot's canary where there is a reason; True when this call did. Raises StoreError."""
        tally = await self.database.read(canaries.tally, bot)
        reason = reason_to_stop(tally, canary.margin) if tally is not None else None
        if (
            tally is None
            or reason is None
            or not await self.database.write(canary_stops.stop, bot, reason, asdict(tally))
        ):
            return False
        self.metrics.canary_stopped(bot.label, reason)
        counts = {"canary": asdict(tally.canary), "stable": asdict(tally.stable)}
        log.error("canary_stopped", client=bot.label, reason=reason, **counts)
        return True
