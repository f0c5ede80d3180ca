"""The ledger: everything that happened, in order, and nothing else."""

import time
from typing import Any

import openai as sdk
import pytest
from openai import OpenAI
from twilio.rest import Client

from tests.sandbox.conftest import NUMBER, USER, Webhook, twiml
from tests.sandbox_process import Sandbox, SandboxRefusal, wait_until


def test_every_call_is_there_with_its_body_and_its_outcome(openai: OpenAI, sandbox: Sandbox) -> None:
    openai.models.list()
    openai.responses.create(model="gpt-6-luna", input="hola")
    listed, made = sandbox.ledger()
    assert (listed["method"], listed["path"], listed["status"], listed["write"]) == ("GET", "/v1/models", 200, False)
    assert (made["write"], made["body"]) == (True, {"model": "gpt-6-luna", "input": "hola"})


def test_a_search_is_no_write(openai: OpenAI, sandbox: Sandbox) -> None:
    store = openai.vector_stores.create(name="x").id
    openai.vector_stores.search(store, query="hola")
    assert sandbox.summary()["openai"] == {"calls": 2, "writes": 1, "inbound": 0, "outbound": 0, "webhooks": 0}


def test_a_form_is_shown_as_its_fields(twilio: Client, sandbox: Sandbox, sender: Any) -> None:
    twilio.messages.create(to=f"whatsapp:{USER}", from_=f"whatsapp:{NUMBER}", body="hola ñ")
    assert sandbox.calls("twilio", "POST")[0]["body"]["Body"] == "hola ñ"


def test_a_conversation_is_told_in_order(sandbox: Sandbox, sender: Any, webhook: Webhook) -> None:
    webhook.answer("/whatsapp", twiml("buenas"))
    sandbox.change(NUMBER, webhook={"status_callback_url": ""})
    sandbox.inbound(NUMBER, "hola")
    wait_until(lambda: len(sandbox.ledger()) == 4)
    assert [entry["kind"] for entry in sandbox.ledger()] == ["inbound", "webhook", "outbound", "delivered"]
    assert [entry["message_sid"] for entry in sandbox.ledger(kind="delivered")] == [
        entry["message_sid"] for entry in sandbox.ledger(kind="outbound")
    ]
    assert sandbox.ledger(kind="inbound")[0]["webhooks"][0]["status"] == 200


def test_only_what_is_new_can_be_asked_for(openai: OpenAI, sandbox: Sandbox) -> None:
    openai.models.list()
    following = sandbox.ask("GET", "ledger")["next"]
    openai.models.retrieve("gpt-6-luna")
    assert [entry["path"] for entry in sandbox.ledger(since=following)] == ["/v1/models/gpt-6-luna"]
    assert sandbox.ledger(since=following + 1) == []


def test_a_large_upload_is_kept_by_its_digest(openai: OpenAI, sandbox: Sandbox) -> None:
    openai.files.create(file=("x.md", b"x" * 100_000), purpose="assistants")
    entry = sandbox.calls("openai", "POST")[0]
    assert entry["bytes"] > 100_000
    assert len(entry["sha256"]) == 64
    assert "body" not in entry


def test_a_kind_that_is_not_there_is_refused(sandbox: Sandbox) -> None:
    with pytest.raises(SandboxRefusal, match="kind is one of call, inbound, outbound, delivered, webhook"):
        sandbox.ledger(kind="calls")


def test_a_call_from_before_a_reset_leaves_no_trace_after_it(openai: OpenAI, sandbox: Sandbox) -> None:
    sandbox.faults({"kind": "latency", "seconds": 0.3})
    with pytest.raises(sdk.APITimeoutError):
        openai.with_options(timeout=0.1).vector_stores.create(name="tarde")
    sandbox.reset()
    time.sleep(0.4)  # longer than the call had to go: nothing else can show that it never ends
    assert sandbox.ledger() == []
    assert openai.vector_stores.list().data == []


def test_a_reset_leaves_nothing(openai: OpenAI, sandbox: Sandbox, sender: Any) -> None:
    openai.vector_stores.create(name="x")
    sandbox.settings(think_seconds=1)
    sandbox.faults({"kind": "status", "path": "/nowhere"})
    sandbox.reset()
    assert sandbox.ledger() == []
    assert sandbox.ask("GET", "faults") == {"rules": []}
    assert sandbox.ask("GET", "settings")["think_seconds"] == 0
    assert openai.vector_stores.list().data == []
