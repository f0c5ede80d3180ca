"""A user writes: signed webhooks, answers over TwiML and REST, retries, fallback, media, unusual users."""

import socket
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from tests.sandbox.conftest import NUMBER, USER, Reply, Webhook, twiml
from tests.sandbox_process import Sandbox, SandboxRefusal, wait_until

FROM, TO = f"whatsapp:{NUMBER}", f"whatsapp:{USER}"


@pytest.fixture
def dead_url() -> str:
    """A URL where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}/whatsapp"


def attempts(sandbox: Sandbox) -> list[tuple[str, int | None]]:
    return [(entry["purpose"], entry["status"]) for entry in sandbox.ledger(kind="inbound")[0]["webhooks"]]


def test_a_message_arrives_with_twilios_fields_and_signature(sandbox: Sandbox, sender: Any, webhook: Webhook) -> None:
    sent = sandbox.inbound(NUMBER, "¿Qué tal?", USER, wait=0, profile_name="Ana")
    received = webhook.next()
    assert received.form["MessageSid"] == sent["message_sid"]
    assert received.form["Body"] == "¿Qué tal?"
    assert (received.form["From"], received.form["To"]) == (TO, FROM)
    assert (received.form["WaId"], received.form["ProfileName"]) == (USER[1:], "Ana")
    assert received.headers["I-Twilio-Idempotency-Token"]
    signature = received.headers["X-Twilio-Signature"]
    assert RequestValidator(sandbox.auth_token).validate(f"{webhook.url}/whatsapp", received.form, signature)


@pytest.mark.parametrize("name", ["la-cocina", "Restaurante La Cocina", "restaurante-la-cocina", NUMBER, FROM])
def test_a_client_is_found_by_id_name_or_number(sandbox: Sandbox, sender: Any, webhook: Webhook, name: str) -> None:
    sandbox.inbound(name, "hola", wait=0)
    assert webhook.next().form["To"] == FROM


def test_each_message_of_a_twiml_answer_is_sent(sandbox: Sandbox, sender: Any, webhook: Webhook) -> None:
    body = "<Response><Message>uno &amp; dos</Message><Message><Body>tres</Body></Message></Response>"
    webhook.answer("/whatsapp", Reply(body=body))
    outcome = sandbox.inbound(NUMBER, "hola")
    assert outcome["http_status"] == 200
    assert [(item["body"], item["via"]) for item in outcome["answers"]] == [("uno & dos", "twiml"), ("tres", "twiml")]
    replies = sandbox.ledger(kind="outbound")
    assert {entry["in_reply_to"] for entry in replies} == {outcome["message_sid"]}
    assert {(entry["from"], entry["to"]) for entry in replies} == {(FROM, TO)}


def test_an_answer_over_rest_is_waited_for(sandbox: Sandbox, sender: Any, webhook: Webhook, twilio: Client) -> None:
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(sandbox.inbound, NUMBER, "hola", USER)
        webhook.next()
        message = twilio.messages.create(to=TO, from_=FROM, body="tarde pero seguro")
        answers = waiting.result(timeout=20)["answers"]
    assert answers == [{"sid": message.sid, "body": "tarde pero seguro", "via": "rest"}]


def test_no_answer_is_no_answer(sandbox: Sandbox, sender: Any) -> None:
    outcome = sandbox.inbound(NUMBER, "hola", wait=0.2)
    assert (outcome["http_status"], outcome["answers"], outcome["error"]) == (200, [], None)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(body="hola", content_type="text/plain"), "12300"),
        (Reply(body="<Response><Message>"), "12100"),
        (Reply(body="<Hola/>"), "12100"),
        (Reply(status=500, body="<Response/>"), "HTTP 500"),
        (Reply(status=403), "HTTP 403"),
    ],
)
def test_a_bad_answer_is_told(sandbox: Sandbox, sender: Any, webhook: Webhook, reply: Reply, error: str) -> None:
    webhook.answer("/whatsapp", reply)
    outcome = sandbox.inbound(NUMBER, "hola")
    assert error in outcome["error"]
    assert outcome["answers"] == []


def test_a_server_error_is_not_retried_but_goes_to_the_fallback(
    sandbox: Sandbox, sender: Any, webhook: Webhook
) -> None:
    sandbox.change(NUMBER, webhook={"fallback_url": webhook.answer("/fallback", twiml("perdón"))})
    webhook.answer("/whatsapp", Reply(status=503))
    outcome = sandbox.inbound(NUMBER, "hola")
    assert [item["body"] for item in outcome["answers"]] == ["perdón"]
    assert attempts(sandbox) == [("inbound", 503), ("fallback", 200)]
    first, second = webhook.next(), webhook.next()
    assert second.form["ErrorCode"] == "11200"
    assert second.form["ErrorUrl"] == f"{webhook.url}/whatsapp"
    assert second.form["MessageSid"] == first.form["MessageSid"]


def test_connection_overrides_ask_for_retries(sandbox: Sandbox, sender: Any, webhook: Webhook) -> None:
    url = webhook.answer("/whatsapp", Reply(status=503), Reply(status=503), twiml("a la tercera"))
    sandbox.change(NUMBER, webhook={"callback_url": f"{url}#rc=3&rp=5xx"})
    outcome = sandbox.inbound(NUMBER, "hola")
    assert [item["body"] for item in outcome["answers"]] == ["a la tercera"]
    assert attempts(sandbox) == [("inbound", 503), ("inbound", 503), ("inbound", 200)]
    tokens = {webhook.next().headers["I-Twilio-Idempotency-Token"] for _ in range(3)}
    assert len(tokens) == 1


def test_a_webhook_that_cannot_be_reached_is_tried_twice(sandbox: Sandbox, sender: Any, dead_url: str) -> None:
    sandbox.change(NUMBER, webhook={"callback_url": dead_url})
    outcome = sandbox.inbound(NUMBER, "hola")
    assert "cannot connect" in outcome["error"]
    assert attempts(sandbox) == [("inbound", None), ("inbound", None)]


def test_a_webhook_may_be_called_with_put(sandbox: Sandbox, sender: Any, webhook: Webhook) -> None:
    sandbox.change(NUMBER, webhook={"callback_method": "PUT"})
    sandbox.inbound(NUMBER, "hola", wait=0)
    assert webhook.next().method == "PUT"


def test_a_webhook_may_be_delivered_twice(sandbox: Sandbox, sender: Any, webhook: Webhook) -> None:
    sandbox.faults({"kind": "duplicate_webhook", "path": "/whatsapp", "times": 1})
    sandbox.inbound(NUMBER, "hola", wait=0)
    first, second = webhook.next(), webhook.next()
    assert first.form == second.form
    assert first.headers["I-Twilio-Idempotency-Token"] == second.headers["I-Twilio-Idempotency-Token"]
    assert len(sandbox.ledger(kind="inbound")) == 1


def test_what_one_of_two_deliveries_answers_is_sent_at_once(sandbox: Sandbox, sender: Any, webhook: Webhook) -> None:
    sandbox.faults({"kind": "duplicate_webhook", "path": "/whatsapp", "times": 1, "seconds": 0.1})
    webhook.answer("/whatsapp", Reply(body="<Response/>", seconds=2), twiml("hola"))
    sandbox.inbound(NUMBER, "hola", wait=0)
    wait_until(lambda: sandbox.summary()["twilio"]["outbound"] == 1, what="the answer to the second delivery")


def test_a_sid_seen_before_is_the_same_message_again(sandbox: Sandbox, sender: Any, webhook: Webhook) -> None:
    sid = sandbox.inbound(NUMBER, "hola", wait=0)["message_sid"]
    first = webhook.next()
    sandbox.inbound(NUMBER, "hola", message_sid=sid, wait=0)
    assert webhook.next().form == first.form
    assert sandbox.summary()["twilio"]["inbound"] == 1


def test_status_callbacks_may_come_out_of_order(sandbox: Sandbox, sender: Any, webhook: Webhook) -> None:
    sandbox.faults({"kind": "reorder_webhooks", "path": "/status", "seconds": 1, "seed": 22})
    webhook.answer("/whatsapp", twiml("hola"))
    sandbox.inbound(NUMBER, "hola")
    wait_until(lambda: sandbox.summary()["twilio"]["webhooks"] == 4)
    order = [form["MessageStatus"] for form in (webhook.next().form for _ in range(4)) if "MessageStatus" in form]
    assert sorted(order) == ["delivered", "queued", "sent"]
    assert order != ["queued", "sent", "delivered"]


def test_a_user_may_hide_their_number(sandbox: Sandbox, sender: Any, webhook: Webhook, twilio: Client) -> None:
    sandbox.inbound(NUMBER, "hola", "CL.1A2B3C", wait=0)
    form = webhook.next().form
    assert (form["From"], form["ExternalUserId"]) == ("whatsapp:CL.1A2B3C", "whatsapp:CL.1A2B3C")
    assert "WaId" not in form
    assert twilio.messages.create(to="whatsapp:CL.1A2B3C", from_=FROM, body="hola").status == "queued"


def test_a_voice_note_can_be_fetched_with_the_accounts_credentials(
    sandbox: Sandbox, sender: Any, webhook: Webhook, twilio: Client
) -> None:
    note = {"content_type": "audio/ogg", "base64": b64encode(b"OggS...").decode()}
    sid = sandbox.inbound(NUMBER, "", wait=0, media=[note])["message_sid"]
    form = webhook.next().form
    assert (sid[:2], form["NumMedia"], form["MediaContentType0"]) == ("MM", "1", "audio/ogg")
    assert requests.get(form["MediaUrl0"], timeout=10).status_code == 401
    fetched = requests.get(form["MediaUrl0"], auth=(sandbox.account_sid, sandbox.auth_token), timeout=10)
    assert (fetched.content, fetched.headers["Content-Type"]) == (b"OggS...", "audio/ogg")
    medium = twilio.messages(sid).media.list()[0]
    assert medium.content_type == "audio/ogg"
    assert medium.delete()


@pytest.mark.parametrize(
    ("to", "sentence"),
    [("nobody", "no sender 'nobody'"), (NUMBER, "is OFFLINE")],
)
def test_a_message_to_nobody_is_refused(sandbox: Sandbox, sender: Any, to: str, sentence: str) -> None:
    sandbox.change(NUMBER, status="OFFLINE")
    with pytest.raises(SandboxRefusal, match=sentence):
        sandbox.inbound(to, "hola")


def test_an_unknown_key_is_refused_with_those_allowed(sandbox: Sandbox, sender: Any) -> None:
    with pytest.raises(SandboxRefusal, match="unknown key 'texto'; allowed are: to, from, body"):
        sandbox.inbound(NUMBER, "hola", texto="hola")
