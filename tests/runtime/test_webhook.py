"""Who may call the webhooks, and what they receive."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection
from urllib.parse import parse_qs, urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from twilio.request_validator import HMAC_SHA256, RequestValidator

from runtime.inbound.message import decoded_form
from tests.runtime_process import Line, Runtime, inbound_fields, new_number, open_line, signed_webhook, start_runtime
from tests.sandbox_process import AUTH_TOKEN, Sandbox, wait_until

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
SIGNED = {"X-Twilio-Signature": "c2lnbmVk"}


def test_an_unsigned_message_is_refused(line: Callable[..., Line], runtime: Runtime) -> None:
    body = f"From=whatsapp:%2B56912345678&To=whatsapp:{line().number}&Body=Hola&MessageSid=SM1&AccountSid=AC1"
    answer = runtime.request("POST", "/webhook/whatsapp", body.replace("+", "%2B").encode(), FORM)
    assert answer.status == 403


@pytest.mark.parametrize("path", ["/webhook/whatsapp", "/webhook/whatsapp/status"])
@pytest.mark.parametrize("body", [b"", b"Body=Hola", b"{}", b"Body=" + b"a" * 70_000])
def test_an_unsigned_request_is_refused_whatever_it_says(runtime: Runtime, path: str, body: bytes) -> None:
    answer = runtime.request("POST", path, body, FORM)
    assert (answer.status, "X-Twilio-Signature" in answer.error["message"]) == (403, True)


def test_a_message_signed_with_another_token_is_refused(line: Callable[..., Line], runtime: Runtime) -> None:
    assert signed_webhook(runtime, inbound_fields(line().number), token="another").status == 403


def test_a_message_changed_after_signing_is_refused(line: Callable[..., Line], runtime: Runtime) -> None:
    fields = inbound_fields(line().number)
    signature = RequestValidator(AUTH_TOKEN).compute_signature(f"{runtime.url}/webhook/whatsapp", fields)
    changed = urlencode(fields | {"Body": "otra cosa"}).encode()
    answer = runtime.request("POST", "/webhook/whatsapp", changed, FORM | {"X-Twilio-Signature": signature})
    assert answer.status == 403


def test_a_message_in_the_name_of_another_account_is_refused(line: Callable[..., Line], runtime: Runtime) -> None:
    fields = inbound_fields(line().number, AccountSid="AC" + "1" * 32)
    assert signed_webhook(runtime, fields).status == 403


@pytest.fixture(scope="module")
def keyring(tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox) -> Iterator[Runtime]:
    """A runtime that knows more secrets than one."""
    secrets = {
        "SU_TOKEN": "its-own-token",
        "TWILIO_AUTH_TOKEN_SECONDARY": "the-next-token",
        "TWILIO_WEBHOOK_SHARED_KEY": "shared-key-secret",
    }
    running = start_runtime(tmp_path_factory.mktemp("keyring"), sandbox_process, **secrets)
    yield running
    running.stop()


def test_a_client_s_own_account_signs_with_its_own_token(keyring: Runtime, sandbox: Sandbox) -> None:
    own = "AC" + "2" * 32
    number = new_number()
    keyring.made(
        "/bots/",
        {
            "name": "B",
            "twilio_phone_number": number,
            "instructions": "Hola.",
            "model": "gpt-6-luna",
            "account_sid": own,
            "auth_token_env": "SU_TOKEN",
        },
    )
    fields = inbound_fields(number, AccountSid=own)
    assert signed_webhook(keyring, fields, token=AUTH_TOKEN).status == 403
    assert signed_webhook(keyring, inbound_fields(number)).status == 403
    assert signed_webhook(keyring, fields, token="its-own-token").status == 200


def test_a_token_that_is_being_rotated_is_accepted_beside_the_new_one(keyring: Runtime, sandbox: Sandbox) -> None:
    shop = open_line(keyring, sandbox)
    assert signed_webhook(keyring, inbound_fields(shop.number), token="the-next-token").status == 200


def test_a_shared_key_signs_with_hmac_sha256(keyring: Runtime, sandbox: Sandbox) -> None:
    fields = inbound_fields(open_line(keyring, sandbox).number)
    url = f"{keyring.url}/webhook/whatsapp"
    headers = FORM | {
        "X-Twilio-Signature": RequestValidator("shared-key-secret").compute_signature(url, fields, HMAC_SHA256),
        "X-Twilio-Webhooks-Signature-Settings": "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256",
    }
    assert keyring.request("POST", "/webhook/whatsapp", urlencode(fields).encode(), headers).status == 200


def test_a_signed_message_to_an_unknown_number_is_404_and_logged(runtime: Runtime) -> None:
    number = new_number()
    answer = signed_webhook(runtime, inbound_fields(number))
    assert answer.status == 404
    assert number in answer.error["message"]
    assert any(entry["event"] == "unknown_number" and entry["number"] == number for entry in runtime.log())


@pytest.mark.parametrize("missing", ["MessageSid", "AccountSid", "From", "To"])
def test_a_message_without_a_field_is_400_and_names_it(
    line: Callable[..., Line], runtime: Runtime, missing: str
) -> None:
    fields = inbound_fields(line().number)
    del fields[missing]
    answer = signed_webhook(runtime, fields)
    assert (answer.status, missing in answer.error["message"]) == (400, True)


def test_a_body_that_is_no_form_is_400(runtime: Runtime) -> None:
    answer = runtime.request("POST", "/webhook/whatsapp", b"{}", SIGNED | {"Content-Type": "application/json"})
    assert answer.status == 400
    for body in (b"Body=\xff", b"Body=%ff%fe", b"%ff=1", b"a=1" + b"&a=1" * 500):
        answer = runtime.request("POST", "/webhook/whatsapp", body, FORM | SIGNED)
        assert answer.status == 400, body


TEXTS = st.text(st.characters(codec="utf-8"))


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=6))
@example([("Body", "\ufffd"), ("Body", ""), ("", "a+b &=%2B%"), ("ñ", "\x00\n")])
def test_a_form_is_read_as_the_standard_library_reads_it(fields: list[tuple[str, str]]) -> None:
    encoded = urlencode(fields)
    assert decoded_form(encoded.encode()) == parse_qs(encoded, keep_blank_values=True, errors="strict")


def test_an_oversized_body_is_413(runtime: Runtime) -> None:
    answer = runtime.request("POST", "/webhook/whatsapp", b"Body=" + b"a" * 70_000, FORM | SIGNED)
    assert answer.status == 413


def test_an_oversized_body_of_unknown_length_is_413(runtime: Runtime) -> None:
    connection = HTTPConnection("127.0.0.1", runtime.port, timeout=10)
    connection.request(
        "POST", "/webhook/whatsapp", iter([b"Body=", *[b"a" * 8192] * 12]), FORM | SIGNED, encode_chunked=True
    )
    assert connection.getresponse().status == 413
    connection.close()


def test_a_message_delivered_twice_is_answered_once(line: Callable[..., Line], runtime: Runtime) -> None:
    shop = line()
    fields = inbound_fields(shop.number)
    first, second = signed_webhook(runtime, fields), signed_webhook(runtime, fields)
    assert (first.status, second.status) == (200, 200)
    assert b"<Message>" in first.body
    assert b"<Message>" not in second.body
    assert "turn 2" in shop.ask("y ahora")


def test_a_message_is_on_disk_before_it_is_acknowledged(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox
) -> None:
    runtime = runtime_factory(REPLY_WITHIN_SECONDS="0")
    shop = open_line(runtime, sandbox)
    answer = signed_webhook(runtime, inbound_fields(shop.number, "piensa 30s"))
    assert answer.status == 200
    runtime.kill()
    with closing(sqlite3.connect(runtime.folder / "runtime.db")) as store:
        assert store.execute("SELECT body, state FROM inbox").fetchall() == [("piensa 30s", "open")]


def test_twiml_is_text_xml_and_escaped(line: Callable[..., Line], runtime: Runtime) -> None:
    answer = signed_webhook(runtime, inbound_fields(line().number, "a < b & c"))
    assert answer.headers["content-type"].startswith("text/xml")
    assert b"a &lt; b &amp; c" in answer.body


def test_the_status_of_a_message_never_goes_back(line: Callable[..., Line], runtime: Runtime) -> None:
    shop = line()
    shop.ask("Hola")
    (sent,) = shop.outbound()
    fields = {
        "AccountSid": inbound_fields("")["AccountSid"],
        "MessageSid": sent["message_sid"],
        "From": f"whatsapp:{shop.number}",
        "To": "whatsapp:+56912345678",
    }
    path = "/webhook/whatsapp/status"
    for status in ("read", "sent", "queued"):
        assert signed_webhook(runtime, fields | {"MessageStatus": status}, path).status == 204
    with closing(sqlite3.connect(runtime.folder / "runtime.db")) as store:
        query = "SELECT status FROM outbox WHERE message_sid = ?"
        assert store.execute(query, (sent["message_sid"],)).fetchall() == [("read",)]


def test_an_unsigned_status_is_refused(runtime: Runtime) -> None:
    body = b"AccountSid=AC1&MessageSid=SM1&MessageStatus=read&From=whatsapp:%2B1&To=whatsapp:%2B2"
    assert runtime.request("POST", "/webhook/whatsapp/status", body, FORM).status == 403


def test_users_numbers_are_masked_in_the_log_and_bots_are_not(line: Callable[..., Line], runtime: Runtime) -> None:
    shop = line()
    shop.ask("Hola", "+56987654321")
    wait_until(lambda: any(entry["event"] == "message_sent" for entry in about(runtime, shop.number)))
    assert {entry["user"] for entry in about(runtime, shop.number) if "user" in entry} == {"+569****4321"}
    assert "+56987654321" not in (runtime.folder / "runtime.log").read_text()


def about(runtime: Runtime, number: str) -> list[dict[str, object]]:
    """What the log says about a bot's number."""
    return [entry for entry in runtime.log() if entry.get("number") == number]
