"""OpenTelemetry traces, when OTEL_EXPORTER_OTLP_ENDPOINT is set; without it nothing of OpenTelemetry is imported.

    webhook          a message is verified and stored: its own trace
    turn ──► webhook (a link to each message that it answers; it runs later, perhaps in another process)
     ├── model
     │    └── function
     └── send

The ids of a webhook's span are computed from the message's own, so a turn in any process can link to it without stored
ids. Spans carry clients, their numbers and turns. They never carry a message, a user, or an error's text.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span as OtelSpan
    from opentelemetry.trace import SpanContext, SpanKind

ENDPOINT_VARIABLES = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
SERVICE = "horizonai-whatsapp-bot"
FLUSH_SECONDS = 3.0
"""How long a stop waits for spans that are not exported yet."""

Value = str | int | float | bool
Kind = Literal["internal", "server", "client"]
MessageId = tuple[str, str]
"""Account SID and message SID."""


class Span(Protocol):
    """A running span."""

    def note(self, **attributes: Value | None) -> None:
        """Adds attributes; None is left out."""


class _NoSpan:
    """Replaces every span when traces are off; a generator would cost more."""

    def __enter__(self) -> _NoSpan:
        return self

    def __exit__(self, *_error: object) -> None:
        return

    def note(self, **attributes: Value | None) -> None:
        """See Span."""


_NO_SPAN = _NoSpan()
_exporter: _Exporter | None = None


def start_tracing() -> None:
    """Starts exporting spans when the environment names an endpoint. Takes part of a second: call it before serving."""
    global _exporter
    if _exporter is None and any(os.environ.get(name) for name in ENDPOINT_VARIABLES):
        _exporter = _Exporter()


def stop_tracing() -> None:
    """Exports the remaining spans, for at most FLUSH_SECONDS."""
    global _exporter
    if _exporter is not None:
        _exporter.close()
        _exporter = None


def span(
    name: str, kind: Kind = "internal", links: Sequence[MessageId] = (), **attributes: Value | None
) -> AbstractContextManager[Span]:
    """Context manager for a span; `links` are messages whose webhooks it follows from."""
    return _NO_SPAN if _exporter is None else _exporter.span(name, kind, links, attributes)


def webhook_span(message: MessageId, seconds: float, **attributes: Value | None) -> None:
    """Records the span of a message that was just stored; `seconds` is how long that took."""
    if _exporter is not None:
        _exporter.webhook(message, seconds, attributes)


class _Exporter:
    """OpenTelemetry's SDK, exporting over OTLP/HTTP from a thread of its own."""

    def __init__(self) -> None:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

        class Ids(RandomIdGenerator):
            """Random ids, except for the span whose ids were set beforehand."""

            planned: tuple[int, int] | None = None

            def generate_trace_id(self) -> int:
                return self.planned[0] if self.planned else super().generate_trace_id()

            def generate_span_id(self) -> int:
                return self.planned[1] if self.planned else super().generate_span_id()

        self._api = trace
        self._ids = Ids()
        named = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": SERVICE}
        self._provider: TracerProvider = TracerProvider(
            resource=Resource.create(named), id_generator=self._ids, shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("runtime")

    def close(self) -> None:
        """Exports the remaining spans."""
        self._provider.force_flush(int(FLUSH_SECONDS * 1000))
        self._provider.shutdown()

    @contextmanager
    def span(
        self, name: str, kind: Kind, links: Sequence[MessageId], attributes: dict[str, Value | None]
    ) -> Iterator[Span]:
        """See the module's function of that name."""
        from opentelemetry.trace import Link

        with self._tracer.start_as_current_span(
            name,
            kind=self._kind(kind),
            links=[Link(self._context_of(message)) for message in links],
            attributes=_told(attributes),
            # The text of an exception may quote a user's message.
            record_exception=False,
            set_status_on_exception=False,
        ) as current:
            try:
                yield _Noting(current)
            except Exception as error:
                current.set_status(self._api.StatusCode.ERROR)
                current.set_attribute("error.type", type(error).__name__)
                raise

    def webhook(self, message: MessageId, seconds: float, attributes: dict[str, Value | None]) -> None:
        """See `webhook_span`."""
        ended = time.time_ns()
        self._ids.planned = _ids_of(message)
        try:
            current = self._tracer.start_span(
                "webhook",
                context=self._api.set_span_in_context(self._api.INVALID_SPAN),
                kind=self._kind("server"),
                start_time=ended - int(seconds * 1e9),
                attributes=_told(attributes),
            )
        finally:
            self._ids.planned = None
        current.end(ended)

    def _kind(self, kind: Kind) -> SpanKind:
        return self._api.SpanKind[kind.upper()]

    def _context_of(self, message: MessageId) -> SpanContext:
        trace_id, span_id = _ids_of(message)
        return self._api.SpanContext(trace_id, span_id, is_remote=True, trace_flags=self._api.TraceFlags(1))


class _Noting:
    """A span of OpenTelemetry's as a Span."""

    def __init__(self, current: OtelSpan) -> None:
        self._current = current

    def note(self, **attributes: Value | None) -> None:
        """See Span."""
        self._current.set_attributes(_told(attributes))


def _told(attributes: dict[str, Value | None]) -> dict[str, Value]:
    return {name: value for name, value in attributes.items() if value is not None}


def _ids_of(message: MessageId) -> tuple[int, int]:
    digest = hashlib.sha256("/".join(message).encode()).digest()
    return int.from_bytes(digest[:16]), int.from_bytes(digest[16:24])
