"""`reconcile --dry-run` shows what a change does to a client's month, from its own ledger."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable
from contextlib import closing

import pytest

from runtime.store.database.engine import open_engine
from runtime.store.database.times import timestamp
from runtime.store.usage.ledger import Line, add_spent
from runtime.store.usage.prices import Price, put_prices
from schemas.default_tariffs import DEFAULT
from schemas.prices import ModelKind, price
from tests.reconciler.agency import Agency
from tests.reconciler.test_far_store import distant, far
from tests.reconciler.test_imports import HEAVY, imported
from tests.runtime_process import Runtime

__all__ = ["distant", "far"]

QUANTITIES: dict[ModelKind, int] = {"model_input": 2000, "model_output": 200}
MODEL = "gpt-6-luna"


def answered(url: str, client: str, days_ago: Iterable[float]) -> None:
    """Adds answers to the ledger of a store."""
    lines = [Line(Price(kind, MODEL, None, price(DEFAULT, kind, model=MODEL)), n) for kind, n in QUANTITIES.items()]
    engine = open_engine(url)
    with engine.begin() as connection:
        put_prices(connection, [line.price for line in lines])
        for turn_id, days in enumerate(days_ago):
            at = timestamp(time.time() - days * 86400)
            add_spent(connection, client, lines, bot_id=client, turn_id=turn_id, at=at)
    engine.dispose()


def change(agency: Agency, **assistant: object) -> str:
    """A changed manifest's plan as text; the plan is as if there were no estimate."""
    agency.declare("la-cocina", assistant=assistant)
    result = agency.reconcile("--dry-run")
    assert result.code == 0, result.err
    return result.out


@pytest.fixture
def busy(agency: Agency) -> Agency:
    """Two clients, of which one has answered: 1,000 times in the last 30 days, and once before."""
    for client in ("la-cocina", "cliente-a"):
        agency.declare(client, assistant={"instructions": "a" * 400})
    agency.apply()
    answered(agency.store_url, "la-cocina", [day for day in range(1, 26) for _ in range(40)] + [31.0])
    return agency


def test_a_longer_prompt_costs_its_tokens_in_each_answer(busy: Agency) -> None:
    # 1,000 answers × 10,000 tokens at 0.10 USD per million
    out = change(busy, instructions="a" * 40_400)

    assert (
        "estimate: la-cocina: ≈ +1.00 USD a month: 1,000 answers in the last 30 days × about +10,000 tokens of"
        " instructions.\n" in out
    )


def test_another_model_costs_its_own_prices(busy: Agency) -> None:
    out = change(busy, instructions="a" * 400, model="gpt-6-sol")

    new = sum(price(DEFAULT, kind, model="gpt-6-sol").amount(1000 * n) or 0 for kind, n in QUANTITIES.items())
    old = sum(price(DEFAULT, kind, model=MODEL).amount(1000 * n) or 0 for kind, n in QUANTITIES.items())
    assert f"≈ +{(new - old) / 10**9:,.2f} USD a month: 1,000 answers in the last 30 days × gpt-6-sol" in out


def test_without_a_history_nothing_is_said(busy: Agency) -> None:
    busy.declare("cliente-a", assistant={"instructions": "a" * 40_400})

    result = busy.reconcile("--dry-run")

    assert "instructions" in result.out
    assert "estimate" not in result.out


def test_the_digest_and_the_exit_codes_are_those_of_the_changes(busy: Agency) -> None:
    busy.declare("la-cocina", assistant={"instructions": "a" * 40_400})
    plan = busy.plan()

    assert [estimate["client"] for estimate in plan["estimates"]] == ["la-cocina"]
    assert busy.reconcile("--dry-run", "--detailed-exitcode").code == 2
    assert busy.reconcile("--expect", plan["digest"]).code == 0
    assert "estimates" not in busy.plan()


def test_an_estimate_imports_nothing_heavy(busy: Agency) -> None:
    busy.declare("cliente-a", assistant={"instructions": "a" * 40_400})

    assert imported(busy, "--dry-run") & (HEAVY - {"deepdiff"} | {"genai_prices"}) == set()


def test_the_history_comes_over_the_api_too(far: Agency, distant: Runtime) -> None:
    far.declare("la-cocina", assistant={"instructions": "a" * 400})
    far.apply()
    answered(distant.environment["DATABASE_URL"], "la-cocina", [1.0] * 1000)

    assert "la-cocina: ≈ +1.00 USD a month: 1,000 answers" in change(far, instructions="a" * 40_400)


def test_a_history_that_cannot_be_read_is_a_warning(busy: Agency) -> None:
    with closing(sqlite3.connect(busy.store_file, isolation_level=None)) as connection:
        connection.execute("DROP TABLE usage_prices")

    out = change(busy, instructions="a" * 40_400)

    assert "warning: what the changes cost could not be estimated: The store" in out
