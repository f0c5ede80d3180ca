"""Documents in git: in a vector store of the client's own, and nothing else in it."""

from __future__ import annotations

import hashlib
import re

import pytest

from tests.reconciler.agency import Agency
from tests.reconciler.kitchen import MENU, STORES, WINES, declare, files, store
from tests.sandbox_process import wait_until


def test_documents_are_uploaded_indexed_and_searched_by_the_assistant(kitchen: Agency) -> None:
    assert kitchen.documents() == {"la-cocina": {MENU: "Empanadas a 3500 pesos.", WINES: "Carmenere a 9900 pesos."}}
    [record] = kitchen.snapshot().assistants
    assert record.tools == [{"type": "file_search", "vector_store_ids": [store(kitchen)["id"]], "max_num_results": 5}]
    assert (kitchen.changes(), kitchen.reconcile("drift").out) == ([], "")


def test_the_store_tells_of_each_document_whose_it_is_and_which_version(kitchen: Agency) -> None:
    file_id = files(kitchen)[MENU]
    attributes = kitchen.openai("GET", f"/vector_stores/{store(kitchen)['id']}/files/{file_id}")["attributes"]
    content = b"Empanadas a 3500 pesos."
    assert attributes.pop("spec-hash")
    assert attributes == {
        "managed-by": "horizonai-reconciler",
        "client": "la-cocina",
        "path": MENU,
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": str(len(content)),
    }
    name = kitchen.openai("GET", f"/files/{file_id}")["filename"]
    assert re.fullmatch(r"la-cocina--[0-9a-f]{16}--menu\.md", name)


def test_a_plan_shows_documents_by_path_size_and_hash_and_the_id_as_unknown(agency: Agency) -> None:
    agency.document(MENU, "Empanadas a 3500 pesos.")
    declare(agency, MENU)
    made, assistant, *_ = agency.plan()["changes"]
    assert made["id"] == "la-cocina/knowledge/create/documents"
    shown = made["fields"][f"files.{MENU}"]["new"]
    assert shown.startswith("23 bytes, sha256 ")
    assert "Empanadas" not in agency.reconcile("--dry-run").out
    assert assistant["fields"]["tools"]["new"][0]["vector_store_ids"] == ["(known after apply)"]


def test_a_changed_document_is_replaced_and_the_others_stay(kitchen: Agency) -> None:
    before, wines = store(kitchen)["id"], files(kitchen)[WINES]
    kitchen.document(MENU, "Empanadas a 3900 pesos.")
    [change] = kitchen.plan()["changes"]
    assert (change["kind"], change["action"], change["reason"]) == ("knowledge", "update", "config")
    assert list(change["fields"]) == [f"files.{MENU}"]
    kitchen.apply()
    assert kitchen.documents()["la-cocina"] == {MENU: "Empanadas a 3900 pesos.", WINES: "Carmenere a 9900 pesos."}
    assert (store(kitchen)["id"], files(kitchen)[WINES], len(kitchen.uploads())) == (before, wines, 2)
    assert kitchen.changes() == []


def test_the_new_version_is_searched_before_the_old_one_goes(kitchen: Agency) -> None:
    kitchen.document(MENU, "Empanadas a 3900 pesos.")
    kitchen.sandbox.settings(index_seconds=0.5)
    seen = kitchen.sandbox.ledger()[-1]["n"] + 1
    kitchen.apply()
    calls = [(call["method"], call["path"]) for call in kitchen.sandbox.ledger(since=seen, kind="call")]
    one = f"{STORES}/{store(kitchen)['id']}/files"
    attached = calls.index(("POST", one))
    taken_out = next(index for index, (method, path) in enumerate(calls) if method == "DELETE" and path.startswith(one))
    assert calls[attached:taken_out].count(("GET", one)) >= 2


def test_a_text_is_uploaded_with_its_line_ends_as_lf_and_a_checkout_with_others_is_no_change(kitchen: Agency) -> None:
    menu = kitchen.folder / "clients.d" / MENU
    menu.write_bytes(b"Empanadas\r\na 3900 pesos.\r\n")
    kitchen.apply()
    assert kitchen.documents()["la-cocina"][MENU] == "Empanadas\na 3900 pesos.\n"
    menu.write_bytes(b"Empanadas\na 3900 pesos.\n")
    assert kitchen.changes() == []


def test_added_and_removed_documents_are_a_change_each(kitchen: Agency) -> None:
    kitchen.document("la-cocina/postres.md", "Leche asada a 2500 pesos.")
    declare(kitchen, MENU, "la-cocina/postres.md")
    [change] = kitchen.plan()["changes"]
    assert {path: (field["old"] is None, field["new"] is None) for path, field in change["fields"].items()} == {
        "files.la-cocina/postres.md": (True, False),
        f"files.{WINES}": (False, True),
    }
    kitchen.apply()
    assert set(kitchen.documents()["la-cocina"]) == {MENU, "la-cocina/postres.md"}
    assert len(kitchen.uploads()) == 2


def test_a_digest_holds_the_documents_content(agency: Agency) -> None:
    agency.document(MENU, "Empanadas a 3500 pesos.")
    declare(agency, MENU)
    digest = agency.plan()["digest"]
    agency.document(MENU, "Empanadas a 3900 pesos.")
    assert agency.plan()["digest"] != digest
    assert agency.reconcile("--expect", digest).code == 5


def test_a_document_that_changes_after_the_plan_is_not_uploaded(agency: Agency) -> None:
    menu = agency.document(MENU, "Empanadas a 3500 pesos.")
    declare(agency, MENU)
    agency.sandbox.faults({"kind": "latency", "seconds": 2, "method": "POST", "path": STORES, "times": 1})
    running = agency.start("--yes")
    agency.await_fault()
    menu.write_text("Empanadas a 3900 pesos.", encoding="utf-8")
    result = running.wait()
    assert "la-cocina/menu.md has changed since the plan was made; run again" in result.said
    assert agency.uploads() == []
    agency.apply()
    assert agency.documents()["la-cocina"] == {MENU: "Empanadas a 3900 pesos."}


DAMAGED = "la-cocina/carta.pdf"


def test_a_document_that_cannot_be_indexed_stops_its_client_before_the_assistant(agency: Agency) -> None:
    agency.document(DAMAGED, "no es un PDF")
    agency.declare("cliente-a")
    declare(agency, DAMAGED)
    result = agency.reconcile("--yes")
    assert result.code == 4
    assert f"{DAMAGED} could not be indexed: The file could not be parsed because it is damaged" in result.said
    assert [record.client for record in agency.snapshot().assistants] == ["cliente-a"]


@pytest.mark.parametrize(
    ("status", "said"),
    [(400, "OpenAI answered 400: Bad encoding"), (403, "a key that may change assistants, files and vector stores")],
)
def test_a_document_that_openai_refuses_is_named(agency: Agency, status: int, said: str) -> None:
    agency.document(MENU, "Empanadas a 3500 pesos.")
    declare(agency, MENU)
    body = {"error": {"message": "Bad encoding", "type": "invalid_request_error", "param": None, "code": None}}
    agency.sandbox.faults({"kind": "status", "status": status, "body": body, "method": "POST", "path": "/v1/files"})
    result = agency.reconcile("--yes")
    assert result.code == 1
    assert f"{MENU}: " in result.said
    assert said in result.said


def test_a_new_version_that_cannot_be_indexed_leaves_the_old_one_and_is_not_kept_twice(agency: Agency) -> None:
    agency.document(DAMAGED, "%PDF-1.4 (Empanadas) Tj")
    declare(agency, DAMAGED)
    agency.apply()
    agency.document(DAMAGED, "no es un PDF")
    for _ in range(3):
        assert "could not be indexed" in agency.reconcile("--yes").said
    listed = agency.openai("GET", f"/vector_stores/{store(agency)['id']}/files")["data"]
    assert sorted(file["status"] for file in listed) == ["completed", "failed"]
    agency.document(DAMAGED, "%PDF-1.4 (Empanadas) Tj")
    agency.apply()
    assert (agency.changes(), len(agency.uploads())) == ([], 1)


def test_a_store_that_has_expired_is_replaced_before_it_goes(kitchen: Agency) -> None:
    former = store(kitchen)["id"]
    page = kitchen.openai("GET", "/vector_stores")
    page["data"][0]["status"] = "expired"
    one_page = {"method": "GET", "path": "[/]v1/vector_stores", "body": page}
    kitchen.sandbox.faults({"kind": "status", "status": 200, **one_page})
    assert kitchen.changes() == [
        "la-cocina/knowledge/create/documents",
        "la-cocina/assistant/update/responses",
        "la-cocina/knowledge/delete/expired documents",
    ]
    kitchen.apply()
    kitchen.sandbox.faults()
    assert store(kitchen)["id"] != former
    [record] = kitchen.snapshot().assistants
    assert record.tools[0]["vector_store_ids"] == [store(kitchen)["id"]]
    assert (set(kitchen.documents()["la-cocina"]), len(kitchen.uploads())) == ({MENU, WINES}, 2)
    assert kitchen.changes() == []


def test_a_client_that_no_longer_searches_loses_its_documents_after_the_assistant_has_let_go(kitchen: Agency) -> None:
    kitchen.declare("la-cocina")
    assert kitchen.changes() == ["la-cocina/assistant/update/responses", "la-cocina/knowledge/delete/documents"]
    kitchen.apply()
    assert (kitchen.documents(), kitchen.uploads()) == ({}, [])
    assert "knowledge" not in {record.kind for record in kitchen.snapshot().applied}
    assert kitchen.changes() == []
    seen = len(kitchen.sandbox.calls("openai", path=STORES))
    kitchen.plan()
    assert len(kitchen.sandbox.calls("openai", path=STORES)) == seen


def test_an_absent_client_leaves_no_document_behind(kitchen: Agency) -> None:
    declare(kitchen, MENU, WINES, state="absent")
    assert "la-cocina/knowledge/delete/documents" in kitchen.changes()
    kitchen.apply("--max-delete-percent", "100", "--allow-empty")
    assert (kitchen.documents(), kitchen.uploads()) == ({}, [])
    assert kitchen.applied() == []


def test_documents_of_a_client_without_a_manifest_are_orphans_until_they_are_pruned(kitchen: Agency) -> None:
    kitchen.withdraw("la-cocina")
    kitchen.declare("cliente-a")
    orphans = [orphan["kind"] for orphan in kitchen.plan()["orphans"]]
    assert "knowledge" in orphans
    kitchen.apply("--prune", "--max-delete-percent", "100")
    assert (kitchen.documents(), kitchen.uploads()) == ({}, [])


def test_documents_of_a_protected_client_stay(kitchen: Agency) -> None:
    declare(kitchen, MENU, WINES, protected=True)
    kitchen.apply()
    declare(kitchen, MENU, WINES, state="absent")
    assert kitchen.reconcile("--yes", "--allow-empty", "--max-delete-percent", "100").code == 3
    assert len(kitchen.uploads()) == 2


@pytest.mark.parametrize("path", [STORES, f"{STORES}/*/files"])
def test_what_cannot_be_read_leaves_only_its_client_unresolved(kitchen: Agency, path: str) -> None:
    kitchen.declare("cliente-a")
    kitchen.sandbox.faults({"kind": "status", "status": 404, "method": "GET", "path": path})
    plan = kitchen.plan()
    assert plan["unresolved"] == ["la-cocina"]
    assert {change["client"] for change in plan["changes"]} == {"cliente-a"}


@pytest.mark.parametrize("fault", ["timeout_after_write", "drop_connection", "cut_body"])
@pytest.mark.parametrize("path", ["/v1/files", STORES, f"{STORES}/*/files"])
def test_a_write_whose_answer_is_lost_is_looked_up_and_never_made_twice(agency: Agency, fault: str, path: str) -> None:
    agency.document(MENU, "Empanadas a 3500 pesos.")
    declare(agency, MENU)
    agency.sandbox.faults({"kind": fault, "seconds": 0.0, "method": "POST", "path": path, "nth": 1})
    agency.apply()
    assert agency.documents() == {"la-cocina": {MENU: "Empanadas a 3500 pesos."}}
    assert len(agency.uploads()) == 1
    assert agency.changes() == []


def test_an_upload_that_a_killed_run_left_over_is_used_or_cleaned_up(agency: Agency) -> None:
    agency.document(MENU, "Empanadas a 3500 pesos.")
    declare(agency, MENU)
    for _ in range(2):
        agency.sandbox.faults(
            {"kind": "timeout_before_write", "seconds": 5, "path": f"{STORES}/*/files", "method": "POST"}
        )
        running = agency.start("--yes")
        agency.await_fault()
        running.kill()
        running.wait()
        agency.sandbox.faults()
        assert len(agency.uploads()) == 1
    agency.document(MENU, "Empanadas a 3900 pesos.")
    agency.apply()
    assert agency.documents() == {"la-cocina": {MENU: "Empanadas a 3900 pesos."}}
    assert len(agency.uploads()) == 1


def test_a_stop_while_documents_are_indexed_is_continued_by_the_next_run(agency: Agency) -> None:
    agency.sandbox.settings(index_seconds=60)
    agency.document(MENU, "Empanadas a 3500 pesos.")
    declare(agency, MENU)
    running = agency.start("--yes")
    wait_until(lambda: agency.uploads() != [] and files(agency) != {}, seconds=30, what="a document")
    running.terminate()
    assert "the run was stopped" in running.wait().said
    assert agency.snapshot().assistants == []
    [change] = [change for change in agency.plan()["changes"] if change["kind"] == "knowledge"]
    assert change["fields"][f"files.{MENU}"]["old"].endswith(", not indexed yet")
    assert len(agency.uploads()) == 1


def test_a_name_in_any_letters_is_found_again_when_the_answer_to_its_upload_is_lost(agency: Agency) -> None:
    agency.document("carta de añejos «café».MD", "Empanadas a 3500 pesos.")
    declare(agency, "carta de añejos «café».MD")
    agency.sandbox.faults({"kind": "cut_body", "method": "POST", "path": "/v1/files", "nth": 1})
    agency.apply()
    [name] = agency.uploads()
    assert name.endswith("--carta-de-anejos-cafe.md")
    assert agency.changes() == []


def test_documents_with_one_name_and_one_content_in_two_folders_are_two(agency: Agency) -> None:
    names = ("la-cocina/a/menu.md", "la-cocina/b/menu.md")
    for name in names:
        (agency.folder / "clients.d" / name).parent.mkdir(parents=True)
        agency.document(name, "Empanadas a 3500 pesos.")
    declare(agency, *names)
    agency.apply()
    assert set(agency.documents()["la-cocina"]) == set(names)
    assert agency.changes() == []


def test_what_was_uploaded_before_is_listed_once_however_many_clients_have_new_documents(kitchen: Agency) -> None:
    kitchen.document(MENU, "Empanadas a 3900 pesos.")
    for client in ("cliente-a", "cliente-b"):
        kitchen.document(f"{client}.md", "Sin documentos.")
        kitchen.declare(client, assistant={"tools": [{"type": "file_search", "files": [f"{client}.md"]}]})
    before = len(kitchen.sandbox.calls("openai", "GET", "/v1/files"))
    kitchen.apply()
    assert len(kitchen.sandbox.calls("openai", "GET", "/v1/files")) == before + 1
