"""After any failure: an acknowledged message is answered once, or the user gets the fallback message once."""

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from twilio.request_validator import RequestValidator

from tests.runtime_process import Line, Runtime, inbound_fields, open_line, signed_webhook, start_runtime
from tests.sandbox_process import AUTH_TOKEN, Sandbox, wait_until

SEND = {"provider": "twilio", "method": "POST", "path": "/2010-04-01/Accounts/*/Messages.json"}
MODEL = {"provider": "openai", "method": "POST", "path": "/v1/responses"}
SORRY = "Disculpa, no pudimos responder."


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox) -> Iterator[Runtime]:
    """A runtime that answers over REST only and gives up soon."""
    settings = {
        "REPLY_WITHIN_SECONDS": "0",
        "MODEL_TIMEOUT_SECONDS": "1.5",
        "TURN_DEADLINE_SECONDS": "5",
        "BREAKER_SECONDS": "0.1",
    }
    running = start_runtime(tmp_path_factory.mktemp("hasty"), sandbox_process, **settings)
    yield running
    running.stop()


@pytest.fixture
def shop(hasty: Runtime, sandbox: Sandbox) -> Line:
    return open_line(hasty, sandbox, fallback_message=SORRY)


def openai_error(code: str) -> dict[str, Any]:
    """The body of an error as OpenAI sends it."""
    return {"error": {"message": "No.", "type": "invalid_request_error", "param": None, "code": code}}


def answered_once(shop: Line, text: str) -> None:
    """The message was answered exactly once, and the next one is too (so nothing is left over)."""
    wait_until(lambda: any(text in entry["body"] for entry in shop.outbound()), what=f"an answer to {text!r}")
    shop.sandbox.faults()
    shop.ask("¿Sigues ahí?")
    assert [text in entry["body"] for entry in shop.outbound()] == [True, False]


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(MODEL | {"kind": "retry_after", "retry_after": 0.2, "times": 1}, id="model limits us"),
        pytest.param(MODEL | {"kind": "status", "status": 500, "times": 2}, id="model fails twice"),
        pytest.param(MODEL | {"kind": "drop_connection", "times": 1}, id="model hangs up"),
        pytest.param(MODEL | {"kind": "timeout_after_write", "seconds": 3, "times": 1}, id="model times out"),
        pytest.param(SEND | {"kind": "retry_after", "retry_after": 0.2, "times": 2}, id="twilio limits us"),
        pytest.param(SEND | {"kind": "status", "status": 503, "times": 1}, id="twilio fails"),
        pytest.param(SEND | {"kind": "drop_connection", "times": 1}, id="twilio hangs up before sending"),
        pytest.param(
            SEND | {"kind": "timeout_after_write", "seconds": 0.1, "times": 1}, id="twilio sends, says nothing"
        ),
        pytest.param(SEND | {"kind": "cut_body", "times": 1}, id="twilio sends, its answer is cut"),
        pytest.param(SEND | {"kind": "status", "status": 201, "body": {}, "times": 1}, id="twilio answers nothing"),
        pytest.param(SEND | {"kind": "status", "status": 201, "body": ["x"], "times": 1}, id="twilio answers oddly"),
    ],
)
def test_answered_once_although(shop: Line, fault: dict[str, Any]) -> None:
    shop.sandbox.faults(shop.only(fault))
    shop.write("Hola", wait=0)
    answered_once(shop, "Hola")


def sends(shop: Line) -> list[tuple[int, float]]:
    """Status and time of each attempt to send."""
    calls = shop.sandbox.calls("twilio", "POST", "/2010-04-01/Accounts/")
    return [(call["status"], datetime.fromisoformat(call["time"]).timestamp()) for call in calls]


@pytest.mark.long
def test_a_number_sends_nothing_for_as_long_as_twilio_asks(shop: Line) -> None:
    shop.sandbox.faults(shop.only(SEND | {"kind": "retry_after", "retry_after": 3, "times": 1}))
    shop.write("Hola", wait=0)
    wait_until(lambda: shop.sandbox.fired() == 1)
    shop.write("Hola", "+56922222222", wait=0)

    wait_until(lambda: len(sends(shop)) == 3, what="both answers")
    (refused, at), (first, first_at), (second, _) = sends(shop)
    assert (refused, first, second) == (429, 201, 201)
    assert first_at - at >= 3


@pytest.mark.long
def test_twilio_may_ask_for_no_longer_a_pause_than_a_turn_may_take(shop: Line) -> None:
    shop.sandbox.faults(shop.only(SEND | {"kind": "retry_after", "retry_after": 86_400, "times": 1}))
    shop.write("Hola", wait=0)

    wait_until(lambda: len(shop.outbound()) == 1, what="the answer")
    (_, refused_at), (_, sent_at) = sends(shop)
    assert sent_at - refused_at >= 5


def test_the_same_answer_twice_is_not_mistaken_for_one(shop: Line) -> None:
    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Claro."}]}
    body = {"id": "resp_1", "object": "response", "status": "completed", "model": "gpt-6-luna", "output": [said]}
    same = MODEL | {"kind": "status", "status": 200, "body": body}
    shop.sandbox.faults(same)
    shop.write("uno", wait=10)
    assert shop.write("dos", wait=10)["answers"][0]["body"] == "Claro."
    shop.sandbox.faults(shop.only(same), shop.only(SEND | {"kind": "drop_connection", "times": 1}))
    shop.write("tres", wait=0)
    wait_until(lambda: len(shop.outbound()) == 3, what="the third answer")


@pytest.mark.parametrize(
    ("status", "code"),
    [(429, "insufficient_quota"), (400, "model_not_found"), (404, "model_not_found"), (403, "forbidden")],
)
def test_what_cannot_be_repaired_is_told_to_the_user_at_once_and_once(shop: Line, status: int, code: str) -> None:
    shop.sandbox.faults(MODEL | {"kind": "status", "status": status, "body": openai_error(code)})
    assert shop.ask("Hola") == SORRY
    assert len(shop.sandbox.calls("openai", "POST", "/v1/responses")) == 1


def test_a_wrong_key_is_one_sentence_in_the_log(shop: Line) -> None:
    shop.sandbox.faults(MODEL | {"kind": "status", "status": 401, "body": openai_error("invalid_api_key")})
    assert shop.ask("Hola") == SORRY
    (failure,) = [
        entry for entry in shop.runtime.log() if entry.get("number") == shop.number and entry["level"] == "error"
    ]
    assert "OPENAI_API_KEY" in failure["error"]


@pytest.mark.long
def test_a_provider_that_stays_down_ends_in_the_fallback_message_once(shop: Line) -> None:
    shop.sandbox.faults(MODEL | {"kind": "status", "status": 500})
    assert shop.ask("Hola", wait=20.0) == SORRY
    shop.sandbox.faults()
    assert "turn 2" in shop.ask("¿Ahora sí?")


def test_a_message_that_twilio_refuses_stops_nothing_else(shop: Line) -> None:
    body = {"code": 63024, "message": "Invalid", "status": 400}
    shop.sandbox.faults(shop.only(SEND | {"kind": "status", "status": 400, "times": 1, "body": body}))
    shop.write("uno", wait=0)
    refused = "message_not_sent", shop.number
    wait_until(lambda: any((entry["event"], entry.get("number")) == refused for entry in shop.runtime.log()))
    assert "dos" in shop.ask("dos")


def test_many_deliveries_of_one_message_at_once_are_answered_once(shop: Line) -> None:
    fields = inbound_fields(shop.number, "una vez")
    with ThreadPoolExecutor(8) as pool:
        statuses = [answer.status for answer in pool.map(lambda _: signed_webhook(shop.runtime, fields), range(8))]
    assert statuses == [200] * 8
    answered_once(shop, "una vez")


def test_a_webhook_that_hung_up_gets_its_answer_over_rest(runtime: Runtime, sandbox: Sandbox) -> None:
    shop = open_line(runtime, sandbox)
    fields = inbound_fields(shop.number, "piensa 1s")
    ended = runtime.ended_turns()
    shop.write("Hola")
    body = urlencode(fields)
    signature = RequestValidator(AUTH_TOKEN).compute_signature(f"{runtime.url}/webhook/whatsapp", fields)
    with socket.create_connection(("127.0.0.1", runtime.port)) as caller:
        caller.sendall(
            f"POST /webhook/whatsapp HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nX-Twilio-Signature: {signature}\r\n\r\n{body}".encode()
        )
        runtime.wait_for_turns(1, after=ended + 1)
    wait_until(lambda: [entry["via"] for entry in shop.outbound()] == ["twiml", "rest"], what="the answer over REST")


def test_a_message_in_the_model_s_hands_at_a_kill_is_answered_once(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox
) -> None:
    runtime = runtime_factory(REPLY_WITHIN_SECONDS="0")
    shop = open_line(runtime, sandbox)
    shop.write("piensa 1s", wait=0)
    runtime.wait_for_turns(1)
    runtime.kill()
    runtime.start_again()
    answered_once(shop, "piensa 1s")


@pytest.mark.long
def test_the_time_in_which_nobody_serves_is_not_taken_from_a_turn(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox
) -> None:
    runtime = runtime_factory(REPLY_WITHIN_SECONDS="0", TURN_DEADLINE_SECONDS="4")
    shop = open_line(runtime, sandbox, fallback_message=SORRY)
    shop.write("piensa 1s", wait=0)
    runtime.wait_for_turns(1)
    runtime.kill()
    killed = time.monotonic()
    sandbox.faults(MODEL | {"kind": "status", "status": 500, "times": 1})
    wait_until(lambda: time.monotonic() > killed + 4, what="the deadline to pass")

    runtime.start_again()

    wait_until(lambda: len(shop.outbound()) == 1, what="the answer")
    assert "piensa 1s" in shop.outbound()[0]["body"]
    assert sandbox.fired() == 1


@pytest.mark.long
@pytest.mark.parametrize("kind", ["timeout_after_write", "timeout_before_write"])
def test_a_message_in_twilio_s_hands_at_a_kill_goes_out_once(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox, kind: str
) -> None:
    runtime = runtime_factory(REPLY_WITHIN_SECONDS="0")
    shop = open_line(runtime, sandbox)
    sandbox.faults(SEND | {"kind": kind, "seconds": 5, "times": 1})
    shop.write("Hola", wait=0)
    wait_until(lambda: sandbox.fired() == 1)
    runtime.kill()
    runtime.start_again()
    answered_once(shop, "Hola")


def test_a_stop_finishes_the_turns_in_flight(runtime_factory: Callable[..., Runtime], sandbox: Sandbox) -> None:
    runtime = runtime_factory(REPLY_WITHIN_SECONDS="0")
    shop = open_line(runtime, sandbox)
    shop.write("piensa 1s", wait=0)
    runtime.wait_for_turns(1)
    assert runtime.stop() == 0
    assert len(shop.outbound()) == 1


def test_a_service_that_stops_says_at_once_that_it_is_not_ready_and_still_stores_what_comes(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox
) -> None:
    runtime = runtime_factory(REPLY_WITHIN_SECONDS="0")
    shop = open_line(runtime, sandbox)
    shop.write("piensa 3s", wait=0)
    runtime.wait_for_turns(1)
    assert runtime.request("GET", "/ready").status == 200

    runtime.process.terminate()

    wait_until(lambda: runtime.request("GET", "/ready").status == 503, what="the service to be not ready")
    assert runtime.request("GET", "/ready").json["problems"] == ["the service is stopping"]
    assert runtime.request("GET", "/health").status == 200
    assert signed_webhook(runtime, inbound_fields(shop.number, "¿y ahora?")).status == 200
    assert runtime.stop() == 0
    runtime.start_again()
    wait_until(lambda: len(shop.outbound()) == 2, what="both answers")
