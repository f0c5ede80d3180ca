"""Statuses whose callbacks never arrived are read from Twilio's list: what a message costs follows from them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from runtime.inbound.missed_statuses import RETRY_SECONDS
from runtime.store.database.times import timestamp
from tests.drivers.fleet import Fleet, fleet_on
from tests.runtime_process import Line
from tests.sandbox_process import Sandbox, wait_until

CHARGED = "SELECT kind, amount FROM usage WHERE outbox_id IS NOT NULL ORDER BY id"
AGO_SECONDS = 600
LIST = "/2010-04-01/Accounts/*/Messages.json"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.long])])
def fleet(request: pytest.FixtureRequest, tmp_path: Path, sandbox: Sandbox) -> Iterator[Fleet]:
    with fleet_on(request.param, tmp_path, sandbox, SWEEP_SECONDS="3600") as fleet:
        yield fleet


def lose_callbacks(fleet: Fleet, line: Line) -> None:
    """A user is answered, and no process listens while the answer is on its way; that was ten minutes ago."""
    fleet.sandbox.settings(delivery_seconds=0.5)
    line.write("Hola", wait=0)
    wait_until(lambda: fleet.rows("SELECT state FROM outbox") == [("sent",)], what="the answer's record")
    fleet.kill()
    wait_until(lambda: len(fleet.sandbox.ledger(kind="delivered")) == 1, what="the answer's delivery")
    sent_at = timestamp(time.time() - AGO_SECONDS)
    fleet.rows(f"UPDATE outbox SET claimed_at = '{sent_at}' RETURNING id")


def test_what_a_lost_callback_would_have_said_is_charged_once(fleet: Fleet) -> None:
    line = fleet.open_line()
    lose_callbacks(fleet, line)
    assert fleet.rows(CHARGED) == []

    fleet.start_again()

    wait_until(lambda: len(fleet.rows(CHARGED)) == 2, what="the charges")
    assert fleet.rows(CHARGED) == [("twilio_out", 5_000_000), ("meta_service", 0)]
    assert fleet.rows("SELECT status, charged FROM outbox") == [("delivered", 2)]


def test_twilio_that_could_not_be_read_is_read_again_soon(fleet: Fleet) -> None:
    line = fleet.open_line()
    lose_callbacks(fleet, line)
    fleet.sandbox.faults({"kind": "status", "status": 500, "provider": "twilio", "method": "GET", "path": LIST})

    fleet.start_again()

    wait_until(lambda: bool(due_in(fleet)), what="the end of the search")
    assert 0 < due_in(fleet)[0] <= RETRY_SECONDS


def due_in(fleet: Fleet) -> list[float]:
    """Seconds until the next search, once one is over."""
    over = "SELECT due_at FROM timers WHERE kind = 'statuses' AND holder IS NULL AND due_at > "
    return [
        datetime.fromisoformat(due_at).timestamp() - time.time()
        for (due_at,) in fleet.rows(f"{over}'{timestamp(time.time())}'")
    ]
