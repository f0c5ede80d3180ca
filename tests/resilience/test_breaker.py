"""A provider that does not work is left alone, tried again by one call, and used again when that succeeds."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.runtime_process import Line, Runtime, open_line
from tests.sandbox_process import Sandbox, wait_until

MODEL = {"provider": "openai", "method": "POST", "path": "/v1/responses"}
SEND = {"provider": "twilio", "method": "POST", "path": "/2010-04-01/Accounts/*/Messages.json"}
SORRY = "Disculpa, no pudimos responder."
USERS = [f"+5691000{number:04d}" for number in range(12)]


def refusal(code: str) -> dict[str, Any]:
    """The body of an error as OpenAI sends it."""
    return {"error": {"message": "No.", "type": code, "param": None, "code": code}}


def answered(shop: Line, user: str) -> list[str]:
    """What a user received."""
    return [entry["body"] for entry in shop.outbound(user)]


def paused(shop: Line) -> list[dict[str, Any]]:
    """The alerts so far."""
    return [entry for entry in shop.runtime.log() if entry["event"] == "circuit_breaker_opened"]


def state(shop: Line, provider: str) -> list[str]:
    """The breakers of a provider as they are on /metrics."""
    page = shop.runtime.api("GET", "/metrics").body.decode()
    return [
        line for line in page.splitlines() if line.startswith('horizonai_breaker_state{account="') and provider in line
    ]


def open_lines(runtime: Runtime, sandbox: Sandbox, count: int) -> list[Line]:
    """As many clients of one runtime."""
    return [open_line(runtime, sandbox, fallback_message=SORRY) for _ in range(count)]


SETTINGS = {"REPLY_WITHIN_SECONDS": "0", "BREAKER_SECONDS": "2", "TURN_DEADLINE_SECONDS": "60"}


@pytest.fixture
def shop(runtime_factory: Callable[..., Runtime], sandbox: Sandbox) -> Line:
    return open_line(runtime_factory(**SETTINGS), sandbox, fallback_message=SORRY)


def test_without_credit_one_user_is_told_and_the_others_wait_until_there_is_some(shop: Line) -> None:
    shop.sandbox.faults(MODEL | {"kind": "status", "status": 429, "body": refusal("insufficient_quota"), "times": 1})
    assert shop.ask("Hola", USERS[0]) == SORRY
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(lambda user: shop.ask("Hola", user), USERS[1:5]))

    assert ["turn 1" in text for text in told] == [True] * 4
    (alert,) = paused(shop)
    assert (alert["level"], "no credit left" in alert["error"]) == ("error", True)


@pytest.mark.long
def test_one_call_at_a_time_tries_whether_a_refused_key_works_again(shop: Line) -> None:
    shop.sandbox.faults(MODEL | {"kind": "status", "status": 401, "body": refusal("invalid_api_key"), "times": 2})
    assert shop.ask("Hola", USERS[0]) == SORRY
    for user in USERS[1:7]:
        shop.write("Hola", user, wait=0)

    wait_until(lambda: sum(bool(answered(shop, user)) for user in USERS[1:7]) == 6, what="an answer for everybody")
    told = [answered(shop, user) for user in USERS[1:7]]
    assert sorted(text == SORRY for (text,) in told) == [False] * 5 + [True]
    assert len(paused(shop)) == 1


def test_an_outage_stops_the_calls_and_everybody_is_answered_after_it(shop: Line) -> None:
    shop.sandbox.faults(MODEL | {"kind": "status", "status": 500})
    for user in USERS:
        shop.write("Hola", user, wait=0)
    wait_until(lambda: len(paused(shop)) == 1, what="the breaker to open")
    assert state(shop, "openai")[0].endswith(" 2.0")
    assert paused(shop)[0]["client"] == shop.bot["id"]
    shop.sandbox.faults()

    wait_until(lambda: all(answered(shop, user) for user in USERS), what="an answer for everybody")
    assert ["turn 1" in answered(shop, user)[0] for user in USERS] == [True] * len(USERS)
    assert state(shop, "openai")[0].endswith(" 0.0")


def test_a_user_waits_no_longer_than_the_turn_s_deadline(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox
) -> None:
    runtime = runtime_factory(BREAKER_SECONDS="60", TURN_DEADLINE_SECONDS="1")
    shop = open_line(runtime, sandbox, fallback_message=SORRY)
    sandbox.faults(MODEL | {"kind": "status", "status": 401, "body": refusal("invalid_api_key")})
    assert shop.ask("Hola", USERS[0]) == SORRY

    assert shop.ask("Hola", USERS[1]) == SORRY

    assert len(sandbox.calls("openai", "POST", "/v1/responses")) == 1


def test_when_twilio_refuses_the_account_answers_wait_until_it_does_not(shop: Line) -> None:
    shop.sandbox.faults(SEND | {"kind": "status", "status": 401, "body": {"code": 20003, "status": 401}, "times": 1})
    shop.write("Hola", USERS[0], wait=0)
    wait_until(lambda: len(paused(shop)) == 1, what="the breaker to open")

    assert "turn 1" in shop.ask("Hola", USERS[1])

    assert answered(shop, USERS[0]) == []
    assert paused(shop)[0]["provider"] == "twilio"


def test_a_client_whose_every_call_fails_stops_no_other_client(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox
) -> None:
    broken, sound = open_lines(runtime_factory(**SETTINGS | {"BREAKER_SECONDS": "60"}), sandbox, 2)
    sandbox.faults(broken.only(MODEL | {"kind": "status", "status": 500}))
    for user in USERS:
        broken.write("Hola", user, wait=0)
    wait_until(lambda: len(paused(broken)) == 1, what="the breaker to open")

    with ThreadPoolExecutor(4) as pool:
        given = list(pool.map(lambda user: sound.ask("Hola", user), USERS[:6]))

    assert ["turn 1" in text for text in given] == [True] * 6
    assert [line.partition("scope=")[2] for line in state(broken, "openai")] == [f'"{broken.bot["id"]}"}} 2.0']


def test_a_client_in_order_shows_at_once_that_only_the_others_calls_fail(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox
) -> None:
    *broken, sound = open_lines(runtime_factory(**SETTINGS | {"BREAKER_SECONDS": "60"}), sandbox, 5)
    sandbox.faults(*(shop.only(MODEL | {"kind": "status", "status": 500}) for shop in broken))
    for shop in broken:
        for user in USERS[:3]:
            shop.write("Hola", user, wait=0)
    wait_until(lambda: any("client" not in entry for entry in paused(sound)), what="the shared breaker to open")

    assert "turn 1" in sound.ask("Hola", USERS[0])
    assert any(line.endswith('scope=""} 0.0') for line in state(sound, "openai"))
    assert "turn 1" in sound.ask("Hola", USERS[1])


def test_an_outage_of_all_clients_ends_for_all_of_them(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox
) -> None:
    shops = open_lines(runtime_factory(**SETTINGS), sandbox, 4)
    sandbox.faults(MODEL | {"kind": "status", "status": 500})
    for shop in shops:
        for user in USERS[:3]:
            shop.write("Hola", user, wait=0)
    wait_until(lambda: any("client" not in entry for entry in paused(shops[0])), what="the shared breaker to open")
    sandbox.faults()

    wait_until(
        lambda: all(answered(shop, user) for shop in shops for user in USERS[:3]), what="an answer for everybody"
    )
    assert {line.rpartition(" ")[2] for line in state(shops[0], "openai")} == {"0.0"}


def test_a_key_that_is_refused_to_one_client_only_holds_the_others_back_once(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox
) -> None:
    broken, sound = open_lines(runtime_factory(**SETTINGS), sandbox, 2)
    sandbox.faults(broken.only(MODEL | {"kind": "status", "status": 401, "body": refusal("invalid_api_key")}))
    assert broken.ask("Hola", USERS[0]) == SORRY
    assert "turn 1" in sound.ask("Hola", USERS[0])

    assert broken.ask("Hola", USERS[1]) == SORRY
    assert "turn 1" in sound.ask("Hola", USERS[1])

    opened = [entry.get("client") for entry in paused(broken)]
    assert opened == [None, broken.bot["id"]]


def test_a_sender_that_fails_at_twilio_stops_no_other_sender(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox
) -> None:
    broken, sound = open_lines(runtime_factory(**SETTINGS | {"BREAKER_SECONDS": "60"}), sandbox, 2)
    sandbox.faults(SEND | {"kind": "status", "status": 503, "containing": broken.number.removeprefix("+")})
    for user in USERS:
        broken.write("Hola", user, wait=0)
    wait_until(lambda: len(paused(broken)) == 1, what="the breaker to open")

    assert "turn 1" in sound.ask("Hola", USERS[0])

    assert (paused(broken)[0]["sender"], len(paused(broken))) == (broken.number, 1)
    broken.runtime.kill()  # a stop would wait for the turns that cannot end
