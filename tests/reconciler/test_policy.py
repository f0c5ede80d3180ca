"""What a manifest says of how to answer, on its way to the bot's row: planned, applied and compared key by key."""

from __future__ import annotations

import json
from contextlib import closing

import pytest
import yaml

from runtime.store.client.writer import open_writer
from tests.reconciler.agency import API_TOKEN, Agency

BROKEN = """UPDATE bots SET policy = '{"version":1,"memory":{"items":500}}'"""


def policy(agency: Agency) -> object:
    """What the bot's row holds."""
    [bot] = agency.snapshot().bots
    return bot.policy


def test_a_bot_is_created_with_it(agency: Agency) -> None:
    agency.declare("la-cocina", memory={"items": 60, "tokens": 8000})
    shown = agency.reconcile("--dry-run").out
    assert "policy.memory.items: 60\n" in shown
    assert "policy.memory.tokens: 8000\n" in shown
    agency.apply()
    assert policy(agency) == {"version": 1, "memory": {"items": 60, "tokens": 8000}}
    assert agency.changes() == []


def test_the_operator_of_a_server_of_tools_is_named_as_a_recipient_once(agency: Agency) -> None:
    server = {
        "type": "mcp",
        "name": "reservas",
        "url": "https://mcp.lacocina.cl/secreto-en-la-ruta",
        "allowed_tools": ["reservar"],
        "headers": {"Authorization": {"env": "MCP_AUTHORIZATION"}},
        "require_approval": "never",
    }
    agency.declare("la-cocina", assistant={"tools": [server]})
    said = (
        "the MCP server 'reservas' at mcp.lacocina.cl gets what the model sends it, which may be personal data: its "
        "operator is a recipient of it; OpenAI gets its headers (Authorization) with every message"
    )
    assert [finding["message"] for finding in agency.plan()["findings"]] == [said]
    agency.apply()
    [record] = agency.snapshot().assistants
    assert record.tools == [
        {
            "type": "mcp",
            "server_label": "reservas",
            "server_url": "https://mcp.lacocina.cl/secreto-en-la-ruta",
            "allowed_tools": ["reservar"],
            "require_approval": "never",
            "headers_env": {"Authorization": "MCP_AUTHORIZATION"},
        }
    ]
    assert (agency.changes(), agency.plan()["findings"]) == ([], [])


def test_a_function_is_strict_and_idempotent_where_the_manifest_says_so(agency: Agency) -> None:
    parameters = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    function = {"type": "function", "name": "reservar", "endpoint": {"url": "https://a.cl/r"}, "parameters": parameters}
    agency.declare("la-cocina", assistant={"tools": [{**function, "strict": True, "idempotent": True}]})
    agency.apply()
    snapshot = agency.snapshot()
    assert snapshot.assistants[0].tools[0]["strict"] is True
    assert snapshot.bots[0].functions["reservar"]["idempotent"] is True
    assert agency.changes() == []


def test_a_change_is_planned_by_its_key_and_nothing_else(agency: Agency) -> None:
    agency.declare("la-cocina", memory={"items": 60, "tokens": 8000})
    agency.apply()
    agency.declare("la-cocina", memory={"items": 20, "tokens": 8000})
    [change] = agency.plan()["changes"]
    assert (change["kind"], change["action"], change["reason"]) == ("bot", "update", "config")
    assert change["fields"] == {"policy.memory.items": {"old": 60, "new": 20}}
    assert "policy.memory.items: 60 → 20" in agency.reconcile("--dry-run").out
    agency.apply()
    assert policy(agency) == {"version": 1, "memory": {"items": 20, "tokens": 8000}}


def test_what_somebody_changed_live_is_drift_and_is_taken_back(agency: Agency) -> None:
    agency.declare("la-cocina", memory={"items": 60})
    agency.apply()
    agency.break_in(BROKEN)
    result = agency.reconcile("drift")
    assert result.code == 2
    assert "policy.memory.items: 500 → 60" in result.out
    agency.apply()
    assert policy(agency) == {"version": 1, "memory": {"items": 60}}
    assert agency.reconcile("drift").code == 0


def test_what_git_takes_out_goes_live_as_well(agency: Agency) -> None:
    agency.declare("la-cocina", memory={"items": 60})
    agency.apply()
    agency.declare("la-cocina")
    assert agency.changes() == [f"la-cocina/bot/update/{agency.number('la-cocina')}"]
    agency.apply()
    assert policy(agency) == {}


def test_a_key_or_a_version_that_is_unknown_here_and_no_manifest_declares_is_drift(agency: Agency) -> None:
    agency.declare("la-cocina", memory={"items": 60})
    agency.apply()
    agency.break_in("""UPDATE bots SET policy = '{"version":2,"memory":{"items":60},"horario":{"lun":[]}}'""")
    [change] = agency.plan()["changes"]
    assert change["reason"] == "drift"
    assert change["fields"].keys() == {"policy.version", "policy.horario"}
    agency.apply()
    assert policy(agency) == {"version": 1, "memory": {"items": 60}}


@pytest.mark.parametrize("memory", [{}, {"items": None}])
def test_a_block_that_says_nothing_is_none(agency: Agency, memory: dict[str, object]) -> None:
    agency.declare("la-cocina", memory=memory)
    agency.apply()
    assert policy(agency) == {}


def test_a_bot_of_an_older_program_is_as_declared_until_its_manifest_says_more(agency: Agency) -> None:
    agency.declare("la-cocina")
    agency.apply()
    [record] = [record for record in agency.snapshot().applied if record.kind == "bot"]
    older = {key: value for key, value in record.values.items() if key != "policy"}
    agency.break_in("UPDATE applied SET \"values\" = ? WHERE kind = 'bot'", json.dumps(older))
    assert agency.changes() == []
    agency.declare("la-cocina", memory={"items": 20})
    [change] = agency.plan()["changes"]
    assert change["reason"] == "config"


def test_defaults_give_it_and_render_shows_it(agency: Agency) -> None:
    agency.document("_defaults.yaml", "memory: {items: 60, tokens: 8000}\n")
    agency.declare("la-cocina", memory={"items": 20})
    rendered = yaml.safe_load(agency.reconcile("render", "la-cocina").out)
    assert rendered["memory"] == {"items": 20, "tokens": 8000}
    agency.apply()
    assert policy(agency) == {"version": 1, "memory": {"items": 20, "tokens": 8000}}


def test_a_handmade_bot_that_answers_otherwise_is_not_taken_over_as_it_is(agency: Agency) -> None:
    agency.declare("la-cocina", memory={"items": 20})
    agency.apply()
    with closing(open_writer(agency.store_url, API_TOKEN)) as writer:
        writer.forget_applied("la-cocina", "bot")
    agency.break_in("UPDATE bots SET client = NULL, managed_by = NULL, policy = '{}'")
    plan = agency.plan()
    assert plan["changes"] == []
    assert "differs from what is declared (policy.memory)" in json.dumps(plan["findings"], ensure_ascii=False)
