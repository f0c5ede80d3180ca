"""A list that misses an object: it is asked for by its id before a second one is made, or a leaving one forgotten."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.reconciler.agency import Agency
from tests.reconciler.kitchen import MENU, declare, store

SENDERS = "/v2/Channels/Senders"


def with_documents(agency: Agency) -> str:
    agency.document(MENU, "Empanadas a 3500 pesos.")
    declare(agency, MENU)
    return "vector_stores"


def with_an_agent(agency: Agency) -> str:
    agency.declare("la-cocina", assistant={"engine": "agents"})
    return "agents"


def with_an_assistant(agency: Agency) -> str:
    agency.declare("la-cocina", assistant={"engine": "assistants"})
    return "assistants"


CLIENTS = [with_documents, with_an_agent, with_an_assistant]


def without_items(path: str, **keys: object) -> dict[str, object]:
    """The fault of a list at exactly this path."""
    return {"kind": "drop_page", "method": "GET", "path": f"{path[:-1]}[{path[-1]}]", **keys}


def lies(agency: Agency, path: str) -> None:
    """From now on that list answers without its items."""
    agency.sandbox.faults(without_items(path))


@pytest.mark.parametrize("client", CLIENTS)
def test_what_a_list_misses_is_not_made_a_second_time(agency: Agency, client: Callable[[Agency], str]) -> None:
    listed = client(agency)
    agency.declare("cliente-a")
    agency.apply()
    lies(agency, f"/v1/{listed}")
    agency.declare("cliente-a", name="Otro nombre")
    result = agency.reconcile("--yes")
    assert result.code == 4, result.said
    assert "exists: the list lags behind or is incomplete. Run again in a minute." in result.said
    assert agency.plan()["unresolved"] == ["la-cocina"]
    agency.sandbox.faults()
    assert agency.changes() == []
    assert len(agency.openai("GET", f"/{listed}")["data"]) == 1


@pytest.mark.parametrize("client", CLIENTS)
def test_what_is_gone_by_its_id_too_is_made_again(agency: Agency, client: Callable[[Agency], str]) -> None:
    listed = client(agency)
    agency.apply()
    [made] = agency.openai("GET", f"/{listed}")["data"]
    agency.openai("DELETE", f"/{listed}/{made['id']}")
    agency.apply()
    assert agency.changes() == []
    assert len(agency.openai("GET", f"/{listed}")["data"]) == 1


@pytest.mark.parametrize("client", CLIENTS)
def test_a_leaving_client_is_not_forgotten_while_a_list_misses_what_it_has(
    agency: Agency, client: Callable[[Agency], str]
) -> None:
    listed = client(agency)
    agency.declare("cliente-a")
    agency.apply()
    agency.declare("la-cocina", state="absent")
    lies(agency, f"/v1/{listed}")
    assert agency.reconcile("--yes").code == 1
    agency.sandbox.faults()
    agency.apply()
    assert agency.openai("GET", f"/{listed}")["data"] == []


def test_a_sender_that_its_list_misses_leaves_its_client_unresolved(agency: Agency) -> None:
    agency.declare("cliente-a")
    agency.declare("cliente-b")
    agency.apply()
    agency.declare("cliente-a", state="absent")
    lies(agency, SENDERS)
    plan = agency.plan()
    assert plan["unresolved"] == ["cliente-a", "cliente-b"]
    agency.sandbox.faults()
    agency.apply()
    assert agency.sender("cliente-a")["webhook"]["callback_url"] == ""


def test_where_the_id_cannot_be_asked_for_nothing_is_concluded(agency: Agency) -> None:
    with_documents(agency)
    agency.apply()
    agency.sandbox.faults(
        without_items("/v1/vector_stores"),
        {"kind": "status", "status": 400, "method": "GET", "path": f"/v1/vector_stores/{store(agency)['id']}"},
    )
    assert agency.plan()["unresolved"] == ["la-cocina"]


@pytest.mark.parametrize("client", CLIENTS)
def test_a_create_without_an_answer_is_found_in_a_list_that_lags(
    agency: Agency, client: Callable[[Agency], str]
) -> None:
    listed = f"/v1/{client(agency)}"
    agency.environment["OPENAI_LIST_LAG"] = "30"
    agency.sandbox.faults(
        {"kind": "timeout_after_write", "seconds": 0.0, "method": "POST", "path": listed, "times": 1},
        # The list of the plan, and two searches.
        without_items(listed, times=3),
    )
    agency.apply()
    assert len(agency.openai("GET", listed.removeprefix("/v1"))["data"]) == 1


def test_a_list_whose_ends_are_null_is_read_to_its_end(agency: Agency) -> None:
    first = agency.openai("POST", "/vector_stores", {"name": "A mano"})
    with_documents(agency)
    agency.apply()
    page = {"object": "list", "data": [first], "first_id": None, "last_id": None, "has_more": True}
    agency.sandbox.faults(
        {"kind": "status", "status": 200, "method": "GET", "path": "/v1/vector_stores", "body": page, "times": 1}
    )
    assert agency.plan()["changes"] == []
    assert agency.sandbox.fired() == 1


def test_metadata_that_a_server_adds_to_a_new_vector_store_stays(agency: Agency) -> None:
    with_documents(agency)
    agency.sandbox.faults({"kind": "latency", "seconds": 2, "method": "POST", "path": "/v1/vector_stores/*/files"})
    running = agency.start("--yes")
    agency.await_fault()
    made = store(agency)
    added = {**made["metadata"], "provider_id": "faiss"}
    agency.openai("POST", f"/vector_stores/{made['id']}", {"metadata": added})
    assert running.wait().code == 0
    assert store(agency)["metadata"]["provider_id"] == "faiss"
    agency.document(MENU, "Empanadas a 3900 pesos.")
    agency.apply()
    assert store(agency)["metadata"]["provider_id"] == "faiss"
