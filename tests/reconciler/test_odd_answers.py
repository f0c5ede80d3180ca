"""A provider answers with something that its description does not know: a failed read or write, in words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.reconciler.agency import Agency
from tests.reconciler.kitchen import MENU, STORES, declare

ASSISTANTS, SENDERS = "/v1/assistants", "/v2/Channels/Senders"
NOT_UNDERSTOOD = "came in a shape that this version does not understand ("


@pytest.fixture
def three(agency: Agency) -> Agency:
    """A client that has documents, one that has a live assistant, and one that has neither."""
    agency.document(MENU, "Empanadas a 3500 pesos.")
    declare(agency, MENU)
    agency.declare("el-viejo", assistant={"engine": "assistants"})
    agency.declare("cliente-a")
    return agency


def answers(agency: Agency, method: str, path: str, body: object) -> None:
    """From now on, this is what comes back."""
    agency.sandbox.faults({"kind": "status", "status": 200, "method": method, "path": path, "body": body})


@pytest.mark.parametrize(
    ("path", "item", "said"),
    [
        ("/v1/models", {"object": "model"}, "error: OpenAI models: a model of OpenAI's list"),
        ("/v1/models", "gpt-6-luna", "error: OpenAI models: a model of OpenAI's list"),
        (
            "/v1/models",
            {"id": "gpt-6-luna", "shutdown_date": "mañana"},
            "error: OpenAI models: a model of OpenAI's list",
        ),
        (STORES, {"id": "vs_1", "metadata": ["x"]}, "error: OpenAI vector stores: a vector store of OpenAI's list"),
        (STORES, {"id": "vs_1", "file_counts": "x"}, "error: OpenAI vector stores: a vector store of OpenAI's list"),
        (ASSISTANTS, {"id": "asst_1", "metadata": "x"}, "error: OpenAI assistants: an assistant of OpenAI's list"),
        (ASSISTANTS, {"id": "asst_1", "tools": [3]}, "error: OpenAI assistants: an assistant of OpenAI's list"),
    ],
)
def test_an_item_of_openais_lists(three: Agency, path: str, item: object, said: str) -> None:
    answers(three, "GET", path, {"object": "list", "data": [item]})
    result = three.reconcile("--dry-run")
    assert result.code == 1
    assert f"{said} {NOT_UNDERSTOOD}" in result.out


@pytest.mark.parametrize(
    "item",
    [
        {"sid": "XE1"},
        {"sid": "XE1", "sender_id": None},
        "XE1",
        {"sid": "XE1", "sender_id": "whatsapp:+56998765000", "webhook": "x"},
        {"sid": "XE1", "sender_id": "whatsapp:+56998765000", "profile": {"emails": [5]}},
    ],
)
def test_an_item_of_twilios_list(agency: Agency, item: object) -> None:
    agency.declare("cliente-a", sender={"profile": {"emails": ["hola@a.cl"]}})
    answers(agency, "GET", SENDERS, {"senders": [item], "meta": {}})
    result = agency.reconcile("--dry-run")
    assert result.code == 1
    assert f"a sender of Twilio's list {NOT_UNDERSTOOD}" in result.out
    assert "unresolved: cliente-a" in result.out


def test_the_moment_of_a_models_end_counts_by_its_day(agency: Agency) -> None:
    agency.declare("cliente-a")
    ends = {"id": "gpt-6-luna", "object": "model", "shutdown_date": "2027-05-01T00:00:00Z"}
    answers(agency, "GET", "/v1/models", {"object": "list", "data": [ends]})
    assert "the model 'gpt-6-luna' is shut down on 2027-05-01" in agency.reconcile("--dry-run").out


def test_a_list_that_goes_round_in_circles_comes_to_an_end(three: Agency) -> None:
    page = {"object": "list", "data": [], "has_more": True}
    once = {"kind": "status", "status": 200, "path": ASSISTANTS, "times": 1}
    rules: list[dict[str, Any]] = [{**once, "body": {**page, "last_id": f"asst_{n % 2}"}} for n in range(20)]
    three.sandbox.faults(*rules)
    assert "the list of assistants has a next page without a cursor" in three.reconcile("--dry-run").out


def test_an_exported_assistant(agency: Agency) -> None:
    export = {"id": "asst_1", "model": "gpt-6-luna", "instructions": "Eres breve.", "tools": "búsqueda"}
    path = agency.folder / "asistente.json"
    path.write_text(json.dumps(export), encoding="utf-8")
    result = agency.reconcile("import", "--assistant", str(path))
    assert result.code == 1
    assert f"{path}: an exported assistant {NOT_UNDERSTOOD}" in result.err


@pytest.mark.parametrize("body", ["hola", {"object": "vector_store"}])
@pytest.mark.parametrize("path", [STORES, "/v1/files", f"{STORES}/*/files", ASSISTANTS])
def test_a_write_at_openai_is_looked_up_and_repeated(three: Agency, path: str, body: object) -> None:
    three.sandbox.faults({"kind": "status", "status": 200, "method": "POST", "path": path, "body": body, "times": 1})
    three.apply()
    assert (len(three.uploads()), len(three.assistants())) == (1, 1)
    assert three.changes() == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/files", "hola"),
        ("/v1/files", {"object": "list", "data": [{"object": "file"}]}),
        (f"{STORES}/*/files", "hola"),
        (f"{STORES}/*/files", {"object": "list", "data": [{"object": "file"}]}),
    ],
)
def test_a_list_that_a_write_needs_is_asked_for_again(three: Agency, path: str, body: object) -> None:
    three.sandbox.faults({"kind": "status", "status": 200, "method": "GET", "path": path, "body": body, "times": 1})
    three.apply()
    assert three.changes() == []


@pytest.mark.parametrize(
    ("method", "body"),
    [("POST", "hola"), ("POST", []), ("GET", "hola"), ("GET", {"sid": "XE1", "webhook": [], "profile": "x"})],
)
def test_an_update_at_twilio_is_repeated(agency: Agency, method: str, body: object) -> None:
    agency.declare("cliente-a")
    agency.apply()
    agency.declare("cliente-a", sender={"profile": {"about": "Cocina chilena"}})
    odd = {"method": method, "path": f"{SENDERS}/XE", "body": body, "times": 1}
    agency.sandbox.faults({"kind": "status", "status": 200, **odd})
    agency.apply()
    assert agency.sandbox.fired() == 1
    assert agency.changes() == []
