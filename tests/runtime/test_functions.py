"""Function tools: one signed POST to the client's endpoint, and what the model receives when it fails."""

import hmac
import json
from collections.abc import Callable, Iterator
from datetime import datetime
from hashlib import sha256
from zoneinfo import ZoneInfo

import pytest

from tests.function_endpoint import ASK, TOOL, Endpoint
from tests.runtime_process import Line, Runtime, inbound_fields, open_line, signed_webhook, start_runtime
from tests.sandbox_process import Sandbox, wait_until

SECRET = "function-secret"


@pytest.fixture(scope="module")
def secretive(tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox) -> Iterator[Runtime]:
    running = start_runtime(tmp_path_factory.mktemp("functions"), sandbox_process, RESERVAS_SECRET=SECRET)
    yield running
    running.stop()


@pytest.fixture
def restaurant(secretive: Runtime, sandbox: Sandbox) -> Callable[..., Line]:
    """`restaurant(url, **endpoint_fields)`: a line whose assistant has the tool."""

    def make(url: str, **fields: object) -> Line:
        body = {"name": "A", "instructions": "Reserva.", "model": "gpt-6-luna", "tools": [TOOL]}
        assistant = secretive.made("/assistants/", body)
        return open_line(
            secretive, sandbox, assistant_id=assistant["id"], functions={"crear_reserva": {"url": url, **fields}}
        )

    return make


def test_the_call_is_made_and_its_result_reaches_the_answer(
    restaurant: Callable[..., Line], endpoint: Endpoint
) -> None:
    line = restaurant(endpoint.url)
    assert "R-17" in line.ask(ASK)
    ((headers, body),) = endpoint.received
    call = json.loads(body)
    assert (call["name"], call["arguments"], call["client"]) == ("crear_reserva", {"personas": 4}, line.bot["id"])
    assert call["call_id"]
    assert "56912345678" not in body.decode()
    assert "x-horizonai-signature" not in headers


@pytest.mark.parametrize(
    ("detail", "user"),
    [
        (None, None),
        ("masked", {"phone": "+569****5678", "name": "Ana Rojas", "external_id": None}),
        ("full", {"phone": "+56912345678", "name": "Ana Rojas", "external_id": None}),
    ],
)
def test_the_endpoint_gets_the_time_and_who_writes_only_where_it_is_declared(
    restaurant: Callable[..., Line], endpoint: Endpoint, detail: str | None, user: dict[str, str | None] | None
) -> None:
    line = restaurant(endpoint.url, **({"user": detail} if detail else {}))
    line.ask(ASK, profile_name="Ana Rojas")
    ((_, body),) = endpoint.received
    call = json.loads(body)
    assert call.get("user") == user
    assert abs((datetime.now(ZoneInfo("America/Santiago")) - datetime.fromisoformat(call["now"])).total_seconds()) < 60
    assert call["now"][-6:] in ("-03:00", "-04:00")


def test_a_hidden_number_is_no_phone_and_only_the_full_detail_has_its_id(
    restaurant: Callable[..., Line], endpoint: Endpoint, secretive: Runtime
) -> None:
    for detail in ("masked", "full"):
        line = restaurant(endpoint.url, user=detail)
        hidden = {"From": "whatsapp:CL.abc123", "ExternalUserId": "CL.abc123", "ProfileName": "Ana"}
        signed_webhook(secretive, inbound_fields(line.number, ASK, **hidden))
    wait_until(lambda: len(endpoint.received) == 2, what="two calls")
    users = [json.loads(body)["user"] for _, body in endpoint.received]
    assert [user["phone"] for user in users] == [None, None]
    assert [user["external_id"] for user in users] == [None, "CL.abc123"]


def test_the_call_is_signed_over_time_and_body(restaurant: Callable[..., Line], endpoint: Endpoint) -> None:
    restaurant(endpoint.url, secret_env="RESERVAS_SECRET").ask(ASK)
    ((headers, body),) = endpoint.received
    fields = dict(part.split("=") for part in headers["x-horizonai-signature"].split(","))
    expected = hmac.new(SECRET.encode(), f"{fields['t']}.".encode() + body, sha256).hexdigest()
    assert fields["v1"] == expected


def test_a_conversation_is_the_same_to_the_endpoint_from_one_call_to_the_next(
    restaurant: Callable[..., Line], endpoint: Endpoint
) -> None:
    line = restaurant(endpoint.url)
    line.ask(ASK)
    line.ask(ASK)
    line.ask(ASK, "+56977777777")
    first, second, other = [json.loads(body)["conversation"] for _, body in endpoint.received]
    assert (first == second, first == other) == (True, False)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"status": 500}, "status 500"),
        ({"status": 302, "headers": {"Location": "http://127.0.0.1/"}}, "status 302"),
        ({"headers": {"Content-Type": "image/png"}, "answer": b"\x89PNG\r\n"}, "image/png, which is not text"),
        ({"headers": {"Content-Type": "text/plain; charset=klingon"}}, "text/plain, which is not text"),
        ({"answer": b"{no"}, "not valid JSON"),
        ({"answer": b"[" * 100_000 + b"]" * 100_000}, "too deeply nested"),
        ({"status": 409, "answer": b'{"libre": "hay a las 22:00"}'}, "hay a las 22:00"),
        ({"status": 404, "headers": {"Content-Type": "text/html"}, "answer": b"<h1>no existe</h1>"}, "no existe"),
        ({"answer": b'"' + b"a" * 300_000 + b'"'}, "larger than 256 KiB"),
        ({"delay": 1.0}, "within 0.3 seconds"),
    ],
)
def test_a_failure_of_the_endpoint_is_told_to_the_model(
    restaurant: Callable[..., Line], endpoint: Endpoint, changes: dict[str, object], words: str
) -> None:
    for name, value in changes.items():
        setattr(endpoint, name, value)
    assert words in restaurant(endpoint.url, timeout_seconds=0.3).ask(ASK)
    assert len(endpoint.received) == 1


@pytest.mark.parametrize(
    ("status", "headers", "answer", "result"),
    [
        (204, {}, b"", {"result": "ok"}),
        (200, {}, b"", {"result": "ok"}),
        (201, {}, b" \r\n", {"result": "ok"}),
        (202, {"Content-Type": "application/octet-stream"}, b"", {"result": "ok"}),
        (200, {"Content-Type": "text/html"}, b"OK", "OK"),
        (200, {}, b"OK", "OK"),
        (200, {"Content-Type": "application/hal+json"}, b'{"codigo": 7}', {"codigo": 7}),
        (200, {"Content-Type": "text/plain; charset=latin-1"}, "mañana".encode("latin-1"), "mañana"),
        (200, {"Content-Type": "application/json"}, b'\xef\xbb\xbf{"codigo": 7}', {"codigo": 7}),
    ],
)
def test_what_an_endpoint_answers_is_the_result_whatever_its_type(
    restaurant: Callable[..., Line],
    endpoint: Endpoint,
    status: int,
    headers: dict[str, str],
    answer: bytes,
    result: object,
) -> None:
    endpoint.status, endpoint.headers, endpoint.answer = status, headers, answer
    said = restaurant(endpoint.url).ask(ASK)
    assert "error" not in said
    assert (result if isinstance(result, str) else json.dumps(result)) in said


def test_what_an_endpoint_says_of_a_request_it_refuses_is_bounded(
    restaurant: Callable[..., Line], endpoint: Endpoint
) -> None:
    endpoint.status, endpoint.answer = 422, b"%" * 50_000
    said = _answered(restaurant(endpoint.url), ASK)
    assert "status 422" in said
    assert said.count("%") == 1_999


def test_arguments_that_this_python_cannot_read_so_deep_are_told_to_the_model_and_others_are_sent(
    restaurant: Callable[..., Line], endpoint: Endpoint
) -> None:
    deep = '{"a":' * 2_000 + "1" + "}" * 2_000
    said = _answered(restaurant(endpoint.url), f"llama a crear_reserva {deep}")
    try:
        json.loads(deep)
    except RecursionError:  # up to Python 3.11 at 1,000 levels
        assert "too deeply nested" in said
        assert endpoint.received == []
    else:
        ((_, body),) = endpoint.received
        assert deep.encode() in body.replace(b" ", b"")


def test_an_endpoint_that_is_down_is_told_to_the_model(restaurant: Callable[..., Line]) -> None:
    assert "cannot be reached" in restaurant("http://127.0.0.1:1/").ask(ASK)


def test_a_missing_secret_is_told_without_calling_unsigned(restaurant: Callable[..., Line], endpoint: Endpoint) -> None:
    assert "secret is not configured" in restaurant(endpoint.url, secret_env="NOT_SET").ask(ASK)
    assert endpoint.received == []


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://example.com/", "https://"),
        ("https://127.0.0.1/", "not a public one"),
        ("https://[::1]/", "not a public one"),
        ("https://169.254.169.254/latest/meta-data/", "not a public one"),
        ("https://localhost/", "not a public one"),
    ],
)
def test_an_address_inside_our_network_is_not_called(strict: Runtime, sandbox: Sandbox, url: str, words: str) -> None:
    body = {"name": "A", "instructions": "I", "model": "gpt-6-luna", "tools": [TOOL]}
    assistant = strict.made("/assistants/", body)
    shop = open_line(strict, sandbox, assistant_id=assistant["id"])
    # As a release before wrote it: today neither the API nor a manifest takes such a URL.
    bot = {"name": "B", "twilio_phone_number": shop.number, "assistant_id": assistant["id"]}
    bot["functions"] = {"crear_reserva": {"url": url}}
    assert strict.api("PUT", f"/bots/{shop.bot['id']}", bot, X_Managed_By="reconcile").status == 200
    assert words in shop.ask(ASK)


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox) -> Iterator[Runtime]:
    folder = tmp_path_factory.mktemp("strict")
    running = start_runtime(folder, sandbox_process, ALLOW_PRIVATE_ENDPOINTS="false")
    yield running
    running.stop()


def test_a_turn_that_is_cut_short_goes_on_with_the_same_calls(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox, endpoint: Endpoint
) -> None:
    runtime = runtime_factory(REPLY_WITHIN_SECONDS="0")
    body = {"name": "A", "instructions": "I", "model": "gpt-6-luna", "tools": [TOOL]}
    assistant = runtime.made("/assistants/", body)
    shop = open_line(runtime, sandbox, assistant_id=assistant["id"], functions={"crear_reserva": {"url": endpoint.url}})
    endpoint.delay = 1.0
    shop.write(ASK, wait=0)
    wait_until(lambda: len(endpoint.received) == 1)
    runtime.kill()
    endpoint.delay = 0.0
    runtime.start_again()
    wait_until(lambda: any("R-17" in entry["body"] for entry in shop.outbound()), what="the answer")
    first, second = [json.loads(received)["call_id"] for _, received in endpoint.received]
    assert first == second


def _answered(line: Line, text: str) -> str:
    """The answer to a first message, all of its parts."""
    line.write(text)
    wait_until(lambda: "turn 1" in "".join(part["body"] for part in line.outbound()))
    return "".join(part["body"] for part in line.outbound())


def faulty(endpoint: Endpoint, *statuses: int) -> None:
    """The endpoint's next answers."""
    endpoint.statuses = [*statuses]


def test_an_idempotent_call_is_made_again_with_the_same_key(
    restaurant: Callable[..., Line], endpoint: Endpoint
) -> None:
    line = restaurant(endpoint.url, idempotent=True)
    faulty(endpoint, 503, 429, 200)
    assert "R-17" in line.ask(ASK)
    keys = {headers["idempotency-key"] for headers, _ in endpoint.received}
    ids = {json.loads(body)["call_id"] for _, body in endpoint.received}
    assert (len(endpoint.received), keys == ids, len(ids)) == (3, True, 1)


@pytest.mark.parametrize(("idempotent", "calls"), [(True, 3), (False, 1)])
def test_a_call_that_keeps_failing_is_made_three_times_at_most_and_others_once(
    restaurant: Callable[..., Line], endpoint: Endpoint, idempotent: bool, calls: int
) -> None:
    line = restaurant(endpoint.url, idempotent=idempotent)
    endpoint.status = 500
    assert "status 500" in line.ask(ASK)
    assert len(endpoint.received) == calls
    assert ("idempotency-key" in endpoint.received[0][0]) is idempotent


def test_a_refusal_is_not_made_again(restaurant: Callable[..., Line], endpoint: Endpoint) -> None:
    line = restaurant(endpoint.url, idempotent=True)
    endpoint.status = 409
    assert "status 409" in line.ask(ASK)
    assert len(endpoint.received) == 1


def test_the_attempts_take_twice_the_function_s_time_at_most(
    restaurant: Callable[..., Line], endpoint: Endpoint
) -> None:
    line = restaurant(endpoint.url, idempotent=True, timeout_seconds=0.4)
    endpoint.delay = 5.0
    assert "did not answer within" in line.ask(ASK)
    assert len(endpoint.received) <= 2
    [called] = [entry for entry in line.runtime.log() if entry["event"] == "function_called"][-1:]
    assert called["seconds"] < 1.5
