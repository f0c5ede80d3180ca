"""The law of the ledger: whatever is said, by whom and however Twilio calls, what is counted is what was charged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.chaos.costs import differences, ours, run_on, theirs
from tests.drivers.fleet import Fleet, fleet_on
from tests.runtime_process import Line
from tests.sandbox_process import Sandbox, wait_until

USERS = {"CL": "+56912345678", "AR": "+5491123456789", "BR": "+5511987654321", "ES": "+34600123456"}
"""One of each market of the sandbox's price table, and one whose price it does not know."""
AD = {"ReferralSourceType": "ad", "ReferralSourceId": "120", "ReferralHeadline": "Cazuela a $5.990"}
TEXTS = ("Hola", "¿Tienen mesa para dos?", "escribe 2500 letras", "escribe 4000 letras")
TWILIO = {"provider": "twilio"}
WEBHOOKS = ({"kind": "duplicate_webhook", "seconds": 0.05}, {"kind": "reorder_webhooks", "seconds": 0.1})


@dataclass(frozen=True, slots=True)
class Said:
    """One message of a user, and how its answer ends."""

    country: Literal["CL", "AR", "BR", "ES"]
    text: str
    is_from_ad: bool
    is_undelivered: bool


SAID = st.builds(Said, st.sampled_from(list(USERS)), st.sampled_from(TEXTS), st.booleans(), st.booleans())


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.long])]
)
def fleet(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox
) -> Iterator[Fleet]:
    with fleet_on(request.param, tmp_path_factory.mktemp("law"), sandbox_process) as fleet:
        yield fleet


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    said=st.lists(SAID, min_size=1, max_size=6), faults=st.lists(st.sampled_from(WEBHOOKS), max_size=2, unique_by=str)
)
def test_what_is_counted_is_what_was_charged(
    fleet: Fleet, sandbox: Sandbox, said: list[Said], faults: list[dict[str, object]]
) -> None:
    line = fleet.open_line()
    for message in said:
        undelivered = [TWILIO | {"kind": "undelivered", "code": 63016, "times": 1}] if message.is_undelivered else []
        sandbox.faults(*[TWILIO | fault for fault in faults], *undelivered)
        line.write(message.text, USERS[message.country], wait=0, extra=AD if message.is_from_ad else {})
        wait_until(lambda: is_quiet(fleet, line), what="the answer and its statuses")
    sandbox.faults()

    wait_until(lambda: not differences(ours(fleet.database_url), charged(fleet, sandbox)), what="equal ledgers")


def is_quiet(fleet: Fleet, line: Line) -> bool:
    """Whether every message is answered and every part of an answer has its final status."""
    written = [entry for entry in fleet.sandbox.ledger(kind="inbound") if entry["to"] == f"whatsapp:{line.number}"]

    def read(columns: str, table: str, where: str = "") -> list[tuple[Any, ...]]:
        bot = line.bot["id"]
        return run_on(fleet.database_url, f"SELECT {columns} FROM {table} WHERE bot_id = '{bot}' {where}")

    # In this order: what is stored may be answered meanwhile, and what is answered has its messages.
    is_stored = read("count(*)", "inbox") == [(len(written),)]
    is_answered = is_stored and read("count(*)", "inbox", "AND state = 'open'") == [(0,)]
    return is_answered and all(status in ("delivered", "undelivered") for (status,) in read("status", "outbox"))


def charged(fleet: Fleet, sandbox: Sandbox) -> dict[tuple[str, str, str], tuple[int, int | None]]:
    """What the sandbox charged for messages of the numbers on this store."""
    numbers = {number for (number,) in run_on(fleet.database_url, "SELECT twilio_phone_number FROM bots")}
    return theirs(sandbox, numbers)


def test_what_models_used_is_what_was_charged_where_nothing_was_killed(fleet: Fleet, sandbox: Sandbox) -> None:
    line = fleet.open_line()
    for text in ("Hola", "¿Tienen mesa para dos?", "escribe 2500 letras"):
        line.write(text, wait=0)
        wait_until(lambda: is_quiet(fleet, line), what="the answer and its statuses")

    quantities: Counter[str] = Counter()
    amounts: Counter[str] = Counter()
    for entry in sandbox.prices():
        if entry["model"] is not None:
            quantities[entry["kind"]] += int(entry["quantity"])
            amounts[entry["kind"]] += entry["amount"]
    of_models = (
        "SELECT kind, sum(quantity), sum(amount) FROM usage"
        f" WHERE number IS NULL AND bot_id = '{line.bot['id']}' GROUP BY kind"
    )
    counted = {kind: (int(quantity), int(amount)) for kind, quantity, amount in run_on(fleet.database_url, of_models)}
    assert counted == {kind: (quantities[kind], amounts[kind]) for kind in quantities}
