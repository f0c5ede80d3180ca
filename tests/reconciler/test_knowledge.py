"""Search in documents: a vector store that the manifest names, kept by hand."""

from __future__ import annotations

import pytest

from tests.reconciler import live
from tests.reconciler.agency import Agency
from tests.sandbox_process import Json


def search(store: str, **more: object) -> Json:
    """The key `assistant` of a client that searches in this store."""
    return {"tools": [{"type": "file_search", "vector_store": store, **more}]}


def test_a_store_kept_by_hand_becomes_the_assistant_s_tool_and_is_not_touched(agency: Agency) -> None:
    store = live.vector_store(agency.sandbox, "Empanadas a 3500 pesos.")
    before = agency.openai("GET", f"/vector_stores/{store}")
    agency.declare("la-cocina", assistant=search(store, max_num_results=3))
    agency.apply()
    [record] = agency.snapshot().assistants
    assert record.tools == [{"type": "file_search", "vector_store_ids": [store], "max_num_results": 3}]
    assert agency.openai("GET", f"/vector_stores/{store}") == before
    assert agency.changes() == []


def test_stores_kept_by_hand_are_listed_as_not_ours(agency: Agency) -> None:
    store = live.vector_store(agency.sandbox, name="Carta")
    agency.declare("la-cocina", assistant=search(store))
    assert f"unmanaged: knowledge Carta ({store}), left unchanged." in agency.reconcile("--dry-run", "--verbose").out


def test_another_store_is_a_change_of_the_assistant(agency: Agency) -> None:
    agency.declare("la-cocina", assistant=search(live.vector_store(agency.sandbox)))
    agency.apply()
    agency.declare("la-cocina", assistant=search(live.vector_store(agency.sandbox)))
    [change] = agency.plan()["changes"]
    assert (change["kind"], list(change["fields"])) == ("assistant", ["tools[0].vector_store_ids[0]"])


@pytest.mark.parametrize("state", ["deleted", "expired"])
def test_a_store_that_cannot_be_searched_withholds_its_client_and_nobody_else(agency: Agency, state: str) -> None:
    store = live.vector_store(agency.sandbox)
    agency.declare("la-cocina", assistant=search(store))
    agency.declare("cliente-a")
    if state == "expired":
        expires(agency, store)
    else:
        agency.openai("DELETE", f"/vector_stores/{store}")
    plan = agency.plan()
    assert {change["client"] for change in plan["changes"]} == {"cliente-a"}
    [finding] = plan["findings"]
    assert (finding["client"], finding["kind"], finding["severity"]) == ("la-cocina", "knowledge", "error")
    said = {"deleted": "does not exist for this OpenAI key", "expired": "has expired"}[state]
    assert f"the vector store {store} {said}" in finding["message"]


def expires(agency: Agency, store: str) -> None:
    """From now on OpenAI lists the store as expired, as it does days after the last search."""
    page = agency.openai("GET", "/vector_stores")
    page["data"] = [item | {"status": "expired"} if item["id"] == store else item for item in page["data"]]
    agency.sandbox.faults({"kind": "status", "status": 200, "method": "GET", "path": "/v1/vector_stores", "body": page})


@pytest.mark.long
def test_stores_that_cannot_be_read_leave_unresolved_only_who_searches_in_one(agency: Agency) -> None:
    store = live.vector_store(agency.sandbox)
    agency.declare("la-cocina", assistant=search(store))
    agency.declare("cliente-a")
    agency.sandbox.faults({"kind": "status", "status": 503, "method": "GET", "path": "/v1/vector_stores"})
    plan = agency.plan()
    assert plan["unresolved"] == ["la-cocina"]
    assert {change["client"] for change in plan["changes"]} == {"cliente-a"}
    assert agency.reconcile("--dry-run").code == 1


def test_a_server_without_vector_stores_is_named_with_the_way_out(agency: Agency) -> None:
    agency.declare("la-cocina", assistant=search("vs_1"))
    agency.sandbox.faults({"kind": "status", "status": 404, "method": "GET", "path": "/v1/vector_stores"})
    assert "remove file_search, or name a server that has them" in agency.reconcile("--dry-run").said


def test_a_fleet_that_searches_in_no_documents_does_not_ask_for_any(agency: Agency) -> None:
    agency.declare("la-cocina")
    agency.apply()
    agency.plan()
    assert agency.sandbox.calls("openai", path="/v1/vector_stores") == []
    assert agency.sandbox.calls("openai", path="/v1/files") == []
