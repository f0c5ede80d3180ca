"""A long answer is shown by the phone in the order in which it was written, whatever WhatsApp does with its parts.

The sandbox lets each message be overtaken by the next one, unless that is sent only after this one has left.
"""

import re
from collections.abc import Callable

import pytest

from tests.runtime_process import Line, Runtime, open_line
from tests.sandbox_process import Sandbox, wait_until

SEND = {"provider": "twilio", "method": "POST", "path": "/2010-04-01/Accounts/*/Messages.json"}
OVERTAKING = {"kind": "reorder_parts", "seconds": 0.5}
LONG = "escribe 4000 letras"
"""Three parts of numbered sentences."""


def shown_in_order(shop: Line, parts: int = 3) -> None:
    """The phone shows all `parts`, each sentence once and in its position."""
    wait_until(lambda: len(shop.shown()) >= parts, what=f"{parts} parts on the phone")
    bodies = shop.shown()
    assert len(bodies) == parts
    assert all(len(body) <= 1600 for body in bodies)
    numbers = [int(number) for body in bodies for number in re.findall(r"(?<!\S)(\d+)\.(?!\S)", body)]
    assert len(numbers) > 20
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_the_parts_of_a_long_answer_are_shown_in_order(line: Callable[..., Line], sandbox: Sandbox) -> None:
    talker = line()
    sandbox.faults(OVERTAKING)

    talker.write(LONG, wait=0)

    shown_in_order(talker)


@pytest.mark.long
def test_parts_left_at_a_kill_are_shown_in_order_and_once(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox
) -> None:
    runtime = runtime_factory(REPLY_WITHIN_SECONDS="0")
    shop = open_line(runtime, sandbox)
    sandbox.faults(
        SEND | {"kind": "timeout_after_write", "seconds": 5, "nth": 2}, OVERTAKING | {"seconds": 10, "nth": 2}
    )
    shop.write(LONG, wait=0)
    wait_until(lambda: sandbox.fired() == 2)
    runtime.kill()

    runtime.start_again()

    shown_in_order(shop)


@pytest.mark.long
def test_parts_of_which_none_had_gone_out_at_a_kill_wait_for_one_another(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox
) -> None:
    runtime = runtime_factory(REPLY_WITHIN_SECONDS="0")
    shop = open_line(runtime, sandbox)
    sandbox.faults(SEND | {"kind": "timeout_before_write", "seconds": 5, "nth": 1})
    shop.write(LONG, wait=0)
    wait_until(lambda: sandbox.fired() == 1)
    runtime.kill()
    sandbox.faults(OVERTAKING)

    runtime.start_again()

    shown_in_order(shop)
