"""Servers of tools (MCP): named to OpenAI with their headers, and only where no person has to approve."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from openai import OpenAI

from tests.runtime_process import Line, Runtime, open_line, start_runtime
from tests.sandbox_process import Json, Sandbox

SERVER: Json = {
    "type": "mcp",
    "server_label": "reservas",
    "server_url": "https://mcp.lacocina.cl",
    "allowed_tools": ["reservar"],
    "require_approval": "never",
}


@pytest.fixture(scope="module")
def secretive(tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox) -> Iterator[Runtime]:
    running = start_runtime(tmp_path_factory.mktemp("servers"), sandbox_process, MCP_AUTHORIZATION="Bearer mcp-secret")
    yield running
    running.stop()


@pytest.fixture
def shop(secretive: Runtime, sandbox: Sandbox) -> Callable[..., Line]:
    """`shop(**fields)`: a line whose assistant may use the server."""

    def make(**fields: object) -> Line:
        body = {"name": "A", "instructions": "Reserva.", "model": "gpt-6-luna", "tools": [SERVER | fields]}
        return open_line(secretive, sandbox, assistant_id=secretive.made("/assistants/", body)["id"])

    return make


def offered(line: Line) -> list[Json]:
    line.ask("Hola")
    tools: list[Json] = line.sandbox.calls("openai", "POST", "/v1/responses")[-1]["body"].get("tools", [])
    return tools


def test_a_server_is_named_with_its_headers(shop: Callable[..., Line]) -> None:
    line = shop(headers_env={"Authorization": "MCP_AUTHORIZATION"})
    assert offered(line) == [SERVER | {"headers": {"Authorization": "Bearer mcp-secret"}}]
    assert "mcp-secret" not in str(line.runtime.log())
    assert "mcp-secret" not in str(line.runtime.api("GET", f"/assistants/{line.bot['assistant_id']}").json)


def test_one_without_headers_is_named_as_it_is(shop: Callable[..., Line]) -> None:
    assert offered(shop()) == [SERVER]


def test_one_whose_secret_is_not_set_is_not_offered_and_is_reported(shop: Callable[..., Line]) -> None:
    line = shop(headers_env={"Authorization": "NOWHERE_SET"})
    assert offered(line) == []
    assert "NOWHERE_SET" in {
        entry.get("variable") for entry in line.runtime.log() if entry["event"] == "secret_missing"
    }
    degraded = line.runtime.api("GET", "/ready").json["degraded"]
    assert ("NOWHERE_SET", "the MCP server reservas: it is not offered") in {
        (item["variable"], item["use"]) for item in degraded
    }


def test_a_credential_of_the_installation_is_never_sent(shop: Callable[..., Line]) -> None:
    assert offered(shop(headers_env={"Authorization": "OPENAI_API_KEY"})) == []


def agent_of(sandbox: Sandbox, *labels: str) -> str:
    """A live agent with servers of tools."""
    servers: list[Json] = [
        {
            "type": "mcp",
            "server_label": label,
            "transport": {"type": "http", "server_url": f"https://mcp.lacocina.cl/{label}"},
            "allowed_tools": ["reservar"],
        }
        for label in labels
    ]
    with OpenAI(base_url=sandbox.openai_url, api_key=sandbox.api_key) as client:
        tools: Any = [*servers, {"type": "web_search"}]
        return client.beta.agents.create(model="gpt-6-luna", tools=tools).id


def begun_with(sandbox: Sandbox) -> list[Json]:
    """The bodies with which sessions began."""
    calls = sandbox.calls("openai", "POST", "/v1/agents/sessions")
    return [call["body"] for call in calls if call["path"] == "/v1/agents/sessions"]


def test_an_agents_servers_get_their_headers_with_each_session_and_without_a_secret_are_not_offered(
    secretive: Runtime, sandbox: Sandbox
) -> None:
    named = {
        "reservas": {"Authorization": "MCP_AUTHORIZATION"},
        "claves": {"X-Key": "MCP_AUTHORIZATION"},
        "mesas": {"X-Key": "NOWHERE_SET"},
    }
    agent = agent_of(sandbox, "reservas", "claves", "mesas", "abierto")
    line = open_line(secretive, sandbox, assistant_id=agent, policy={"version": 1, "server_headers": named})
    line.ask("Hola")
    line.ask("¿Hay mesa?")

    [begun] = begun_with(sandbox)
    servers = {tool["server_label"]: tool["transport"] for tool in begun["agent"]["tools"] if tool["type"] == "mcp"}
    assert servers == {
        "reservas": {
            "type": "http",
            "server_url": "https://mcp.lacocina.cl/reservas",
            "headers": {},
            "authorization": "Bearer mcp-secret",
        },
        "claves": {
            "type": "http",
            "server_url": "https://mcp.lacocina.cl/claves",
            "headers": {"X-Key": "Bearer mcp-secret"},
        },
        "abierto": {"type": "http", "server_url": "https://mcp.lacocina.cl/abierto", "headers": {}},
    }
    assert begun["agent"]["tools"][-1]["type"] == "web_search"
    assert "mcp-secret" not in str(secretive.log())
    assert ("NOWHERE_SET", "the MCP server mesas: it is not offered") in {
        (item["variable"], item["use"]) for item in secretive.api("GET", "/ready").json["degraded"]
    }


def test_an_agent_without_such_servers_begins_as_before(secretive: Runtime, sandbox: Sandbox) -> None:
    open_line(secretive, sandbox, assistant_id=agent_of(sandbox, "abierto")).ask("Hola")
    [begun] = begun_with(sandbox)
    assert "agent" not in begun


@pytest.mark.parametrize("approval", ["always", None, {"always": {"tool_names": ["reservar"]}}])
def test_one_that_may_ask_for_approval_is_not_offered(shop: Callable[..., Line], approval: object) -> None:
    assert offered(shop(require_approval=approval)) == []
