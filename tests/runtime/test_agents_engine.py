"""The engine `agents`: live agents of OpenAI's Agents API, one session for each conversation."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from openai import OpenAI
from twilio.rest import Client

from schemas import Place
from schemas.content_shapes import content_of
from schemas.sending_tools import sending_tools
from tests.observability.scrape import scrape
from tests.runtime_process import NO_NOTE, Line, Runtime, open_line, start_runtime
from tests.sandbox_process import Sandbox, wait_until

SESSIONS = "/v1/agents/sessions"
CREATE: dict[str, Any] = {"provider": "openai", "method": "POST", "path": SESSIONS}
EVENTS: dict[str, Any] = {"provider": "openai", "method": "POST", "path": f"{SESSIONS}/*/events"}
OTHER_USER = "+56922222222"
"""A session's input is the user's only, so a note would be one of the messages that the tests count."""
TOOL = {
    "type": "function",
    "name": "crear_reserva",
    "description": "",
    "parameters": {"type": "object", "properties": {}},
}


@pytest.fixture(autouse=True)
def usage_is_known_at_once(sandbox: Sandbox) -> None:
    """So that no turn of one test is asked about in the next."""
    sandbox.settings(usage_seconds=0.0)


@pytest.fixture
def live(sandbox: Sandbox) -> Iterator[OpenAI]:
    """The provider, as the agency's own console."""
    with OpenAI(base_url=sandbox.openai_url, api_key=sandbox.api_key) as client:
        yield client


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox) -> Iterator[Runtime]:
    settings = {"MODEL_TIMEOUT_SECONDS": "5", "TURN_DEADLINE_SECONDS": "10"}
    running = start_runtime(tmp_path_factory.mktemp("agents"), sandbox_process, **settings)
    yield running
    running.stop()


@pytest.fixture
def agent(live: OpenAI) -> Callable[..., str]:
    """`agent(**fields)` makes a live agent and gives its id."""

    def make(**fields: Any) -> str:
        return live.beta.agents.create(**{"model": "gpt-6-luna", "name": "Vivo", **fields}).id

    return make


@pytest.fixture
def shop(patient: Runtime, sandbox: Sandbox, agent: Callable[..., str]) -> Line:
    return open_line(patient, sandbox, policy=NO_NOTE, assistant_id=agent(instructions="Eres un agente vivo."))


def sessions(live: OpenAI) -> list[Any]:
    """Oldest first."""
    return list(live.beta.agents.sessions.list(order="asc"))


def stored_usage(runtime: Runtime) -> list[tuple[int, ...]]:
    """Input, cached and output tokens of every turn."""
    with closing(sqlite3.connect(runtime.folder / "runtime.db")) as store:
        return store.execute("SELECT input_tokens, cached_tokens, output_tokens FROM turns ORDER BY id").fetchall()


def posted(shop: Line, part: str) -> list[dict[str, Any]]:
    """Calls of the provider that ended in `part`."""
    return [call for call in shop.sandbox.calls("openai", "POST") if call["path"].endswith(part)]


def test_the_live_agent_answers_and_its_session_remembers(shop: Line, live: OpenAI) -> None:
    assert "Eres un agente vivo." in shop.ask("Hola")
    assert "turn 2" in shop.ask("¿Y ahora?")
    [session] = sessions(live)
    assert session.metadata["client"] == shop.bot["id"]
    assert "+569" not in str(session.metadata)


def test_two_users_have_two_sessions(shop: Line, live: OpenAI) -> None:
    shop.ask("Hola", "+56911111111")
    assert "turn 1" in shop.ask("Hola", OTHER_USER)
    assert len(sessions(live)) == 2


def test_several_messages_are_said_one_by_one_and_answered_together(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox, agent: Callable[..., str], live: OpenAI
) -> None:
    runtime = runtime_factory(DEBOUNCE_SECONDS="2")
    shop = open_line(runtime, sandbox, policy=NO_NOTE, assistant_id=agent(instructions="I"))
    shop.write("Hola", wait=0)
    wait_until(lambda: shop.received() == 1, what="the first message")
    shop.write("quiero una mesa", wait=0)
    wait_until(lambda: bool(shop.outbound()), what="an answer")
    assert "Hola / quiero una mesa" in shop.outbound()[0]["body"]
    [session] = sessions(live)
    said = live.beta.agents.sessions.items.list(session.id, order="asc").data
    assert [item.type for item in said] == ["message"] * 3


def sender(patient: Runtime, sandbox: Sandbox, agent: Callable[..., str]) -> Line:
    """A bot whose agent may send a place and offer buttons, as an apply makes both."""
    kept = ("type", "name", "description", "parameters")
    places = {"local": Place(latitude=-33.4515, longitude=-70.6253, name="La Cocina")}
    tools = [{key: tool[key] for key in kept} for tool in sending_tools((), (), places, buttons=True, people=False)]
    content = Client(sandbox.account_sid, sandbox.auth_token).http_client.request(
        "POST",
        f"{sandbox.twilio_url}/v1/Content",
        data=content_of("buttons-1"),
        auth=(sandbox.account_sid, sandbox.auth_token),
        headers={"Content-Type": "application/json"},
    )
    policy = {
        **NO_NOTE,
        "media": {"places": {name: place.model_dump(exclude_none=True) for name, place in places.items()}},
        "replies": {"one_message": False, "buttons": True},
        "contents": {"buttons-1": json.loads(content.text)["sid"]},
    }
    return open_line(patient, sandbox, policy=policy, assistant_id=agent(instructions="I", tools=tools))


def test_an_agent_sends_a_place_before_its_words(patient: Runtime, sandbox: Sandbox, agent: Callable[..., str]) -> None:
    shop = sender(patient, sandbox, agent)
    shop.write('send_location {"name": "local"}', wait=0)
    wait_until(lambda: len(shop.outbound()) == 2, what="a place and an answer")
    place, text = shop.outbound()
    assert place["body"] == "La Cocina"
    assert "accepted: it is sent together with your answer" in text["body"]


def test_buttons_of_an_agent_are_its_whole_answer(
    patient: Runtime, sandbox: Sandbox, agent: Callable[..., str]
) -> None:
    shop = sender(patient, sandbox, agent)
    shop.write('offer_buttons {"text": "¿Confirmas?", "buttons": ["Sí"]}', wait=0)
    wait_until(lambda: bool(shop.outbound()), what="an answer")
    shop.ask("Hola")
    offer, text = shop.outbound()
    assert (offer["content"]["buttons"], "Hola" in text["body"]) == ([{"title": "Sí", "id": "1"}], True)


def test_function_calls_are_answered_with_what_the_endpoint_said(
    patient: Runtime, sandbox: Sandbox, agent: Callable[..., str]
) -> None:
    shop = open_line(patient, sandbox, policy=NO_NOTE, assistant_id=agent(instructions="I", tools=[TOOL]))
    assert "no endpoint is configured" in shop.ask('llama a crear_reserva {"personas": 2}')


def test_a_result_whose_arrival_is_unknown_is_told_again_and_the_function_not_called_again(
    patient: Runtime, sandbox: Sandbox, agent: Callable[..., str]
) -> None:
    shop = open_line(patient, sandbox, policy=NO_NOTE, assistant_id=agent(instructions="I", tools=[TOOL]))
    sandbox.faults(EVENTS | {"kind": "status", "status": 503, "times": 1})
    assert "no endpoint is configured" in shop.ask("llama a crear_reserva")
    calls = [
        entry for entry in patient.log() if entry["event"] == "function_called" and entry["client"] == shop.bot["id"]
    ]
    assert len(calls) == 1
    assert len(posted(shop, "/events")) == 2


@pytest.mark.parametrize("fault", ["timeout_after_write", "cut_body"])
def test_a_session_whose_creation_was_not_heard_of_is_found_and_not_made_again(
    shop: Line, live: OpenAI, fault: str
) -> None:
    shop.sandbox.faults(CREATE | {"kind": fault, "seconds": 0.1, "times": 1})
    assert "turn 1" in shop.ask("Hola")
    assert len(sessions(live)) == 1
    assert "turn 2" in shop.ask("¿Y ahora?")
    assert len(sessions(live)) == 1


@pytest.mark.parametrize("fault", ["timeout_after_write", "timeout_before_write"])
def test_a_message_is_said_once_whatever_became_of_the_call(shop: Line, live: OpenAI, fault: str) -> None:
    shop.ask("Hola")
    shop.sandbox.faults(EVENTS | {"kind": fault, "seconds": 0.1, "times": 1})
    assert shop.ask("¿Y ahora?").endswith("¿Y ahora? · turn 2")
    [session] = sessions(live)
    assert len(live.beta.agents.sessions.turns.list(session.id).data) == 2


def test_errors_while_a_turn_is_followed_do_not_say_anything_again(shop: Line, live: OpenAI) -> None:
    shop.sandbox.faults(
        {"provider": "openai", "method": "GET", "path": f"{SESSIONS}/*/turns", "kind": "status", "times": 2}
    )
    assert "turn 1" in shop.ask("Hola")
    [session] = sessions(live)
    assert len(live.beta.agents.sessions.turns.list(session.id).data) == 1


@pytest.mark.long
def test_a_turn_whose_process_was_killed_goes_on_in_the_next_one(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox, agent: Callable[..., str], live: OpenAI
) -> None:
    runtime = runtime_factory()
    shop = open_line(runtime, sandbox, policy=NO_NOTE, assistant_id=agent(instructions="I"))
    shop.write("piensa 2s", wait=0)
    wait_until(lambda: bool(sessions(live)), what="a session")
    runtime.kill()
    runtime.start_again()
    wait_until(lambda: len(shop.outbound()) == 1, what="an answer")
    assert "piensa 2s · turn 1" in shop.outbound()[0]["body"]
    [session] = sessions(live)
    assert len(live.beta.agents.sessions.turns.list(session.id).data) == 1


def test_new_instructions_take_effect_in_a_new_session_that_knows_what_was_said(shop: Line, live: OpenAI) -> None:
    shop.ask("Me llamo Ana")
    [former] = sessions(live)
    live.beta.agents.update(shop.bot["assistant_id"], instructions="Ahora eres otro.")
    answer = shop.ask("¿Cómo me llamo?")
    assert "Ahora eres otro." in answer
    assert "user: Me llamo Ana" in answer
    assert "assistant: [Vivo] Eres un agente vivo." in answer
    [current] = sessions(live)
    assert former.metadata["version"] != current.metadata["version"]
    assert "turn 3" in shop.ask("¿Y ahora?")
    assert [session.id for session in sessions(live)] == [current.id]


def test_a_replaced_session_that_cannot_be_deleted_holds_up_no_answer_and_goes_with_the_next(
    shop: Line, live: OpenAI
) -> None:
    shop.ask("Hola", OTHER_USER)
    [other] = sessions(live)
    shop.ask("Me llamo Ana")
    shop.sandbox.faults({"provider": "openai", "method": "DELETE", "path": SESSIONS, "kind": "status", "times": 1})
    live.beta.agents.update(shop.bot["assistant_id"], instructions="Ahora eres otro.")
    assert "Ahora eres otro." in shop.ask("¿Cómo me llamo?")
    assert len(sessions(live)) == 3
    [warning] = [entry for entry in shop.runtime.log() if entry["event"] == "replaced_session_left"]
    assert warning["session"] == sessions(live)[1].id
    live.beta.agents.update(shop.bot["assistant_id"], instructions="Y ahora un tercero.")
    assert "Y ahora un tercero." in shop.ask("¿Y ahora?")
    kept = sessions(live)
    assert (len(kept), kept[0].id) == (2, other.id)


def test_a_new_mark_on_the_agent_changes_nothing_in_its_conversations(shop: Line, live: OpenAI) -> None:
    shop.ask("Hola")
    live.beta.agents.update(shop.bot["assistant_id"], metadata={"managed-by": "x"}, name="Otro nombre")
    assert "turn 2" in shop.ask("¿Y ahora?")
    assert len(sessions(live)) == 1


def test_a_bot_s_own_instructions_and_model_replace_those_of_the_agent(
    patient: Runtime, sandbox: Sandbox, agent: Callable[..., str], live: OpenAI
) -> None:
    own = {"instructions": "Propias de aquí.", "model": "gpt-6-sol"}
    shop = open_line(patient, sandbox, policy=NO_NOTE, assistant_id=agent(instructions="Viejas."), **own)
    assert "Propias de aquí." in shop.ask("Hola")
    [session] = sessions(live)
    assert session.agent.model == "gpt-6-sol"


def test_a_session_that_was_lost_is_begun_anew_with_what_was_said(shop: Line, live: OpenAI) -> None:
    shop.ask("Me llamo Ana")
    [session] = sessions(live)
    live.beta.agents.sessions.delete(session.id)
    assert "user: Me llamo Ana" in shop.ask("¿Sigues ahí?")


def test_a_turn_that_failed_for_good_ends_with_the_reason_and_the_next_has_a_new_session(
    shop: Line, live: OpenAI
) -> None:
    shop.ask("Hola")
    [session] = sessions(live)
    live.beta.agents.sessions.update(session.id, agent={"model": "gpt-none"})
    assert "problema técnico" in shop.ask("¿Y ahora?")
    wait_until(lambda: any("resource_not_found" in str(entry.get("error")) for entry in shop.runtime.log()))
    assert "user: Hola" in shop.ask("¿Sigues ahí?")
    assert len(sessions(live)) == 1


def test_what_a_failed_turn_did_is_told_to_the_next_session(
    patient: Runtime, sandbox: Sandbox, agent: Callable[..., str], live: OpenAI
) -> None:
    shop = open_line(patient, sandbox, assistant_id=agent(instructions="I", tools=[TOOL]))
    sandbox.faults(EVENTS | {"kind": "status", "status": 400, "times": 1})
    assert "problema técnico" in shop.ask('llama a crear_reserva {"personas": 2}')

    shop.ask("¿Quedó?")

    told = str(posted(shop, "/agents/sessions")[-1]["body"]["input"])
    assert 'function called: crear_reserva({"personas": 2})' in told
    assert "its result: " in told
    assert len(sessions(live)) == 1


def failing(code: str) -> dict[str, Any]:
    """A fault: once, the turn that is asked after has failed."""
    turn = {
        "id": "turn_x",
        "object": "agent.session.turn",
        "agent_id": "agent_x",
        "session_id": "session_x",
        "created_at": 1,
        "status": "failed",
        "error": {"code": code, "message": "Out of order."},
    }
    body = {"object": "list", "data": [turn], "first_id": "turn_x", "last_id": "turn_x", "has_more": False}
    where = {"provider": "openai", "method": "GET", "path": f"{SESSIONS}/*/turns"}
    return where | {"kind": "status", "status": 200, "body": body, "times": 1}


def test_a_turn_that_failed_for_a_moment_is_tried_again(shop: Line) -> None:
    shop.sandbox.faults(failing("server_overloaded"))
    assert "turn 1" in shop.ask("Hola")
    assert shop.sandbox.fired() == 1


@pytest.mark.parametrize("code", ["credit_balance_exhausted", "cyber_policy"])
def test_a_turn_that_cannot_go_well_is_not_tried_again(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox, agent: Callable[..., str], code: str
) -> None:
    runtime = runtime_factory()
    shop = open_line(runtime, sandbox, policy=NO_NOTE, assistant_id=agent(instructions="I"))
    sandbox.faults(failing(code))
    assert "problema técnico" in shop.ask("Hola")
    assert len(posted(shop, "/sessions")) == 1
    assert any(f"failed ({code}): Out of order." in str(entry.get("error")) for entry in runtime.log())


@pytest.mark.long
def test_what_is_written_while_a_turn_is_tried_again_is_said_after_it_and_answered_with_it(
    shop: Line, live: OpenAI
) -> None:
    where = {"provider": "openai", "method": "GET", "path": f"{SESSIONS}/*/turns", "times": 1}
    shop.sandbox.faults(where | {"kind": "retry_after", "retry_after": 4})
    shop.write("Hola", wait=0)
    wait_until(lambda: shop.sandbox.fired() == 1, what="a first attempt that failed")
    shop.write("¿Y ahora?", wait=0)
    wait_until(lambda: bool(shop.outbound()), what="an answer")
    [answer] = [message["body"] for message in shop.outbound()]
    assert "Hola · turn 1" in answer
    assert "¿Y ahora? · turn 2" in answer
    [session] = sessions(live)
    assert len(live.beta.agents.sessions.turns.list(session.id).data) == 2


def test_an_approval_that_nobody_can_give_ends_the_turn(shop: Line, live: OpenAI) -> None:
    turn = failing("x")["body"]["data"][0] | {"status": "waiting", "error": None}
    request = {"type": "mcp_tool_call", "message": "?", "server_label": "x", "name": None, "arguments": None}
    wanted = {"type": "mcp_approval_request", "request_id": "r", "turn_id": "turn_x", "request": request}
    session = {"id": "session_x", "status": "requires_action", "required_actions": [wanted]}
    get = {"provider": "openai", "method": "GET", "kind": "status", "status": 200, "times": 1}
    shop.sandbox.faults(
        get | {"path": f"{SESSIONS}/*/turns", "body": {"object": "list", "data": [turn], "has_more": False}},
        get | {"path": f"{SESSIONS}/session_*", "body": session},
    )
    assert "problema técnico" in shop.ask("piensa 60s")
    wait_until(lambda: any("mcp_approval_request" in str(entry.get("error")) for entry in shop.runtime.log()))
    [begun] = sessions(live)
    assert [turn.status for turn in live.beta.agents.sessions.turns.list(begun.id).data] == ["cancelled"]


@pytest.mark.long
def test_an_earlier_turn_that_we_gave_up_is_cancelled_before_anything_else_is_said(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox, agent: Callable[..., str], live: OpenAI
) -> None:
    runtime = runtime_factory(MODEL_TIMEOUT_SECONDS="1", TURN_DEADLINE_SECONDS="2")
    shop = open_line(runtime, sandbox, policy=NO_NOTE, assistant_id=agent(instructions="I"))
    sandbox.settings(think_seconds=60.0)
    assert "problema técnico" in shop.ask("Hola")
    sandbox.settings(think_seconds=0.0)
    assert "¿Sigues ahí?" in shop.ask("¿Sigues ahí?")
    calls = sandbox.calls("openai", "POST", "/v1/agents/sessions")
    said = [call for call in calls if "¿Sigues ahí?" in json.dumps(call["body"], ensure_ascii=False)]
    cancelled = [call for call in calls if "agent.session.input.cancel" in json.dumps(call["body"])]
    assert cancelled
    assert calls.index(cancelled[0]) < calls.index(said[0])
    [session] = sessions(live)
    turns = live.beta.agents.sessions.turns.list(session.id, order="asc").data
    assert [turn.status for turn in turns] == ["completed"]


def test_what_a_turn_used_is_counted_when_it_is_known_in_time(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox, agent: Callable[..., str]
) -> None:
    runtime = runtime_factory()
    shop = open_line(runtime, sandbox, policy=NO_NOTE, assistant_id=agent(instructions="I"))
    sandbox.settings(usage_seconds=60.0)
    shop.ask("Hola")
    [unknown] = [entry for entry in runtime.log() if entry["event"] == "turn_answered"]
    assert (unknown["input_tokens"], unknown["model"]) == (0, "gpt-6-luna")
    sandbox.settings(usage_seconds=0.0)
    shop.ask("Hola")
    [_, known] = [entry for entry in runtime.log() if entry["event"] == "turn_answered"]
    assert known["input_tokens"] > 7_200


@pytest.mark.long
def test_what_a_turn_used_is_booked_when_it_is_known_after_its_end(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox, agent: Callable[..., str]
) -> None:
    runtime = runtime_factory()
    shop = open_line(runtime, sandbox, policy=NO_NOTE, assistant_id=agent(instructions="I"))
    labels = {"client": shop.bot["id"], "model": "gpt-6-luna"}
    sandbox.settings(usage_seconds=1.0)
    # A turn by itself, not its items: those end in an s.
    asking = {"provider": "openai", "method": "GET", "path": f"{SESSIONS}/*/turns/turn_*[!s]"}
    sandbox.faults(asking | {"kind": "status", "status": 503, "times": 1})
    shop.ask("Hola")
    assert scrape(runtime).value("horizonai_tokens_total", kind="input", **labels) == 0
    wait_until(lambda: scrape(runtime).value("horizonai_cost_usd_total", **labels) > 0, what="the price")
    seen = scrape(runtime)
    spent = [seen.value("horizonai_tokens_total", kind=kind, **labels) for kind in ("input", "cached", "output")]
    assert spent[0] > 7_200
    assert (spent[2] > 0, sandbox.fired()) == (True, 1)
    wait_until(lambda: stored_usage(runtime) == [(spent[0] + spent[1], spent[1], spent[2])], what="the turn's usage")
    assert runtime.log()[-1]["event"] == "usage_recorded"


def test_usage_that_never_becomes_known_is_counted_as_such_and_not_as_nothing(shop: Line, live: OpenAI) -> None:
    shop.sandbox.settings(usage_seconds=60.0)
    shop.ask("Hola")
    [session] = sessions(live)
    live.beta.agents.sessions.delete(session.id)
    labels = {"client": shop.bot["id"], "model": "gpt-6-luna"}
    wait_until(lambda: scrape(shop.runtime).value("horizonai_uncounted_answers_total", **labels) == 1)
    assert scrape(shop.runtime).value("horizonai_unpriced_usage_total", **labels) == 0


def test_an_agent_that_does_not_exist_is_said_so(patient: Runtime, sandbox: Sandbox) -> None:
    shop = open_line(patient, sandbox, assistant_id="agent_nobody")
    assert "problema técnico" in shop.ask("Hola")
    assert any("The agent agent_nobody does not exist" in str(entry.get("error")) for entry in patient.log())


def test_a_conversation_that_comes_from_another_engine_goes_on(
    patient: Runtime, sandbox: Sandbox, agent: Callable[..., str]
) -> None:
    shop = open_line(patient, sandbox)
    shop.ask("Me llamo Ana")
    changed = patient.api("PUT", f"/bots/{shop.bot['id']}", {"assistant_id": agent(instructions="Soy el nuevo.")})
    assert changed.status == 200, changed.body
    assert "user: Me llamo Ana" in shop.ask("¿Cómo me llamo?")
