"""What the reconciler writes into webhooks' URLs is what Twilio does. `status` and `doctor` look at whom it calls."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest

from tests.reconciler.agency import API_TOKEN, OVERRIDES, Agency
from tests.runtime_process import Runtime
from tests.sandbox_process import Json, wait_until

CLIENT = "la-cocina"


@pytest.fixture
def runtime(runtime_factory: Callable[..., Runtime], agency: Agency) -> Runtime:
    """A runtime whose senders the reconciler sets up."""
    runtime = runtime_factory(API_TOKEN=API_TOKEN)
    agency.environment |= {"PUBLIC_URL": runtime.url, "BOT_STORE_URL": runtime.url}
    agency.declare(CLIENT)
    agency.apply()
    return runtime


def tries(agency: Agency, purpose: str) -> list[Json]:
    """What Twilio tried, in order."""
    return [entry for entry in agency.sandbox.ledger(kind="webhook") if entry["purpose"] == purpose]


def answers(agency: Agency) -> list[str]:
    """What users received."""
    return [entry["body"] for entry in agency.sandbox.ledger(kind="outbound")]


@pytest.mark.long
def test_a_message_that_cannot_be_stored_now_is_brought_again_and_answered_once(
    agency: Agency, runtime: Runtime
) -> None:
    with closing(sqlite3.connect(runtime.folder / "runtime.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        agency.sandbox.inbound(agency.number(CLIENT), "¿sigues ahí?", wait=0)
        wait_until(lambda: bool(tries(agency, "inbound")), what="the answer 503")
        other.execute("ROLLBACK")

    wait_until(lambda: len(tries(agency, "inbound")) == 2, what="the second try")
    wait_until(lambda: len(answers(agency)) == 1, what="the answer")
    assert [(entry["attempt"], entry["status"]) for entry in tries(agency, "inbound")] == [(1, 503), (2, 200)]
    assert tries(agency, "fallback") == []
    agency.sandbox.inbound(agency.number(CLIENT), "gracias")
    assert len(answers(agency)) == 2


def test_a_status_of_a_message_is_called_in_the_same_way(agency: Agency, runtime: Runtime) -> None:
    runtime.stop()
    runtime.environment["REPLY_WITHIN_SECONDS"] = "0"
    runtime.start_again()
    agency.sandbox.inbound(agency.number(CLIENT), "Hola", wait=0)
    wait_until(lambda: bool(tries(agency, "status")), what="a status of the answer")
    assert {entry["url"].partition("#")[2] for entry in tries(agency, "status")} == {OVERRIDES.removeprefix("#")}
    assert {entry["status"] for entry in tries(agency, "status")} == {204}


@pytest.mark.parametrize("fragment", ["", "#rc=0"])
def test_a_webhook_of_ours_is_well_however_it_is_called(agency: Agency, runtime: Runtime, fragment: str) -> None:
    calls = f"{runtime.url}/webhook/whatsapp{fragment}"
    agency.sandbox.change(agency.number(CLIENT), webhook={"callback_url": calls})
    [row] = json.loads(agency.reconcile("status", "--format", "json").out)["clients"]
    assert (row["webhook"], row["sync"]) == ("ours", "differs")
    assert f"webhook: Twilio calls {runtime.url}/webhook/whatsapp." in agency.reconcile("doctor", CLIENT).out
