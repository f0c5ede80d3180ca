"""A budget that runs out under load, on one process and on two replicas, with a kill -9 and a restart in between."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from tests.drivers.fleet import Fleet, answers, fleet_on
from tests.runtime_process import Line
from tests.sandbox_process import PATIENCE, Sandbox, wait_until

LONGEST = PATIENCE + 240.0
"""What is left of an ended replica's allotment is free after half a minute; near the end of a budget one turn runs at a
time, over all replicas, and each of the others looks again for up to 45 seconds."""
STORES = ["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.long])]
NOTICE = "Volvemos el próximo mes."
USERS = [f"+5693333333{number}" for number in range(6)]
NANOS = 10**9
TURN = 0.0301
"""US dollars that a turn of these tests costs at most: a message in and one out, Meta's part, and a hundred tokens."""


@pytest.fixture(params=STORES)
def fleet(request: pytest.FixtureRequest, tmp_path: Path, sandbox: Sandbox) -> Iterator[Fleet]:
    """A fleet of the test's own."""
    with fleet_on(request.param, tmp_path, sandbox, BUDGET_MESSAGE=NOTICE) as fleet:
        yield fleet


def with_budget(fleet: Fleet, monthly: float, action: str = "pause", **more: object) -> Line:
    """A client with a budget."""
    budget = {"monthly": monthly, "on_exceeded": action, **more}
    return fleet.open_line(policy={"version": 1, "budget": budget})


def converse(fleet: Fleet, shop: Line, user: str, replica: int, limit: int = 10_000) -> int:
    """A user writes, each message after the answer to the last one, until they get the notice, or `limit` answers.
    Returns the number of answers."""

    def has(answers: int) -> bool:
        return len(shop.outbound(user)) >= answers

    for count in range(1, limit + 1):
        fleet.deliver(shop, f"pregunta {count}", replica + count, user)
        wait_until(partial(has, count), LONGEST, f"{count} answers to {user}")
        if shop.outbound(user)[-1]["body"] == NOTICE:
            return count - 1
    return limit


def spent(fleet: Fleet, shop: Line) -> float:
    """US dollars in the ledger."""
    [(amount,)] = fleet.rows(f"SELECT coalesce(sum(amount), 0) FROM usage WHERE bot_id = '{shop.bot['id']}'")
    return float(amount) / NANOS


def spent_on_answers(fleet: Fleet, shop: Line) -> float:
    """US dollars of turns that were answered, with the messages that they answered."""
    answered = "(SELECT id FROM turns WHERE state = 'answered')"
    [(amount,)] = fleet.rows(
        f"SELECT coalesce(sum(amount), 0) FROM usage WHERE bot_id = '{shop.bot['id']}' AND (turn_id IN {answered}"
        f" OR inbox_id IN (SELECT id FROM inbox WHERE turn_id IN {answered}))"
    )
    return float(amount) / NANOS


def test_a_budget_runs_out_under_load_across_a_kill(fleet: Fleet, sandbox: Sandbox) -> None:
    shop = with_budget(fleet, 0.6)
    with ThreadPoolExecutor(len(USERS)) as pool:
        list(pool.map(lambda at: converse(fleet, shop, USERS[at], at, limit=3), range(len(USERS))))
    for number, user in enumerate(USERS):
        fleet.deliver(shop, "piensa 2s", number, user)
    fleet.wait_for_turns(shop, len(USERS))
    before = spent(fleet, shop)
    fleet.kill()
    fleet.start_again()
    for user in USERS:
        answers(shop, 4, user)
    with ThreadPoolExecutor(len(USERS)) as pool:
        others = [f"+5694444444{number}" for number in range(len(USERS))]
        answered = sum(pool.map(lambda at: converse(fleet, shop, others[at], at), range(len(USERS))))
    assert 0 < before < 0.6
    assert answered > 0
    assert spent(fleet, shop) >= 0.6
    assert spent_on_answers(fleet, shop) <= 0.6 + TURN * len(fleet.replicas)
