"""The Agents API: agents, and sessions with them without an environment.

OpenAI's description leaves this beta out, so its SDK is the judge: every answer is read in strict mode, and what the
stand-in takes and refuses is held against the SDK's request types.
"""

from typing import Any

import openai as sdk
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai import OpenAI
from openai.types.beta import agent_create_params
from openai.types.beta.agents import session_create_params
from openai.types.beta.agents.sessions import event_create_params
from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from tests.sandbox.conftest import error_of
from tests.sandbox_process import Sandbox, wait_until

TOOL: Any = {
    "type": "function",
    "name": "crear_reserva",
    "description": "Crea una reserva",
    "parameters": {"type": "object", "properties": {"personas": {"type": "integer"}}, "required": ["personas"]},
}
SERVER: dict[str, Any] = {
    "type": "mcp",
    "server_label": "reservas",
    "transport": {"type": "http", "server_url": "https://mcp.lacocina.cl"},
    "allowed_tools": ["reservar"],
}
SPEC: Any = {
    "model": "gpt-6-luna",
    "name": "Bot La Cocina",
    "instructions": "Eres el asistente del restaurante La Cocina.",
    "tools": [TOOL],
    "metadata": {"client": "la-cocina"},
}
NONE: Any = {"type": "none"}


def message(text: str) -> Any:
    part = {"type": "input_text", "text": text}
    return {"type": "agent.session.input.message", "input": [{"role": "user", "content": [part]}]}


def begin(client: OpenAI, text: str, **more: Any) -> str:
    """A session with an agent of its own; gives its id."""
    agent = client.beta.agents.create(**SPEC)
    return client.beta.agents.sessions.create(agent_id=agent.id, environment=NONE, input=text, **more).id


def said(client: OpenAI, session: str) -> str:
    """The newest message of the assistant."""
    item = client.beta.agents.sessions.items.list(session, limit=1).data[0]
    assert item.type == "message"
    assert (item.role, item.phase) == ("assistant", "final_answer")
    return item.output_text


def latest(client: OpenAI, session: str) -> Any:
    return client.beta.agents.sessions.turns.list(session, limit=1).data[0]


def test_an_agent_is_created_with_its_defaults_read_changed_and_deleted(openai: OpenAI) -> None:
    made = openai.beta.agents.with_raw_response.create(model="gpt-6-luna", tools=[{"type": "web_search"}, TOOL])
    assert made.http_response.status_code == 201
    agent = made.parse()
    assert agent.id.startswith("agent_")
    assert (agent.name, agent.instructions, agent.metadata, agent.service_tier) == (None, None, {}, "auto")
    assert agent.to_dict()["text"] == {"format": {"type": "text"}, "verbosity": "medium"}
    assert agent.to_dict()["reasoning"] == {"effort": "medium", "summary": None}
    search, function = agent.to_dict()["tools"]
    assert search == {
        "type": "web_search",
        "mode": "live",
        "context_size": "medium",
        "location": None,
        "allowed_domains": None,
    }
    assert function == {**TOOL, "defer_loading": False}
    assert openai.beta.agents.retrieve(agent.id) == agent
    assert openai.beta.agents.delete(agent.id).deleted
    with pytest.raises(sdk.NotFoundError) as caught:
        openai.beta.agents.retrieve(agent.id)
    assert (error_of(caught.value)["type"], error_of(caught.value)["code"]) == ("not_found_error", "not_found_error")


def test_an_update_keeps_what_it_omits_and_replaces_tools_metadata_and_objects_whole(openai: OpenAI) -> None:
    agent = openai.beta.agents.create(
        **SPEC, reasoning={"effort": "low", "summary": "auto"}, experimental={"time_awareness": True}
    )
    assert openai.beta.agents.update(agent.id).name == "Bot La Cocina"
    changed = openai.beta.agents.update(
        agent.id, name=None, metadata={"a": "b"}, tools=[], reasoning={"effort": "none"}, experimental={}
    )
    assert (changed.name, changed.instructions) == (None, SPEC["instructions"])
    assert (changed.metadata, changed.tools) == ({"a": "b"}, [])
    assert (changed.reasoning.effort, changed.reasoning.summary) == ("none", None)
    assert changed.experimental is not None
    assert changed.experimental.time_awareness


def test_a_session_shows_its_server_without_what_authenticates_to_it(openai: OpenAI) -> None:
    agent = openai.beta.agents.create(model="gpt-6-luna", tools=[SERVER])
    assert agent.to_dict()["tools"][0]["transport"] == {**SERVER["transport"], "headers": {}}
    transport = {**SERVER["transport"], "headers": {"X-Key": "secret"}, "authorization": "Bearer secret"}
    tools: Any = [{**SERVER, "transport": transport}]
    session = openai.beta.agents.sessions.create(
        agent_id=agent.id, environment=NONE, input="hola", agent={"tools": tools}
    )
    [server] = session.agent.to_dict()["tools"]
    assert server == {
        **SERVER, "connection_origin": "service", "credential_id": None, "request_metadata": {}, "required": False
    }  # fmt: skip
    assert "secret" not in str(openai.beta.agents.sessions.retrieve(session.id))


def test_a_place_to_search_from_comes_back_with_all_its_keys(openai: OpenAI) -> None:
    agent = openai.beta.agents.create(
        model="gpt-6-luna", tools=[{"type": "web_search", "location": {"country": "CL"}, "allowed_domains": []}]
    )
    [search] = agent.to_dict()["tools"]
    assert search["location"] == {"city": None, "country": "CL", "region": None, "timezone": None}
    assert search["allowed_domains"] == []


def test_lists_page_by_cursor_and_clamp_their_limit_but_turns_refuse_it(openai: OpenAI) -> None:
    made = [openai.beta.agents.create(model="gpt-6-luna", name=f"n{index}").id for index in range(3)]
    assert [agent.id for agent in openai.beta.agents.list(limit=2, order="asc")] == made
    assert [agent.id for agent in openai.beta.agents.list(limit=0)] == made[::-1]
    assert len(openai.beta.agents.list(limit=1000).data) == 3
    with pytest.raises(sdk.NotFoundError):
        openai.beta.agents.list(after="agent_gone")
    session = begin(openai, "hola")
    for limit in (0, 101):
        with pytest.raises(sdk.BadRequestError, match="limit must be between 1 and 100"):
            openai.beta.agents.sessions.turns.list(session, limit=limit)
    with pytest.raises(sdk.BadRequestError, match="Invalid session item ID"):
        openai.beta.agents.sessions.items.list(session, after="msg_gone")


def test_a_call_without_the_beta_header_is_refused(openai: OpenAI) -> None:
    for path in ("/agents", "/agents/sessions"):
        with pytest.raises(sdk.BadRequestError) as caught:
            openai.get(path, cast_to=object)
        assert (error_of(caught.value)["type"], error_of(caught.value)["code"]) == ("invalid_beta", "invalid_beta")


def strictly(params: Any) -> Any:
    """The SDK's request type, with members that it does not know refused as the API refuses them."""
    return TypeAdapter(with_config(ConfigDict(extra="forbid"))(params))


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"model": None}, "model"),
        ({"modelo": "x"}, "modelo"),
        ({"metadata": {"a": 1}}, "metadata.a"),
        ({"name": 7}, "name"),
        ({"service_tier": "fastest"}, "service_tier"),
        ({"reasoning": {"effort": "lots"}}, "reasoning.effort"),
        ({"text": {"verbosity": "none"}}, "text.verbosity"),
        ({"tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}}]}, "tools[0].description"),
        ({"tools": [{"type": "web_search", "mode": "offline"}]}, "tools[0].mode"),
        ({"tools": [{"type": "file_search", "vector_store_ids": ["vs_1"]}]}, "tools[0].type"),
        ({"multi_agent": {}}, "multi_agent.enabled"),
    ],
)
def test_what_the_sdks_types_refuse_is_refused_with_its_place(openai: OpenAI, change: Any, param: str) -> None:
    body = {**SPEC, **change}
    with pytest.raises(ValidationError):
        validated(strictly(agent_create_params.AgentCreateParams), body)
    with pytest.raises(sdk.BadRequestError) as caught:
        openai.post("/agents", body=body, cast_to=object, options={"headers": {"OpenAI-Beta": "agents=v1"}})
    assert (error_of(caught.value)["param"], error_of(caught.value)["code"]) == (param, "invalid_request_error")


def validated(adapter: Any, body: Any) -> None:
    """Walks the whole body; the SDK's types leave lists to be checked while they are read."""
    for value in adapter.validate_python(body, strict=True).values():
        if not isinstance(value, (str, dict, list, int, type(None))):
            list(value)


ANYTHING = st.sampled_from([None, True, 7, "x", [], {}, ["x"], {"x": "y"}])
NULLABLE_TEXT = st.sampled_from([None, "", "Hola"])
TOOLS = st.sampled_from(
    [
        TOOL,
        {**TOOL, "defer_loading": True},
        {**TOOL, "defer_loading": None},
        {key: TOOL[key] for key in ("type", "name", "parameters")},
        {"type": "web_search"},
        {"type": "web_search", "mode": None, "context_size": "low", "location": {"city": None, "country": "CL"}},
        {"type": "web_search", "location": "CL"},
        {"type": "web_search", "context_size": "huge"},
        {"type": "tool_search"},
        {"type": "programmatic_tool_calling", "enabled": False},
        {"type": "programmatic_tool_calling", "enabled": None},
        SERVER,
        {**SERVER, "transport": {"type": "http"}},
        {**SERVER, "transport": {**SERVER["transport"], "headers": {"X-Key": "k"}, "authorization": "Bearer k"}},
        {**SERVER, "transport": {**SERVER["transport"], "headers": {"X-Key": 1}}},
        {**SERVER, "allowed_tools": None, "connection_origin": "service", "required": True},
        {**SERVER, "connection_origin": "elsewhere"},
        {**SERVER, "required": None},
        {"type": "code_interpreter"},
        {"name": "x"},
        "web_search",
    ]
)
BODIES = st.fixed_dictionaries(
    {"model": st.just("gpt-6-luna") | ANYTHING},
    optional={
        "name": NULLABLE_TEXT | ANYTHING,
        "instructions": NULLABLE_TEXT | ANYTHING,
        "metadata": st.sampled_from([None, {}, {"a": "b"}, {"a": 1}, {"a": None}]) | ANYTHING,
        "tools": st.none() | st.lists(TOOLS, max_size=1) | ANYTHING,
        "reasoning": st.sampled_from(
            [None, {}, {"effort": None}, {"effort": "max", "summary": "auto"}, {"effort": "x"}]
        )
        | ANYTHING.filter(lambda value: value != {"x": "y"}),
        "service_tier": st.sampled_from([None, "auto", "ultrafast", "slow"]) | ANYTHING,
        "text": st.sampled_from([None, {}, {"verbosity": "low"}, {"verbosity": None}, {"format": {"type": "text"}}]),
        "experimental": st.sampled_from([None, {}, {"time_awareness": True}, {"time_awareness": None}]),
        "multi_agent": st.sampled_from(
            [None, {}, {"enabled": True}, {"enabled": True, "max_concurrent_subagents": 2}, {"enabled": "yes"}]
        ),
        "extra": st.just("x"),
    },
)


@settings(
    max_examples=200, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(body=BODIES)
def test_a_body_is_taken_exactly_when_the_sdks_type_of_it_is(openai: OpenAI, body: Any) -> None:
    """What the types cannot say (lengths, names that repeat) is left out of the bodies; nested members that are
    unknown are too, since a type refuses them at its top only."""
    try:
        validated(strictly(agent_create_params.AgentCreateParams), body)
        fits = True
    except ValidationError:
        fits = False
    try:
        openai.post("/agents", body=body, cast_to=object, options={"headers": {"OpenAI-Beta": "agents=v1"}})
        taken = True
    except sdk.BadRequestError:
        taken = False
    assert taken is fits


@pytest.mark.parametrize(
    ("tools", "said"),
    [
        ([TOOL, TOOL], "duplicate function tool name: crear_reserva"),
        ([{"type": "web_search"}, {"type": "web_search"}], "duplicate web_search tool"),
        ([{**TOOL, "parameters": {"type": "array"}}], "got 'type: \"array\"'"),
    ],
)
def test_tools_that_no_type_can_refuse_are_refused_too(openai: OpenAI, tools: Any, said: str) -> None:
    with pytest.raises(sdk.BadRequestError, match=said):
        openai.beta.agents.create(model="gpt-6-luna", tools=tools)


def test_a_session_begins_with_a_turn_that_answers(openai: OpenAI) -> None:
    agent = openai.beta.agents.create(**SPEC)
    body: Any = {"agent_id": agent.id, "environment": NONE, "input": "hola", "metadata": {"wa": "1"}}
    TypeAdapter(session_create_params.SessionCreateParamsNonStreaming).validate_python(body)
    session = openai.beta.agents.sessions.create(**body)
    assert session.agent.id == agent.id
    assert session.metadata == {"wa": "1"}
    turn = latest(openai, session.id)
    assert (turn.status, turn.agent_id, turn.error) == ("completed", agent.id, None)
    assert openai.beta.agents.sessions.retrieve(session.id).status == "idle"
    assert said(openai, session.id) == "[Bot La Cocina] Eres el asistente del restaurante La · hola · turn 1"


def test_what_is_said_next_begins_another_turn_that_remembers(openai: OpenAI) -> None:
    session = begin(openai, "hola")
    body: Any = {"events": [message("¿y ahora?")]}
    TypeAdapter(event_create_params.EventCreateParams).validate_python(body)
    raw = openai.beta.agents.sessions.events.with_raw_response.create(session, **body)
    assert (raw.http_response.status_code, raw.http_response.content) == (202, b"")
    assert said(openai, session).endswith("¿y ahora? · turn 2")
    turns = openai.beta.agents.sessions.turns.list(session, order="asc").data
    assert [turn.status for turn in turns] == ["completed", "completed"]
    items = openai.beta.agents.sessions.turns.items.list(turns[0].id, session_id=session, order="asc").data
    assert [item.type for item in items] == ["message", "message"]


def test_what_is_said_during_a_turn_joins_it(openai: OpenAI) -> None:
    session = begin(openai, "piensa 0.3s")
    openai.beta.agents.sessions.events.create(session, events=[message("y apúrate")])
    assert openai.beta.agents.sessions.retrieve(session).status == "in_progress"
    wait_until(lambda: latest(openai, session).status == "completed")
    assert "piensa 0.3s / y apúrate" in said(openai, session)
    assert len(openai.beta.agents.sessions.turns.list(session).data) == 1


def test_a_function_call_is_asked_for_and_its_result_quoted(openai: OpenAI) -> None:
    session = begin(openai, 'llama a crear_reserva {"personas": 2}')
    [wanted] = openai.beta.agents.sessions.retrieve(session).required_actions
    assert wanted.type == "function_call"
    assert (wanted.name, wanted.arguments) == ("crear_reserva", {"personas": 2})
    assert latest(openai, session).status == "waiting"
    result: Any = {
        "type": "agent.session.input.tool_result",
        "turn_id": wanted.turn_id,
        "call_id": wanted.call_id,
        "success": True,
        "output": "mesa 7",
    }
    with pytest.raises(sdk.BadRequestError, match="Unknown pending tool call"):
        openai.beta.agents.sessions.events.create(session, events=[{**result, "call_id": "call_x"}])
    with pytest.raises(sdk.BadRequestError, match="belongs to a different Turn"):
        openai.beta.agents.sessions.events.create(session, events=[{**result, "turn_id": "turn_x"}])
    for _ in range(2):
        openai.beta.agents.sessions.events.create(session, events=[result])
    with pytest.raises(sdk.ConflictError, match="already has a different result"):
        openai.beta.agents.sessions.events.create(session, events=[{**result, "output": "otra"}])
    assert "resultado: mesa 7" in said(openai, session)
    kinds = [item.type for item in openai.beta.agents.sessions.items.list(session, order="asc").data]
    assert kinds == ["message", "function_call", "function_call_output", "message"]


def test_a_turn_is_cancelled_and_a_busy_session_is_not_deleted(openai: OpenAI) -> None:
    session = begin(openai, "piensa 60s")
    with pytest.raises(sdk.ConflictError) as caught:
        openai.beta.agents.sessions.delete(session)
    assert error_of(caught.value)["code"] == "conflict_error"
    openai.beta.agents.sessions.events.create(session, events=[{"type": "agent.session.input.cancel"}])
    assert latest(openai, session).status == "cancelled"
    assert openai.beta.agents.sessions.delete(session).deleted
    with pytest.raises(sdk.NotFoundError):
        openai.beta.agents.sessions.retrieve(session)


def test_a_batch_with_one_bad_event_says_nothing(openai: OpenAI) -> None:
    session = begin(openai, "hola")
    bad: Any = {"type": "agent.session.input.tool_result", "turn_id": "t", "call_id": "c", "success": True}
    with pytest.raises(sdk.BadRequestError):
        openai.beta.agents.sessions.events.create(session, events=[message("otra"), bad])
    assert len(openai.beta.agents.sessions.turns.list(session).data) == 1


def test_a_session_keeps_the_agent_as_it_was(openai: OpenAI) -> None:
    agent = openai.beta.agents.create(**SPEC)
    begun = openai.beta.agents.sessions.create(agent_id=agent.id, environment=NONE, input="hola")
    openai.beta.agents.update(agent.id, instructions="Otra cosa.")
    openai.beta.agents.delete(agent.id)
    openai.beta.agents.sessions.events.create(begun.id, events=[message("¿sigues?")])
    assert "Eres el asistente del restaurante La" in said(openai, begun.id)
    with pytest.raises(sdk.NotFoundError):
        openai.beta.agents.sessions.create(agent_id=agent.id, environment=NONE, input="hola")


def test_a_session_may_say_otherwise_than_its_agent(openai: OpenAI) -> None:
    session = begin(openai, "hola", agent={"instructions": "Solo por hoy."})
    assert said(openai, session).startswith("[Bot La Cocina] Solo por hoy.")


def test_only_some_of_a_session_can_be_changed_later(openai: OpenAI) -> None:
    session = begin(openai, "hola")
    changed = openai.beta.agents.sessions.update(session, agent={"model": "gpt-6-sol"}, metadata={"a": "b"})
    assert (changed.agent.model, changed.metadata) == ("gpt-6-sol", {"a": "b"})
    with pytest.raises(sdk.BadRequestError, match=r"Unknown parameter: 'agent\.instructions'"):
        openai.beta.agents.sessions.update(session, extra_body={"agent": {"instructions": "x"}})
    with pytest.raises(sdk.BadRequestError, match="At least one update field"):
        openai.beta.agents.sessions.update(session)


def test_sessions_are_found_by_their_metadata_and_their_agent(openai: OpenAI) -> None:
    first, second = (begin(openai, "hola", metadata={"wa": name, "x": "y"}) for name in ("1", "2"))
    found = openai.beta.agents.sessions.list(metadata={"wa": "2", "x": "y"}).data
    assert [session.id for session in found] == [second]
    agent = openai.beta.agents.sessions.retrieve(first).agent.id
    assert [session.id for session in openai.beta.agents.sessions.list(agent_id=agent)] == [first]


def test_a_session_needs_something_to_begin_with(openai: OpenAI) -> None:
    agent = openai.beta.agents.create(**SPEC)
    with pytest.raises(sdk.BadRequestError, match="require initial input"):
        openai.beta.agents.sessions.create(agent_id=agent.id, environment=NONE)


def test_what_a_turn_used_is_known_some_time_after_it(openai: OpenAI, sandbox: Sandbox) -> None:
    session = begin(openai, "hola")
    assert latest(openai, session).usage is None
    sandbox.settings(usage_seconds=0.0)
    used = latest(openai, session).usage
    assert used.input_tokens > 7_200
    assert used.total_tokens == used.input_tokens + used.output_tokens


def test_a_turn_with_a_model_that_is_gone_fails_and_the_session_goes_on(openai: OpenAI) -> None:
    session = begin(openai, "hola", agent={"model": "gpt-none"})
    turn = latest(openai, session)
    assert (turn.status, turn.error.code) == ("failed", "resource_not_found")
    assert openai.beta.agents.sessions.retrieve(session).status == "failed"
    openai.beta.agents.sessions.update(session, agent={"model": "gpt-6-luna"})
    openai.beta.agents.sessions.events.create(session, events=[message("¿ahora?")])
    assert latest(openai, session).status == "completed"
