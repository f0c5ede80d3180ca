"""Both providers at once are slow, broken or out of reach."""

from __future__ import annotations

import re
import signal
import time
from dataclasses import replace

import pytest

from reconciler.manifest import load
from reconciler.observation.accounts import shared_account
from reconciler.observation.live_state import Failed
from reconciler.observation.observe import observe
from reconciler.settings import load_settings
from tests.reconciler.agency import Agency
from tests.sandbox_process import wait_until


def sentence(read: object) -> str:
    """What is said about a source that could not be read."""
    assert isinstance(read, Failed)
    return read.message


def test_providers_that_do_not_answer_in_time_are_unresolved_and_never_empty(
    agency: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    agency.declare("cliente-a")
    for name, value in agency.environment.items():
        monkeypatch.setenv(name, value)
    settings = replace(load_settings(agency.folder), timeout=0.2)
    agency.sandbox.faults({"kind": "timeout_before_write", "seconds": 2, "method": "GET"})
    began = time.monotonic()
    world = observe(load(agency.folder / "clients.d"), settings)
    assert time.monotonic() - began < 15
    assert "/v1/models cannot be reached: timed out after 0.2 seconds" in sentence(world.models)
    assert "/v2/Channels/Senders cannot be reached: timed out after 0.2 seconds" in sentence(
        world.senders[shared_account(settings)]
    )


def test_errors_to_the_last_attempt_leave_every_client_alone_and_each_side_is_said_once(agency: Agency) -> None:
    agency.declare("cliente-a")
    agency.declare("cliente-b")
    agency.sandbox.faults({"kind": "status", "status": 500, "method": "GET"})
    result = agency.reconcile("--yes")
    assert result.code == 1
    assert len(re.findall(r"^error: OpenAI models: .* answered 500", result.out, re.MULTILINE)) == 1
    assert len(re.findall(r"^error: Twilio account .* answered 500", result.out, re.MULTILINE)) == 1
    assert "then run again." in result.out
    said = r"^Nothing was checked: OpenAI models and Twilio account \w+ could not be read\. 2 errors\. 2 clients unres"
    assert re.search(said, result.out, re.MULTILINE)
    drift = agency.reconcile("drift")
    assert (drift.code, "Nothing was checked: OpenAI models and Twilio" in drift.out) == (1, True)
    status = agency.reconcile("status")
    assert (status.code, status.out.count("unresolved"), status.out.count("\nerror: ")) == (1, 2, 2)
    assert agency.writes() == 0


def test_providers_that_cannot_be_reached(agency: Agency) -> None:
    agency.declare("cliente-a")
    nowhere = "http://127.0.0.1:9"
    result = agency.reconcile("--dry-run", OPENAI_BASE_URL=f"{nowhere}/v1", TWILIO_BASE_URL=nowhere)
    assert result.code == 1
    assert "OpenAI models: 127.0.0.1:9/v1/models cannot be reached" in result.out
    assert "Check OPENAI_BASE_URL and the provider's status, then run again." in result.out
    assert "Check Twilio's status, then run again." in result.out


def test_a_stop_while_a_call_is_being_repeated_ends_the_run_and_says_what_did_not_happen(agency: Agency) -> None:
    agency.declare("cliente-a")
    agency.declare("el-viejo", assistant={"engine": "assistants"})
    agency.sandbox.faults(
        {"kind": "status", "status": 500, "method": "POST", "provider": "openai"},
        {"kind": "status", "status": 500, "method": "POST", "provider": "twilio"},
    )
    running = agency.start("--yes")
    wait_until(lambda: all(agency.sandbox.fired_each()), what="a failed write at each provider")
    running.signal(signal.SIGTERM)
    result = running.wait()
    assert result.code == 4
    assert "Stopping: running calls are finished and recorded." in result.err
    assert f"failed  cliente-a: sender {agency.number('cliente-a')}: update: Twilio answered 500" in result.out
    assert "failed  el-viejo: assistant assistants: create: OpenAI answered 500" in result.out
    assert "run again when OpenAI works" in result.out
    agency.sandbox.faults()
    agency.apply()
    assert agency.changes() == []


def test_a_provider_that_asks_for_more_patience_than_a_run_has_is_left_to_the_next_run(agency: Agency) -> None:
    agency.declare("cliente-a")
    agency.sandbox.faults({"kind": "retry_after", "retry_after": 600, "method": "POST"})
    result = agency.reconcile("--yes")
    assert result.code == 4
    assert f"failed  cliente-a: sender {agency.number('cliente-a')}: update: Twilio answered 429" in result.out
    assert agency.sandbox.fired() == 1


def test_a_source_that_asks_for_hours_is_not_waited_for(agency: Agency) -> None:
    agency.declare("cliente-a")
    agency.apply()
    agency.sandbox.faults({"kind": "retry_after", "retry_after": 7200, "method": "GET", "path": "/v1/models"})
    began = time.monotonic()
    result = agency.reconcile("--dry-run")
    assert result.code == 1
    assert time.monotonic() - began < 60
    assert "unresolved: cliente-a" in result.out
    assert "it asks for a pause of 7,200 seconds, so run again after that." in result.out


def test_a_pause_that_is_waited_out_is_told(agency: Agency) -> None:
    agency.declare("cliente-a")
    agency.apply()
    agency.sandbox.faults({"kind": "retry_after", "retry_after": 6, "method": "GET", "path": "/v1/models", "times": 1})
    result = agency.reconcile("--dry-run")
    assert result.code == 0
    assert "/models answered 429 and asks for a pause of 6 seconds: waiting." in result.err
