"""Which model answers where a client's own is not available any more: its `assistant.fallback_model`.

    a turn ──► its model ──model_not_found──► the fallback model, in the same turn ──► a timer: people are notified
                  └─ found missing a while ago ──► the fallback model at once

A model is tried again after RETRY_SECONDS: a provider that lost it for a while, or a key that was repaired, is noticed
without a restart.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import structlog

from runtime.catalog import Configuration
from runtime.errors import ModelGone
from runtime.observability.metrics import Metrics
from runtime.store import timers
from runtime.store.database.database import Database
from runtime.store.errors import StoreError
from runtime.store.model_ends import GONE
from runtime.turns.policy import Options

RETRY_SECONDS = 600.0
"""How long a model that was found missing is not asked."""

log = structlog.get_logger("runtime.models")


class Fallbacks:
    """The models that this process has found missing, by client."""

    def __init__(self, database: Database, metrics: Metrics, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._metrics = metrics
        self._clock = clock
        self._gone: dict[tuple[str, str], float] = {}

    def known(self, configuration: Configuration, options: Options) -> Options:
        """The options of a turn, with the fallback model where its model was found missing a while ago."""
        model = _model_of(configuration, options)
        fallback = configuration.policy.fallback_model
        if model is None or fallback is None or not self._is_gone(configuration, model):
            return options
        self._metrics.fell_back(configuration.bot.label)
        return replace(options, model=fallback)

    async def instead(self, gone: ModelGone, configuration: Configuration, options: Options) -> Options | None:
        """The options with which the turn is attempted once more; None where no other model may answer. People are
        notified in either case."""
        model, fallback = _model_of(configuration, options) or gone.model or "", configuration.policy.fallback_model
        other = fallback if fallback not in (None, model) else None
        log.error("model_gone", model=model, fallback_model=other, error=str(gone))
        if not self._is_gone(configuration, model):
            self._gone[configuration.bot.label, model] = self._clock() + RETRY_SECONDS
            await self._notify(model)
        if other is None:
            return None
        self._metrics.fell_back(configuration.bot.label)
        return replace(options, model=other)

    def _is_gone(self, configuration: Configuration, model: str) -> bool:
        return self._gone.get((configuration.bot.label, model), 0.0) > self._clock()

    async def _notify(self, model: str) -> None:
        """Has people notified by whichever process gets to it; the answer does not wait for that."""
        try:
            await self._database.write(timers.put, GONE, model, datetime.now(UTC), {})
        except StoreError as error:
            log.warning("model_notice_lost", model=model, error=str(error))


def _model_of(configuration: Configuration, options: Options) -> str | None:
    """The model of a turn; None where only the provider knows it."""
    bot, assistant = configuration.bot, configuration.assistant
    return options.model or bot.model or (assistant.model if assistant else None)
