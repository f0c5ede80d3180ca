"""Documents in git and people's hands: in the store of our own, beside it, and instead of it."""

from __future__ import annotations

import pytest

from tests.reconciler import live
from tests.reconciler.agency import Agency
from tests.reconciler.kitchen import MENU, WINES, declare, files, store
from tests.sandbox_process import Json


def test_a_document_that_was_removed_or_added_by_hand_is_drift_and_is_mended(kitchen: Agency) -> None:
    listed = f"/vector_stores/{store(kitchen)['id']}/files"
    kitchen.openai("DELETE", f"{listed}/{files(kitchen)[MENU]}")
    added = live.upload(kitchen.sandbox, "rumores.md", b"Todo gratis.")
    kitchen.openai("POST", listed, {"file_id": added})
    result = kitchen.reconcile("drift", "--format", "json")
    assert result.code == 2
    [change] = result.document["changes"]
    assert (change["kind"], change["reason"]) == ("knowledge", "drift")
    assert set(change["fields"]) == {f"files.{MENU}", f"files.{added}"}
    assert change["fields"][f"files.{added}"]["old"] == "added by hand"
    kitchen.apply()
    assert set(files(kitchen)) == {MENU, WINES}
    assert "rumores.md" in kitchen.uploads()
    assert (kitchen.changes(), len(kitchen.uploads())) == ([], 3)


def test_a_document_exchanged_for_one_of_the_same_size_is_drift_although_the_store_looks_the_same(
    kitchen: Agency,
) -> None:
    before, listed = store(kitchen), f"/vector_stores/{store(kitchen)['id']}/files"
    kitchen.openai("DELETE", f"{listed}/{files(kitchen)[MENU]}")
    kitchen.openai("POST", listed, {"file_id": live.upload(kitchen.sandbox, "menu.md", b"Empanadas a 9500 pesos.")})
    assert {**store(kitchen), "last_active_at": before["last_active_at"]} == before
    [change] = kitchen.plan()["changes"]
    assert (change["kind"], change["reason"]) == ("knowledge", "drift")


def test_an_expiry_or_a_name_set_by_hand_is_drift(kitchen: Agency) -> None:
    expiry = {"anchor": "last_active_at", "days": 7}
    kitchen.openai("POST", f"/vector_stores/{store(kitchen)['id']}", {"name": "Otro", "expires_after": expiry})
    [change] = kitchen.plan()["changes"]
    assert (set(change["fields"]), change["reason"]) == ({"name", "expires_after"}, "drift")
    kitchen.apply()
    assert (store(kitchen)["name"], store(kitchen)["expires_at"]) == ("Cliente la-cocina", None)


def test_a_mark_that_somebody_wiped_is_found_by_the_record_and_put_back(kitchen: Agency) -> None:
    kitchen.openai("POST", f"/vector_stores/{store(kitchen)['id']}", {"metadata": {"nota": "mía"}})
    assert kitchen.changes() == []
    kitchen.document(MENU, "Empanadas a 3900 pesos.")
    kitchen.apply()
    metadata = store(kitchen)["metadata"]
    assert (metadata["client"], metadata["nota"]) == ("la-cocina", "mía")


def test_a_store_that_was_deleted_by_hand_is_made_again_and_the_assistant_pointed_to_it(kitchen: Agency) -> None:
    kitchen.openai("DELETE", f"/vector_stores/{store(kitchen)['id']}")
    made, assistant = kitchen.plan()["changes"]
    assert (made["action"], made["reason"], assistant["kind"]) == ("create", "drift", "assistant")
    kitchen.apply()
    [record] = kitchen.snapshot().assistants
    assert record.tools[0]["vector_store_ids"] == [store(kitchen)["id"]]
    assert len(kitchen.uploads()) == 2


def test_two_stores_with_one_mark_are_left_to_a_person(kitchen: Agency) -> None:
    live.vector_store(kitchen.sandbox, metadata=store(kitchen)["metadata"])
    plan = kitchen.plan()
    assert plan["changes"] == []
    assert "2 vector stores have this client's marker" in plan["findings"][0]["message"]


def test_documents_that_go_from_git_to_a_store_kept_by_hand(kitchen: Agency) -> None:
    own = store(kitchen)["id"]
    by_hand = live.vector_store(kitchen.sandbox, "Cazuela a 7200 pesos.")
    kitchen.declare("la-cocina", assistant={"tools": [{"type": "file_search", "vector_store": by_hand}]})
    kitchen.apply()
    [record] = kitchen.snapshot().assistants
    assert record.tools[0]["vector_store_ids"] == [by_hand]
    assert store(kitchen)["id"] == by_hand != own
    assert kitchen.changes() == []


def test_a_store_whose_mark_was_taken_off_to_keep_it_by_hand_stays(kitchen: Agency) -> None:
    kept = store(kitchen)["id"]
    kitchen.declare("la-cocina", assistant={"tools": [{"type": "file_search", "vector_store": kept}]})
    assert "remove `managed-by` from its metadata first" in kitchen.plan()["findings"][0]["message"]
    kitchen.openai("POST", f"/vector_stores/{kept}", {"metadata": {}})
    assert kitchen.changes() == []
    kitchen.apply()
    kitchen.declare("la-cocina")
    assert kitchen.changes() == ["la-cocina/assistant/update/responses"]
    kitchen.apply()
    assert (store(kitchen)["id"], len(kitchen.uploads())) == (kept, 2)


@pytest.mark.parametrize("keys", [{}, {"state": "absent"}])
def test_a_store_without_our_mark_is_never_deleted(kitchen: Agency, keys: Json) -> None:
    kitchen.openai("POST", f"/vector_stores/{store(kitchen)['id']}", {"metadata": {}})
    kitchen.declare("la-cocina", **keys)
    kitchen.apply("--max-delete-percent", "100", "--allow-empty")
    assert len(kitchen.uploads()) == 2
    assert "knowledge" not in {record.kind for record in kitchen.snapshot().applied}


def test_a_store_of_documents_in_git_cannot_be_named_by_another_client(kitchen: Agency) -> None:
    tool = {"type": "file_search", "vector_store": store(kitchen)["id"]}
    kitchen.declare("cliente-a", assistant={"tools": [tool]})
    [finding] = kitchen.plan()["findings"]
    assert "holds the documents that client 'la-cocina' has in git" in finding["message"]


def test_a_store_that_was_handed_over_keeps_its_files_when_the_documents_come_back_to_git(kitchen: Agency) -> None:
    kept = handed_over(kitchen)
    kitchen.document(MENU, "Empanadas a 3900 pesos.")
    declare(kitchen, MENU, WINES)
    kitchen.apply()
    wines = "Carmenere a 9900 pesos."
    assert kitchen.documents() == {
        kept: {MENU: "Empanadas a 3500 pesos.", WINES: wines},
        "la-cocina": {MENU: "Empanadas a 3900 pesos.", WINES: wines},
    }
    assert kitchen.changes() == []


def test_a_store_that_was_handed_over_keeps_its_files_when_its_former_client_goes(kitchen: Agency) -> None:
    kept = handed_over(kitchen)
    declare(kitchen, MENU)
    kitchen.apply()
    declare(kitchen, MENU, state="absent")
    kitchen.apply("--max-delete-percent", "100", "--allow-empty")
    assert kitchen.documents() == {kept: {MENU: "Empanadas a 3500 pesos.", WINES: "Carmenere a 9900 pesos."}}
    assert len(kitchen.uploads()) == 2


def test_a_file_whose_name_only_begins_like_an_upload_of_ours_is_left_alone(kitchen: Agency) -> None:
    live.upload(kitchen.sandbox, "la-cocina--carta-de-verano.md", b"Helados.")
    kitchen.document(MENU, "Empanadas a 3900 pesos.")
    kitchen.apply()
    declare(kitchen, MENU, state="absent")
    kitchen.apply("--max-delete-percent", "100", "--allow-empty")
    assert kitchen.uploads() == ["la-cocina--carta-de-verano.md"]


def handed_over(kitchen: Agency) -> str:
    """The store's id, once it is maintained by hand and the client searches in it."""
    kept = str(store(kitchen)["id"])
    kitchen.openai("POST", f"/vector_stores/{kept}", {"metadata": {}})
    kitchen.declare("la-cocina", assistant={"tools": [{"type": "file_search", "vector_store": kept}]})
    kitchen.apply()
    return kept
