"""The sandbox as a process: started, killed, restarted, called from a phone."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI

from tests.sandbox.conftest import NUMBER, Reply, Webhook, twilio_client, twiml
from tests.sandbox_process import ROOT, Sandbox, SandboxRefusal, wait_until

Starter = Callable[..., Sandbox]


def phone(sandbox_url: str, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TWILIO_BASE_URL": sandbox_url}
    command = [sys.executable, "-m", "sandbox", "phone", *words]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_what_was_answered_survives_a_kill(tmp_path: Path, sandbox_factory: Starter) -> None:
    first = sandbox_factory(tmp_path)
    with OpenAI(base_url=first.openai_url, api_key=first.api_key) as client:
        store = client.vector_stores.create(name="la-cocina").id
        file_id = client.files.create(file=("menu.md", b"Empanadas"), purpose="assistants").id
        client.vector_stores.files.create(store, file_id=file_id)
    first.register(NUMBER, friendly_name="la-cocina")
    before = first.ledger()
    first.kill()

    second = sandbox_factory(tmp_path)
    with OpenAI(base_url=second.openai_url, api_key=second.api_key) as client:
        assert client.vector_stores.search(store, query="empanadas").data[0].file_id == file_id
    assert second.ledger()[: len(before)] == before
    with pytest.raises(SandboxRefusal, match="is registered already"):
        second.register(NUMBER)


def test_a_torn_last_line_does_not_keep_it_from_starting(tmp_path: Path, sandbox_factory: Starter) -> None:
    first = sandbox_factory(tmp_path)
    first.register(NUMBER)
    first.kill()
    for name in ("state.jsonl", "ledger.jsonl"):
        with (tmp_path / name).open("a") as journal:
            journal.write('["senders","XE1",{"sid"')
    second = sandbox_factory(tmp_path)
    with pytest.raises(SandboxRefusal, match="is registered already"):
        second.register(NUMBER)
    assert second.ledger() == []


def test_a_message_under_way_is_delivered_after_a_restart(
    tmp_path: Path, sandbox_factory: Starter, webhook: Webhook
) -> None:
    first = sandbox_factory(tmp_path)
    first.register(NUMBER, webhook={"callback_url": webhook.answer("/whatsapp", twiml("hola"))})
    first.settings(delivery_seconds=60)
    sid = first.inbound(NUMBER, "hola")["answers"][0]["sid"]
    first.kill()
    second = sandbox_factory(tmp_path)
    client, http = twilio_client(second, second.account_sid, second.auth_token)
    wait_until(lambda: client.messages(sid).fetch().status == "delivered")
    http.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_cleanly_when_told(tmp_path: Path, sandbox_factory: Starter, number: signal.Signals) -> None:
    running = sandbox_factory(tmp_path)
    running.process.send_signal(number)
    assert running.process.wait(timeout=10) == 0


def test_a_state_folder_in_use_is_one_sentence(sandbox: Sandbox) -> None:
    command = [sys.executable, "-m", "sandbox", "serve", "--twilio", "127.0.0.1:0", "--openai", "127.0.0.1:0"]
    outcome = subprocess.run(
        [*command, "--state", str(sandbox.state)], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert outcome.returncode == 1
    assert outcome.stderr.startswith(f"error: {sandbox.state} is in use by another sandbox")


def test_a_port_in_use_is_one_sentence(sandbox: Sandbox, tmp_path: Path) -> None:
    taken = sandbox.twilio_url.removeprefix("http://")
    command = [sys.executable, "-m", "sandbox", "serve", "--twilio", taken, "--openai", "127.0.0.1:0"]
    outcome = subprocess.run(
        [*command, "--state", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert outcome.returncode == 1
    assert outcome.stderr.startswith("error: cannot listen:")
    assert "Traceback" not in outcome.stderr


def test_senders_come_from_manifests(tmp_path: Path, sandbox_factory: Starter) -> None:
    folder = tmp_path / "clients.d"
    folder.mkdir()
    (folder / "_defaults.yaml").write_text("assistant: {model: gpt-6-luna}\n")
    (folder / "a.yaml").write_text('id: cliente-a\nname: Cliente A\nnumber: "+15551111111"\n')
    (folder / "b.yaml").write_text("id: cliente-b\nname: Cliente B\nnumber: 15552222222\n")
    (folder / "c.yaml").write_text("id: [\n")
    own = "AC" + "c" * 32
    (folder / "d.yaml").write_text(
        f'id: cliente-d\nnumber: "+15554444444"\nsender: {{account: {{sid: {own}, auth_token: {{env: NONE}}}}}}\n'
    )
    running = sandbox_factory(tmp_path / "state", "--senders-from", str(folder))
    for _ in range(2):
        for name in ("cliente-a", "Cliente B"):
            assert "has no webhook URL" in running.inbound(name, "hola")["error"]
        client, http = twilio_client(running, own, running.auth_token)
        assert len(client.messaging.v2.channels_senders.list(channel="whatsapp")) == 1
        http.close()
        running.reset()


def test_a_phone_prints_the_answers(sandbox: Sandbox, sender: Any, webhook: Webhook) -> None:
    webhook.answer("/whatsapp", twiml("Buenas", "¿En qué ayudo?"))
    outcome = phone(sandbox.twilio_url, "la-cocina", "Hola")
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "Buenas\n\n¿En qué ayudo?\n", "")
    assert webhook.next().form["From"] == "whatsapp:+56912345678"


def test_a_phone_has_the_number_it_is_given(sandbox: Sandbox, sender: Any, webhook: Webhook) -> None:
    webhook.answer("/whatsapp", twiml("Buenas"))
    phone(sandbox.twilio_url, NUMBER, "Hola", "--from", "+56900000001")
    assert webhook.next().form["From"] == "whatsapp:+56900000001"


def refused(outcome: subprocess.CompletedProcess[str]) -> str:
    """The one sentence of a phone that got no answer."""
    assert (outcome.returncode, outcome.stdout) == (1, "")
    assert "Traceback" not in outcome.stderr
    return outcome.stderr


def test_a_phone_says_that_the_webhook_refused(sandbox: Sandbox, sender: Any, webhook: Webhook) -> None:
    webhook.answer("/whatsapp", Reply(status=403))
    sentence = refused(phone(sandbox.twilio_url, "la-cocina", "Hola"))
    assert sentence.startswith("error: la-cocina: the webhook answered HTTP 403")


def test_a_phone_says_that_no_answer_came_in_time(sandbox: Sandbox, sender: Any) -> None:
    sentence = refused(phone(sandbox.twilio_url, "la-cocina", "Hola", "--timeout", "0.2"))
    assert "no answer came within 0.2 s" in sentence


def test_a_phone_says_that_the_number_has_no_webhook(sandbox: Sandbox) -> None:
    sandbox.register(NUMBER)
    assert f"whatsapp:{NUMBER} has no webhook URL" in refused(phone(sandbox.twilio_url, NUMBER, "Hola"))


def test_a_phone_says_that_nobody_has_the_name(sandbox: Sandbox) -> None:
    assert "no sender 'nadie'" in refused(phone(sandbox.twilio_url, "nadie", "Hola"))


def test_a_phone_says_that_there_is_no_sandbox() -> None:
    sentence = refused(phone("http://127.0.0.1:9", "la-cocina", "Hola"))
    assert sentence.startswith("error: no sandbox answers at http://127.0.0.1:9")


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    command = [sys.executable, "-m", "sandbox", "serve", "--state", str(tmp_path / "file" / "state")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 1
    assert done.stderr == f"error: {tmp_path}/file/state cannot be written: Not a directory. Name another --state.\n"
