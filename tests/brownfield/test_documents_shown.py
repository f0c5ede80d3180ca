"""How far a client's documents are indexed, in status, checklist and doctor."""

from __future__ import annotations

import pytest

from tests.reconciler import live
from tests.reconciler.agency import Agency
from tests.sandbox_process import Json


def searching(agency: Agency, *texts: str) -> str:
    """A client that searches in a store with these documents; gives the store's id."""
    store = live.vector_store(agency.sandbox, *texts)
    agency.declare("la-cocina", assistant={"tools": [{"type": "file_search", "vector_store": store}]})
    return store


def row(agency: Agency) -> Json:
    """The client's row of the status."""
    [found] = agency.reconcile("status", "--format", "json").document["clients"]
    return dict(found)


def link(agency: Agency) -> str:
    """What the doctor says of the documents."""
    said = agency.reconcile("doctor", "la-cocina", PUBLIC_URL="http://127.0.0.1:9").out
    return next(line for line in said.splitlines() if "documents:" in line)


def test_indexed_documents_are_counted(agency: Agency) -> None:
    store = searching(agency, "Empanadas.", "Cazuelas.")
    shown = row(agency)
    assert (shown["knowledge_files"], shown["knowledge_in_progress"], shown["knowledge_failed"]) == (2, 0, 0)
    assert link(agency) == f"ok  documents: 2 of 2 files of {store} are indexed."
    assert "- [x] Documentos: encuentra 2\n" in agency.reconcile("status", "--checklist", "la-cocina").out


def test_documents_that_are_being_indexed_are_no_broken_link(agency: Agency) -> None:
    agency.sandbox.settings(index_seconds=60)
    store = searching(agency, "Empanadas.")
    assert (row(agency)["knowledge_files"], row(agency)["knowledge_in_progress"]) == (0, 1)
    assert " 0 (1 in progress) " in agency.reconcile("status", "--wide").out
    assert link(agency) == f"ok  documents: 0 of 1 files of {store} are indexed, 1 in progress."
    checklist = agency.reconcile("status", "--checklist", "la-cocina").out
    assert "- [ ] Documentos: encuentra 0, 1 se están indexando\n" in checklist


def test_documents_that_failed_break_the_chain(agency: Agency) -> None:
    store = searching(agency, "Empanadas.", "")
    assert row(agency)["knowledge_failed"] == 1
    assert link(agency) == f"✗   documents: 1 of 2 files of {store} are indexed, 1 failed."
    checklist = agency.reconcile("status", "--checklist", "la-cocina").out
    assert "- [ ] Documentos: encuentra 1, 1 no se pudieron indexar\n" in checklist


@pytest.mark.parametrize("gone", ["deleted", "unread", "empty"])
def test_a_store_that_nothing_is_found_in_breaks_the_chain(agency: Agency, gone: str) -> None:
    store = searching(agency, *([] if gone == "empty" else ["Empanadas."]))
    if gone == "deleted":
        agency.openai("DELETE", f"/vector_stores/{store}")
    if gone == "unread":
        agency.sandbox.faults({"kind": "status", "status": 404, "method": "GET", "path": "/v1/vector_stores"})
    assert link(agency).startswith("✗ ")
    assert row(agency)["knowledge_files"] == (0 if gone == "empty" else None)


def test_documents_in_git_are_counted_as_openai_has_them(agency: Agency) -> None:
    agency.document("la-cocina/menu.md", "Empanadas.")
    tool = {"type": "file_search", "files": ["la-cocina/menu.md"]}
    agency.declare("la-cocina", assistant={"tools": [tool]})
    assert row(agency)["knowledge_files"] is None
    assert "documents: the vector store that it searches does not exist" in link(agency)
    agency.apply()
    assert row(agency)["knowledge_files"] == 1
    assert link(agency).startswith("ok  documents: 1 of 1 files")


def test_a_client_without_documents_has_no_such_link(agency: Agency) -> None:
    agency.declare("la-cocina")
    assert row(agency)["knowledge_files"] == 0
    assert "documents:" not in agency.reconcile("doctor", "la-cocina", PUBLIC_URL="http://127.0.0.1:9").out


def test_a_customer_is_answered_from_a_document_in_git_and_from_its_new_version_once_applied(served: Agency) -> None:
    served.document("la-cocina/menu.md", "Pastel de choclo a 8900 pesos.")
    tool = {"type": "file_search", "files": ["la-cocina/menu.md"]}
    served.declare("la-cocina", assistant={"tools": [tool]})
    served.apply()
    assert "8900 pesos" in answer(served, "¿A cuánto el pastel de choclo?")
    served.document("la-cocina/menu.md", "Pastel de choclo a 9500 pesos.")
    served.apply()
    assert "9500 pesos" in answer(served, "¿Y ahora el pastel de choclo?")
    assert served.changes() == []


def answer(agency: Agency, text: str) -> str:
    """What the client's number answers."""
    [said] = agency.sandbox.inbound(agency.number("la-cocina"), text)["answers"]
    return str(said["body"])
