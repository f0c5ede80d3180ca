"""A message that was half sent when its process ended: it goes out once, or is given up, and holds up nothing else."""

import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.drivers.fleet import Fleet, answers, fleet_on
from tests.sandbox_process import Sandbox, wait_until

SEND = {"provider": "twilio", "method": "POST", "path": "/2010-04-01/Accounts/*/Messages.json"}
STATES = "SELECT part, state, resumed FROM outbox ORDER BY id"

pytestmark = pytest.mark.long


@pytest.fixture
def fleet(tmp_path: Path, sandbox: Sandbox) -> Iterator[Fleet]:
    """One process of the test's own, which stops at once at a signal."""
    with fleet_on("sqlite", tmp_path, sandbox, STOP_GRACE_SECONDS="0") as fleet:
        yield fleet


def said(fleet: Fleet, event: str) -> int:
    """How often a replica logged an event."""
    return sum(entry["event"] == event for replica in fleet.replicas for entry in replica.log())


def test_a_message_that_ends_each_process_that_sends_it_is_given_up(fleet: Fleet, sandbox: Sandbox) -> None:
    (runtime,) = fleet.replicas
    shop = fleet.open_line()
    sandbox.faults(SEND | {"kind": "timeout_before_write", "seconds": 60})
    fleet.deliver(shop, "Hola")
    wait_until(lambda: sandbox.fired() == 1, what="the first attempt")
    fleet.kill()
    fleet.start_again()
    wait_until(lambda: sandbox.fired() == 2, what="the second attempt")
    assert fleet.rows(STATES) == [(0, "sending", 1)]
    runtime.stop()
    assert fleet.rows(STATES) == [(0, "sending", 0)]
    with closing(sqlite3.connect(fleet.database_url.removeprefix("sqlite:///"))) as store, store:
        store.execute("UPDATE outbox SET resumed = 4")

    fleet.start_again()

    wait_until(lambda: fleet.rows(STATES) == [(0, "failed", 4)], what="the message to be given up")
    assert said(fleet, "message_given_up") == 1
    sandbox.faults()
    fleet.deliver(shop, "¿Sigues ahí?")
    assert ["¿Sigues ahí?" in body for body in answers(shop, 1)] == [True]


def test_no_part_is_sent_after_a_restart_whose_part_before_it_failed(fleet: Fleet, sandbox: Sandbox) -> None:
    shop = fleet.open_line()
    sandbox.faults(SEND | {"kind": "timeout_before_write", "seconds": 60})
    fleet.deliver(shop, "escribe 3500 letras")
    wait_until(lambda: sandbox.fired() == 1, what="the first part")
    fleet.kill()
    sandbox.faults(SEND | {"kind": "status", "status": 400, "times": 1})

    fleet.start_again()

    wait_until(lambda: sandbox.fired() == 1, what="Twilio's refusal")
    fleet.deliver(shop, "¿Sigues ahí?")
    assert ["¿Sigues ahí?" in body for body in answers(shop, 1)] == [True]
    assert [state for _, state, _ in fleet.rows(STATES)][:3] == ["failed"] * 3


def test_a_message_over_which_we_stumble_each_time_is_given_up_and_the_conversation_goes_on(
    fleet: Fleet, sandbox: Sandbox
) -> None:
    shop = fleet.open_line()
    sandbox.faults(SEND | {"kind": "timeout_before_write", "seconds": 60})
    fleet.deliver(shop, "Hola")
    wait_until(lambda: sandbox.fired() == 1, what="the first attempt")
    fleet.kill()
    sandbox.faults()
    with closing(sqlite3.connect(fleet.database_url.removeprefix("sqlite:///"))) as store, store:
        store.execute("UPDATE outbox SET claimed_at = 'no moment'")

    fleet.start_again()
    fleet.deliver(shop, "¿Sigues ahí?")

    assert ["¿Sigues ahí?" in body for body in answers(shop, 1)] == [True]
    assert [state for _, state, _ in fleet.rows(STATES)][:1] == ["failed"]
    assert said(fleet, "conversation_failed") == 4


@pytest.mark.postgres
def test_a_replica_that_was_silent_before_it_sent_leaves_it_to_the_one_that_took_over(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    with fleet_on("postgresql", tmp_path, sandbox) as fleet:
        shop = fleet.open_line()
        sandbox.faults(SEND | {"kind": "retry_after", "retry_after": 3, "times": 1})
        fleet.deliver(shop, "Hola")
        wait_until(lambda: sandbox.fired() == 1, what="Twilio's refusal")
        busy = f'horizonai_turns_in_flight{{client="{shop.bot["id"]}"}} 1.0'
        (silent,) = [replica for replica in fleet.replicas if busy in replica.api("GET", "/metrics").body.decode()]
        silent.process.send_signal(signal.SIGSTOP)
        try:
            answers(shop, 1)
        finally:
            silent.process.send_signal(signal.SIGCONT)

        wait_until(lambda: said(fleet, "taken_over") == 1, what="the silent replica to give way")
        fleet.deliver(shop, "¿Sigues ahí?")
        assert ["Hola" in body for body in answers(shop, 2)] == [True, False]
