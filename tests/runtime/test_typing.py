"""While an answer that takes a while is made, its user sees that it is being written; nothing ever waits for that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.runtime_process import Line, Runtime, open_line
from tests.sandbox_process import Sandbox, wait_until

PATH = "/v2/Indicators/Typing.json"


def shown(shop: Line) -> list[dict[str, Any]]:
    return [call["body"] for call in shop.sandbox.calls("twilio", "POST", PATH)]


def test_a_message_is_read_and_its_answer_shown_to_be_coming(line: Callable[..., Line]) -> None:
    shop = line()
    outcome = shop.write("piensa 2s")
    assert shown(shop) == [{"channel": "whatsapp", "messageId": outcome["message_sid"]}]


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("Hola", {"version": 1}),
        ("piensa 2s", {"version": 1, "replies": {"typing": False}}),
        ("piensa 2s", {"version": 1, "data": {"sensitive": ["health"]}, "replies": {"typing": True}}),
    ],
    ids=["an answer that is there at once", "off", "sensitive data"],
)
def test_it_is_not_shown(line: Callable[..., Line], text: str, policy: dict[str, Any]) -> None:
    shop = line(policy=policy)
    shop.ask(text)
    assert shown(shop) == []


def test_a_paused_bot_reads_nothing(line: Callable[..., Line]) -> None:
    shop = line(state="paused")
    shop.write("piensa 2s", wait=1.5)
    assert shown(shop) == []


def test_an_answer_comes_whatever_twilio_says_of_it_which_is_then_left_alone(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox
) -> None:
    shop = open_line(runtime_factory(), sandbox)
    sandbox.faults({"provider": "twilio", "path": PATH, "kind": "status", "status": 403})

    for _ in range(2):
        assert "piensa" in shop.ask("piensa 2s")

    assert sandbox.fired() == 1
    assert [entry["event"] for entry in shop.runtime.log()].count("typing_not_shown") == 1


def test_an_answer_does_not_wait_for_an_indicator_that_hangs(line: Callable[..., Line], sandbox: Sandbox) -> None:
    shop = line()
    sandbox.faults({"provider": "twilio", "path": PATH, "kind": "latency", "seconds": 30})
    assert "piensa" in shop.ask("piensa 2s")
    wait_until(lambda: len(shop.outbound()) == 1, what="the answer")
