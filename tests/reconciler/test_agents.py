"""The engine `agents`: a live agent is planned, changed, replaced and deleted like any other object."""

from __future__ import annotations

import pytest

from tests.reconciler.agency import Agency
from tests.reconciler.test_main_way import FUNCTION
from tests.sandbox_process import Json

AGENT: Json = {"engine": "agents"}
TOOLS: Json = {"tools": [FUNCTION, {"type": "web_search", "country": "CL"}]}


def update(agency: Agency, **fields: object) -> None:
    """The one agent is changed in OpenAI's console."""
    [agent] = agency.agents()
    agency.openai("POST", f"/agents/{agent['id']}", dict(fields))


def test_an_applied_agent_is_as_declared_and_carries_the_clients_mark_and_the_bot_its_id(agency: Agency) -> None:
    agency.declare("la-cocina", assistant={**AGENT, **TOOLS, "reasoning_effort": "low"})
    agency.apply()
    [agent] = agency.agents()
    assert (agent["name"], agent["instructions"]) == ("Cliente la-cocina", "Eres el asistente de la-cocina.")
    assert agent["reasoning"]["effort"] == "low"
    assert [tool["type"] for tool in agent["tools"]] == ["function", "web_search"]
    assert agent["tools"][1]["location"]["country"] == "CL"
    assert (agent["metadata"]["managed-by"], agent["metadata"]["client"]) == ("horizonai-reconciler", "la-cocina")
    assert agency.snapshot().bots[0].assistant_id == agent["id"]
    assert agency.snapshot().assistants == []


def test_a_server_of_tools_is_the_agents_and_its_headers_are_in_the_bots_policy(agency: Agency) -> None:
    server = {
        "type": "mcp",
        "name": "reservas",
        "url": "https://mcp.lacocina.cl/x",
        "allowed_tools": ["reservar"],
        "headers": {"Authorization": {"env": "MCP_AUTHORIZATION"}},
        "require_approval": "never",
    }
    agency.declare("la-cocina", assistant={**AGENT, "tools": [server]})
    [said] = [finding["message"] for finding in agency.plan()["findings"]]
    assert said.endswith("OpenAI gets its headers (Authorization) with each new session")
    agency.apply()
    [agent] = agency.agents()
    assert [(tool["server_label"], tool["transport"], tool["allowed_tools"]) for tool in agent["tools"]] == [
        ("reservas", {"type": "http", "server_url": "https://mcp.lacocina.cl/x", "headers": {}}, ["reservar"])
    ]
    [bot] = agency.snapshot().bots
    assert bot.policy["server_headers"] == {"reservas": {"Authorization": "MCP_AUTHORIZATION"}}
    assert (agency.changes(), agency.plan()["findings"]) == ([], [])


def test_what_the_provider_fills_in_is_no_difference(agency: Agency) -> None:
    agency.declare("la-cocina", assistant={**AGENT, **TOOLS})
    agency.apply()
    writes = agency.writes()
    assert agency.reconcile("--dry-run").out.splitlines()[-1] == "No changes: 1 client checked."
    update(agency, text={"verbosity": "low"}, service_tier="flex", multi_agent={"enabled": True})
    assert agency.changes() == []
    agency.apply()
    assert agency.writes() == writes + 1


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"instructions": "Otra cosa."}, "instructions"),
        ({"reasoning": {"effort": "high"}}, "settings.reasoning_effort"),
        ({"tools": []}, "tools[0]"),
        ({"tools": [{"type": "web_search", "mode": "cached", "location": {"country": "CL"}}]}, "tools[0].mode"),
    ],
)
def test_what_somebody_changed_in_the_console_is_drift_and_is_set_right(
    agency: Agency, fields: Json, path: str
) -> None:
    agency.declare("la-cocina", assistant={**AGENT, "tools": [{"type": "web_search"}]})
    agency.apply()
    update(agency, **fields)
    [change] = agency.plan()["changes"]
    assert (change["action"], change["reason"]) == ("update", "drift")
    assert path in change["fields"]
    assert agency.reconcile("drift").code == 2
    agency.apply()
    assert agency.changes() == []


def test_metadata_and_settings_that_others_wrote_are_kept(agency: Agency) -> None:
    agency.declare("la-cocina", assistant=AGENT)
    agency.apply()
    [agent] = agency.agents()
    update(agency, metadata={**agent["metadata"], "equipo": "ventas"}, text={"verbosity": "low"})
    agency.declare("la-cocina", assistant={**AGENT, "instructions": "Eres breve."})
    agency.apply()
    [agent] = agency.agents()
    assert (agent["metadata"]["equipo"], agent["text"]["verbosity"]) == ("ventas", "low")
    assert (agent["metadata"]["client"], agent["instructions"]) == ("la-cocina", "Eres breve.")


def test_how_an_agent_tells_of_its_reasoning_is_kept_whatever_changes(agency: Agency) -> None:
    agency.declare("la-cocina", assistant=AGENT)
    agency.apply()
    [agent] = agency.agents()
    update(agency, reasoning={**agent["reasoning"], "summary": "auto"})
    agency.declare("la-cocina", assistant={**AGENT, "instructions": "Eres breve.", "reasoning_effort": "high"})
    agency.apply()
    assert [agent["reasoning"] for agent in agency.agents()] == [{"effort": "high", "summary": "auto"}]


def test_an_agent_whose_mark_was_wiped_is_still_ours_and_gets_it_back_with_the_next_change(agency: Agency) -> None:
    agency.declare("la-cocina", assistant=AGENT)
    agency.apply()
    update(agency, metadata={})
    assert agency.changes() == []
    agency.declare("la-cocina", assistant={**AGENT, "instructions": "Eres breve."})
    agency.apply()
    assert [agent["metadata"]["client"] for agent in agency.agents()] == ["la-cocina"]


@pytest.mark.parametrize("before", ["responses", "assistants"])
def test_to_the_engine_agents_and_back_without_a_gap(agency: Agency, before: str) -> None:
    number = agency.number("la-cocina")
    for now, left in (("agents", before), (before, "agents")):
        agency.declare("la-cocina", assistant={"engine": left})
        agency.apply()
        agency.declare("la-cocina", assistant={"engine": now})
        assert agency.changes() == [
            f"la-cocina/assistant/create/{now}",
            f"la-cocina/bot/update/{number}",
            f"la-cocina/assistant/delete/{left}",
        ]
        agency.apply()
        assert agency.changes() == []
        live = {item["id"] for item in (*agency.agents(), *agency.assistants())}
        assert agency.snapshot().bots[0].assistant_id in (live or {"la-cocina"})


def test_two_agents_with_one_clients_mark_are_a_persons_decision(agency: Agency) -> None:
    agency.declare("la-cocina", assistant=AGENT)
    agency.apply()
    [agent] = agency.agents()
    agency.openai("POST", "/agents", {"model": "gpt-6-luna", "metadata": agent["metadata"]})
    result = agency.reconcile("--dry-run")
    assert result.code == 1
    assert "2 live assistants have this client's marker" in result.out


def test_an_absent_client_takes_its_agent_along_and_an_orphan_is_pruned_only_when_asked(agency: Agency) -> None:
    agency.declare("la-cocina", assistant=AGENT)
    agency.declare("cliente-b", assistant=AGENT)
    agency.apply()
    agency.declare("la-cocina", assistant=AGENT, state="absent")
    agency.withdraw("cliente-b")
    agency.apply("--max-delete-percent", "100", "--allow-empty")
    assert [agent["metadata"]["client"] for agent in agency.agents()] == ["cliente-b"]
    assert {(orphan["kind"], orphan["key"]) for orphan in agency.plan("--allow-empty")["orphans"]} >= {
        ("assistant", "agents")
    }
    agency.apply("--prune", "--max-delete-percent", "100", "--allow-empty")
    assert agency.agents() == []


def test_agents_are_asked_for_only_where_somebody_uses_them(agency: Agency) -> None:
    agency.declare("cliente-a")
    agency.declare("el-viejo", assistant={"engine": "assistants"})
    agency.apply()
    agency.reconcile("drift")
    assert agency.sandbox.calls("openai", path="/v1/agents") == []


def test_agents_that_cannot_be_read_leave_their_clients_alone_and_nobody_else(agency: Agency) -> None:
    agency.declare("la-cocina", assistant=AGENT)
    agency.declare("cliente-b")
    agency.apply()
    agency.declare("la-cocina", assistant={**AGENT, "instructions": "Eres breve."})
    agency.declare("cliente-b", assistant={"instructions": "Eres breve."})
    agency.sandbox.faults({"kind": "status", "status": 403, "method": "GET", "path": "/v1/agents"})
    result = agency.reconcile("--yes")
    assert result.code == 4
    assert "error: OpenAI agents: " in result.out
    assert "Set OPENAI_API_KEY to a key with the permissions api.agents.read and api.agents.write." in result.out
    assert "unresolved: la-cocina: left unchanged" in result.out
    assert [record.instructions for record in agency.snapshot().assistants] == ["Eres breve."]


def test_who_leaves_agents_that_cannot_be_read_waits_so_that_none_is_left_behind(agency: Agency) -> None:
    agency.declare("la-cocina", assistant=AGENT)
    agency.apply()
    agency.declare("la-cocina")
    agency.sandbox.faults({"kind": "status", "status": 400, "method": "GET", "path": "/v1/agents"})
    result = agency.reconcile("--yes")
    assert result.code == 1
    assert "unresolved: la-cocina: left unchanged" in result.out
    agency.sandbox.faults()
    agency.apply()
    assert agency.agents() == []


def test_who_leaves_an_agents_api_that_is_gone_is_only_warned(agency: Agency) -> None:
    agency.declare("la-cocina", assistant=AGENT)
    agency.apply()
    agency.declare("la-cocina")
    agency.sandbox.faults({"kind": "status", "status": 404, "path": "/v1/agents"})
    result = agency.apply()
    assert "warning: OpenAI agents: " in result.out
    assert agency.snapshot().bots[0].assistant_id == "la-cocina"


def test_a_bound_on_answers_has_no_counterpart_and_changes_nothing(agency: Agency) -> None:
    agency.declare("la-cocina", assistant=AGENT)
    agency.apply()
    agency.declare("la-cocina", assistant={**AGENT, "max_output_tokens": 100})
    assert agency.changes() == []


def test_two_agents_that_go_are_two_changes_that_can_be_told_apart(agency: Agency) -> None:
    agency.declare("la-cocina", assistant=AGENT)
    agency.apply()
    [agent] = agency.agents()
    twin = agency.openai("POST", "/agents", {"model": "gpt-6-luna", "metadata": agent["metadata"]})
    agency.declare("la-cocina")
    number = agency.number("la-cocina")
    assert agency.changes() == [
        "la-cocina/assistant/create/responses",
        f"la-cocina/bot/update/{number}",
        f"la-cocina/assistant/delete/agents/{agent['id']}",
        f"la-cocina/assistant/delete/agents/{twin['id']}",
    ]
    assert agency.plan()["changes"][3]["depends_on"] == [f"la-cocina/assistant/delete/agents/{agent['id']}"]
    agency.sandbox.faults({"kind": "status", "status": 400, "method": "DELETE", "path": f"/v1/agents/{twin['id']}"})
    outcomes = agency.reconcile("--yes", "--format", "json").document["outcomes"]
    assert {outcome["id"].rpartition("/")[2]: outcome["status"] for outcome in outcomes[2:]} == {
        agent["id"]: "applied",
        twin["id"]: "failed",
    }
    agency.sandbox.faults()
    assert agency.changes() == ["la-cocina/assistant/delete/agents"]
    agency.apply()
    assert (agency.agents(), agency.changes()) == ([], [])
