"""Traces as a collector gets them over OTLP."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.observability.collector import Collector, attributes, collector
from tests.runtime_process import Line, Runtime, open_line, start_runtime
from tests.sandbox_process import ROOT, Sandbox, start_sandbox

USER = "+56977777777"
SAID = "Una mesa para dos, por favor"


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Collector, Line]]:
    """The spans of one message and its answer, exported by a runtime that has since been stopped."""
    folder = tmp_path_factory.mktemp("traced")
    with collector() as received:
        sandbox = start_sandbox(folder / "sandbox")
        runtime = start_runtime(folder, sandbox, OTEL_EXPORTER_OTLP_ENDPOINT=received.url)
        line = open_line(runtime, sandbox)
        line.ask(SAID, USER)
        runtime.stop()
        sandbox.stop()
        yield received, line


def test_a_message_makes_a_span_each_of_webhook_turn_model_and_send(traced: tuple[Collector, Line]) -> None:
    received, _ = traced

    assert sorted(span.name for span in received.spans) == ["model", "send", "turn", "webhook"]
    assert received.services == {"horizonai-whatsapp-bot"}


def test_model_and_send_are_children_of_the_turn(traced: tuple[Collector, Line]) -> None:
    received, _ = traced
    (turn,), (model,), (send,) = received.named("turn"), received.named("model"), received.named("send")

    assert model.parent_span_id == send.parent_span_id == turn.span_id
    assert model.trace_id == send.trace_id == turn.trace_id


def test_the_turn_links_to_the_webhook_of_the_message_that_it_answers(traced: tuple[Collector, Line]) -> None:
    received, _ = traced
    (turn,), (webhook,) = received.named("turn"), received.named("webhook")

    assert [(link.trace_id, link.span_id) for link in turn.links] == [(webhook.trace_id, webhook.span_id)]
    assert turn.trace_id != webhook.trace_id


def test_spans_name_client_number_and_turn(traced: tuple[Collector, Line]) -> None:
    received, line = traced
    (turn,), (send,) = received.named("turn"), received.named("send")

    assert attributes(turn) == {"client": line.bot["id"], "number": line.number, "turn": 1}
    assert attributes(send) == {"client": line.bot["id"], "number": line.number, "turn": 1, "channel": "twiml"}


def test_nothing_that_was_said_and_no_user_is_exported(traced: tuple[Collector, Line]) -> None:
    received, _ = traced
    exported = b"".join(received.bodies)

    assert SAID.encode() not in exported
    assert USER.encode() not in exported


def test_a_failed_call_is_marked_without_the_text_of_its_error(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox
) -> None:
    with collector() as received:
        runtime = runtime_factory(OTEL_EXPORTER_OTLP_ENDPOINT=received.url, TURN_DEADLINE_SECONDS="0.1")
        line = open_line(runtime, sandbox)
        sandbox.faults({"kind": "status", "provider": "openai", "status": 500, "times": 1})
        line.ask(SAID)
        runtime.stop()
    (model,) = received.named("model")

    assert model.status.code == model.status.STATUS_CODE_ERROR
    assert model.status.message == ""
    assert attributes(model)["error.type"] == "TemporaryError"
    assert not model.events


def test_a_function_call_is_a_child_of_the_model_and_names_the_function_only(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox
) -> None:
    tool = {"type": "function", "name": "crear_reserva", "parameters": {"type": "object", "properties": {}}}
    with collector() as received:
        runtime = runtime_factory(OTEL_EXPORTER_OTLP_ENDPOINT=received.url)
        body = {"name": "A", "instructions": "Reserva.", "model": "gpt-6-luna", "tools": [tool]}
        assistant = runtime.made("/assistants/", body)
        functions = {"crear_reserva": {"url": "http://127.0.0.1:9/"}}
        line = open_line(runtime, sandbox, assistant_id=assistant["id"], functions=functions)
        line.ask('llama a crear_reserva {"personas": 4}')
        runtime.stop()
    (function,), (model,) = received.named("function"), received.named("model")

    assert function.parent_span_id == model.span_id
    assert attributes(function) == {"client": line.bot["id"], "turn": 1, "function": "crear_reserva"}


@pytest.mark.long
def test_a_collector_that_is_gone_does_not_hold_up_the_stop(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox
) -> None:
    runtime = runtime_factory(OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
    open_line(runtime, sandbox).ask(SAID)

    assert runtime.stop() == 0


def test_without_an_endpoint_nothing_of_opentelemetry_is_imported(tmp_path: Path) -> None:
    program = (
        "import sys; from runtime import app; from runtime.observability import tracing; tracing.start_tracing()\n"
        "with tracing.span('turn', client='la-cocina'): pass\n"
        "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )

    done = subprocess.run([sys.executable, "-c", program], env={"PYTHONPATH": str(ROOT)}, cwd=tmp_path, timeout=60)

    assert done.returncode == 0
