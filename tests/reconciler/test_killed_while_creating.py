"""kill -9 between a create and the record of its id, beside a list that lags behind: nothing is created twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.reconciler.agency import Agency
from tests.reconciler.kitchen import MENU, declare
from tests.reconciler.test_missed_by_a_list import CLIENTS, with_an_agent, with_documents, without_items
from tests.runtime.stores import drop_database, make_database

AN_HOUR = "3600"
"""The lag of lists: what is not listed may exist for as long as any test takes."""


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.long])])
def either(agency: Agency, request: pytest.FixtureRequest) -> Iterator[Agency]:
    """An installation on each sort of store."""
    url = make_database() if request.param == "postgresql" else agency.store_url
    agency.environment |= {"BOT_STORE_URL": url, "OPENAI_LIST_LAG": AN_HOUR}
    yield agency
    if request.param == "postgresql":
        drop_database(url)


def killed_in_a_create(agency: Agency, path: str, kind: str = "timeout_after_write") -> None:
    """kill -9 the first apply while the answer to its create is held back."""
    agency.sandbox.faults({"kind": kind, "seconds": 60, "method": "POST", "path": path, "times": 1})
    running = agency.start("--yes")
    agency.await_fault()
    running.kill()
    assert running.wait().code == -9


def intents(agency: Agency) -> list[str]:
    return [record.kind for record in agency.snapshot().applied if record.kind.startswith("creating-")]


def made(agency: Agency, listed: str) -> int:
    return len(agency.openai("GET", f"/{listed}")["data"])


@pytest.mark.parametrize("client", CLIENTS)
def test_what_the_list_does_not_show_yet_is_not_made_a_second_time(
    either: Agency, client: Callable[[Agency], str]
) -> None:
    listed = client(either)
    killed_in_a_create(either, f"/v1/{listed}")
    either.sandbox.faults(without_items(f"/v1/{listed}"))
    result = either.reconcile("--yes")
    assert result.code == 1
    assert "a run that was interrupted may have created a" in result.said
    assert (
        "which the list does not show yet: it may lag 3600 seconds behind (OPENAI_LIST_LAG). Run again" in result.said
    )
    assert either.plan()["unresolved"] == ["la-cocina"]
    either.sandbox.faults()
    either.apply()
    assert (made(either, listed), either.changes(), intents(either)) == (1, [], [])


def test_what_was_not_made_is_made_once_every_list_would_show_it(either: Agency) -> None:
    listed = with_an_agent(either)
    killed_in_a_create(either, f"/v1/{listed}", "timeout_before_write")
    either.sandbox.faults()
    assert either.plan()["unresolved"] == ["la-cocina"]
    either.apply(OPENAI_LIST_LAG="0")
    assert (made(either, listed), either.changes(), intents(either)) == (1, [], [])


def test_an_upload_that_the_list_does_not_show_yet_is_not_made_a_second_time(either: Agency) -> None:
    with_documents(either)
    killed_in_a_create(either, "/v1/files")
    either.sandbox.faults(without_items("/v1/files"))
    result = either.reconcile("--yes")
    assert (result.code, "may have created a file" in result.said) == (1, True)
    either.sandbox.faults()
    either.apply()
    assert (len(either.uploads()), either.changes(), intents(either)) == (1, [], [])


def test_what_was_being_created_for_a_client_is_not_made_a_second_time_for_its_new_id(agency: Agency) -> None:
    agency.environment["OPENAI_LIST_LAG"] = AN_HOUR
    listed = with_an_agent(agency)
    killed_in_a_create(agency, f"/v1/{listed}")
    agency.sandbox.faults(without_items(f"/v1/{listed}"))
    agency.withdraw("la-cocina")
    agency.declare("cocina", number=agency.number("la-cocina"), formerly="la-cocina", assistant={"engine": "agents"})
    result = agency.reconcile("--yes")
    assert (result.code, "may have created an agent" in result.said) == (1, True)
    agency.sandbox.faults()
    agency.apply()
    assert (made(agency, listed), agency.changes()) == (1, [])


def test_one_clients_interrupted_create_does_not_hold_up_the_others(agency: Agency) -> None:
    agency.environment["OPENAI_LIST_LAG"] = AN_HOUR
    with_an_agent(agency)
    killed_in_a_create(agency, "/v1/agents")
    agency.sandbox.faults(without_items("/v1/agents"))
    agency.declare("cliente-a")
    assert agency.reconcile("--yes").code == 4
    assert agency.changes() == []


def test_a_create_that_was_refused_does_not_hold_up_the_next_run(agency: Agency) -> None:
    agency.environment["OPENAI_LIST_LAG"] = AN_HOUR
    agency.document(MENU, "Empanadas a 3500 pesos.")
    declare(agency, MENU)
    agency.sandbox.faults({"kind": "status", "status": 400, "method": "POST", "path": "/v1/vector_stores", "times": 1})
    assert agency.reconcile("--yes").code == 1
    agency.apply()
    assert (agency.changes(), intents(agency)) == ([], [])
