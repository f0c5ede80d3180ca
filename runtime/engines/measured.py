"""An engine whose answers are counted and traced: time, tokens, errors. The answers are the engine's own."""

from __future__ import annotations

import time
from dataclasses import replace

import structlog

from runtime.engines.late_usage import LateBooking
from runtime.engines.port import Answer, Engine, Request
from runtime.errors import ProviderError
from runtime.observability.metrics import Metrics
from runtime.observability.tracing import span

log = structlog.get_logger("runtime.engines")

PROVIDER = "openai"


class MeasuredEngine:
    """Answers with another engine, and counts."""

    def __init__(self, engine: Engine, metrics: Metrics, booking: LateBooking) -> None:
        self._engine = engine
        self._booking = booking
        self._metrics = metrics

    async def answer(self, request: Request) -> Answer:
        """See Engine."""
        functions = _FunctionClock(request)
        with span("model", "client", client=request.client, turn=request.turn_id, model=request.model) as current:
            began = time.monotonic()
            try:
                # An assistant without tools calls no function.
                measured = replace(request, call_function=functions.call) if request.tools else request
                answer = await self._engine.answer(measured)
            except ProviderError as error:
                self._metrics.provider_error(PROVIDER, error.__cause__ or error)
                raise
            seconds = time.monotonic() - began - functions.seconds
            current.note(input_tokens=answer.usage.input_tokens, output_tokens=answer.usage.output_tokens)
        model = answer.model or request.model or "unknown"
        self._metrics.answered(request.client, model, max(seconds, 0.0), answer.usage)
        if answer.incomplete is not None:
            self._metrics.incomplete(request.client, answer.incomplete)
            log.warning("answer_incomplete", reason=answer.incomplete, characters=len(answer.text))
        if answer.late_usage is not None:
            self._booking.book(request.turn_id, request.client, model, answer.late_usage)
        return answer


class _FunctionClock:
    """Measures the time spent in function calls; concurrent calls count once."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._running = 0
        self._began = 0.0
        self.seconds = 0.0

    async def call(self, name: str, arguments: str, call_id: str) -> str:
        """See CallFunction."""
        if self._running == 0:
            self._began = time.monotonic()
        self._running += 1
        try:
            with span("function", "client", client=self._request.client, turn=self._request.turn_id, function=name):
                return await self._request.call_function(name, arguments, call_id)
        finally:
            self._running -= 1
            if self._running == 0:
                self.seconds += time.monotonic() - self._began
