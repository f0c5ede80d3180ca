"""`reconcile import` of assistants that search in documents."""

from __future__ import annotations

import json

import pytest
import yaml

from tests.brownfield.by_hand import NUMBER, ByHand
from tests.reconciler import live
from tests.reconciler.agency import Agency
from tests.sandbox_process import Json


def imported(agency: Agency, *args: str) -> Json:
    """What an import that went well reports."""
    result = agency.reconcile("import", "--format", "json", *args)
    assert result.code == 0, result.said
    return result.document


def tools(agency: Agency, client: str) -> list[Json]:
    """The tools that an imported manifest declares."""
    return list(yaml.safe_load(agency.path(client).read_text())["assistant"].get("tools", []))


def searching(by_hand: ByHand, **tool: object) -> None:
    """A bot whose assistant has this search in documents."""
    by_hand.assistant(tools=[{"type": "file_search", **tool}])
    by_hand.bot("assistant_1")
    by_hand.sender()


@pytest.mark.parametrize(
    ("live_number", "declared"), [({}, 20), ({"max_num_results": 3}, 3), ({"max_num_results": 5}, None)]
)
def test_the_store_that_an_assistant_searches_is_named_and_the_plan_is_empty(
    agency: Agency, by_hand: ByHand, live_number: Json, declared: int | None
) -> None:
    store = live.vector_store(agency.sandbox, "Empanadas a 3500 pesos.")
    searching(by_hand, vector_store_ids=[store], **live_number)
    report = imported(agency)
    assert (report["written"][0]["unsaid"], report["unused"]) == ([], [])
    number = {} if declared is None else {"max_num_results": declared}
    assert tools(agency, "bot-la-cocina") == [{"type": "file_search", "vector_store": store, **number}]
    plan = agency.plan()
    assert (plan["changes"], plan["findings"], len(plan["adoptions"])) == ([], [], 3)


def test_of_several_stores_the_first_is_named_and_the_others_are_listed(agency: Agency, by_hand: ByHand) -> None:
    first, second = live.vector_store(agency.sandbox), live.vector_store(agency.sandbox)
    filters = {"type": "eq", "key": "idioma", "value": "es"}
    searching(by_hand, vector_store_ids=[first, second], filters=filters, max_num_results=5)
    [written] = imported(agency)["written"]
    assert tools(agency, "bot-la-cocina") == [{"type": "file_search", "vector_store": first}]
    assert written["unsaid"] == [
        f"the tool file_search searches {second} too; a manifest names one store",
        "the tool file_search has 'filters', which a manifest cannot declare",
    ]
    assert "differs from what is declared (tools)" in agency.plan()["findings"][0]["message"]


def test_an_exported_assistant_keeps_the_store_that_was_made_for_it(agency: Agency, by_hand: ByHand) -> None:
    store = live.vector_store(agency.sandbox)
    exported = {
        "id": "asst_1",
        "name": "Bot La Cocina",
        "model": "gpt-6-luna",
        "instructions": "Eres un asistente.",
        "tools": [{"type": "file_search", "file_search": {"max_num_results": 7}}],
        "tool_resources": {"file_search": {"vector_store_ids": [store]}},
    }
    path = agency.folder / "asst_1.json"
    path.write_text(json.dumps(exported))
    by_hand.sender()
    report = imported(agency, "--assistant", str(path), "--number", NUMBER)
    assert tools(agency, "bot-la-cocina") == [{"type": "file_search", "vector_store": store, "max_num_results": 7}]
    assert store not in {item["live_id"] for item in report["unused"]}
    agency.apply()
    [record] = agency.snapshot().assistants
    assert record.tools == [{"type": "file_search", "vector_store_ids": [store], "max_num_results": 7}]


def test_a_live_assistant_of_the_assistants_api_searches_with_the_engine_responses_only(
    agency: Agency, by_hand: ByHand
) -> None:
    store = live.vector_store(agency.sandbox)
    resources = {"file_search": {"vector_store_ids": [store]}}
    by_hand.bot(by_hand.object(tools=[{"type": "file_search"}], tool_resources=resources))
    by_hand.sender()
    report = imported(agency)
    assert tools(agency, "bot-la-cocina") == []
    assert report["unused"] == []
    which, note = report["written"][0]["unsaid"]
    assert which == f"its assistant searches the vector store {store}"
    assert "set `engine: responses` and name its `vector_store`" in note


def test_a_store_that_nobody_searches_is_reported(agency: Agency, by_hand: ByHand) -> None:
    used = live.vector_store(agency.sandbox)
    unused = live.vector_store(agency.sandbox, "a", "b", name="Antiguo")
    searching(by_hand, vector_store_ids=[used])
    [item] = imported(agency)["unused"]
    assert (item["kind"], item["name"], item["live_id"]) == ("knowledge", "Antiguo", unused)
    assert item["reason"] == "no assistant searches its 2 files"


def test_documents_in_git_replace_a_store_made_by_hand_once_the_bot_is_adopted(agency: Agency, by_hand: ByHand) -> None:
    made = live.vector_store(agency.sandbox, "Empanadas a 3500 pesos.")
    searching(by_hand, vector_store_ids=[made])
    agency.document("la-cocina/menu.md", "Empanadas a 3900 pesos.")
    files = [{"type": "file_search", "files": ["la-cocina/menu.md"]}]
    agency.declare("la-cocina", number=NUMBER, assistant={"tools": files})
    assert "differs from what is declared" in agency.plan()["findings"][0]["message"]
    assert agency.reconcile("adopt", "la-cocina", "--yes").code == 0
    assert {change["kind"] for change in agency.plan()["changes"]} >= {"knowledge", "assistant"}
    agency.apply()
    documents = agency.documents()
    assert documents["la-cocina"] == {"la-cocina/menu.md": "Empanadas a 3900 pesos."}
    assert list(documents[made].values()) == ["Empanadas a 3500 pesos."]
    plan = agency.plan()
    assert (plan["changes"], plan["findings"]) == ([], [])
