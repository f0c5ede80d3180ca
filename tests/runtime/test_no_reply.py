"""Thanks stay without an answer where nothing is lost by it, and what may be a yes never does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from openai import OpenAI

from runtime.store.database.times import later, timestamp
from tests.drivers.fleet import USER, Fleet, fleet_on
from tests.function_endpoint import Endpoint
from tests.observability.scrape import scrape
from tests.runtime.dialogues import BOOKINGS, THANKS
from tests.runtime_process import Line
from tests.sandbox_process import Json, Sandbox, wait_until

MODEL: dict[str, Any] = {"provider": "openai", "method": "POST", "path": "/v1/responses"}
STATE = (
    "SELECT (SELECT count(*) FROM inbox WHERE bot_id = '{bot}'),"
    " (SELECT count(*) FROM inbox WHERE bot_id = '{bot}' AND state = 'open'),"
    " (SELECT count(*) FROM outbox WHERE bot_id = '{bot}' AND state IN ('ready', 'sending'))"
)
TOOL_REFUSED = '"auto" tool choice requires --enable-auto-tool-choice'


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.long])]
)
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox
) -> Iterator[Fleet]:
    """Runtimes that may answer in the webhook's own response."""
    folder = tmp_path_factory.mktemp("thrift")
    with fleet_on(request.param, folder, sandbox_process, REPLY_WITHIN_SECONDS="12") as fleet:
        yield fleet


@pytest.fixture
def fleet(served: Fleet, sandbox: Sandbox) -> Fleet:
    return served


@pytest.fixture
def shop(fleet: Fleet) -> Line:
    return fleet.open_line(fallback_message="Lo sentimos.")


def sent(fleet: Fleet, shop: Line) -> list[str]:
    """What was sent to the bot's users, in order."""
    return [body for (body,) in fleet.rows(f"SELECT body FROM outbox WHERE bot_id = '{shop.bot['id']}' ORDER BY id")]


def wrote(fleet: Fleet, shop: Line, text: str, user: str = USER, **fields: str) -> list[str]:
    """A user writes; gives what was sent to them by the end of the turn."""
    state = STATE.format(bot=shop.bot["id"])
    [(received, _, _)] = fleet.rows(state)
    before = len(sent(fleet, shop))
    fleet.sandbox.inbound(shop.number, text, user, wait=0, extra=fields)
    wait_until(lambda: fleet.rows(state) == [(received + 1, 0, 0)], what="the end of the turn")
    return sent(fleet, shop)[before:]


def saying(*output: Json) -> Json:
    """A fault: the model's next response has these items."""
    body = {"object": "response", "status": "completed", "model": "gpt-6-luna", "output": output}
    usage = {"input_tokens": 700, "input_tokens_details": {"cached_tokens": 500}, "output_tokens": 9}
    return MODEL | {"kind": "status", "status": 200, "body": {**body, "usage": usage}, "times": 1}


def words(text: str) -> Json:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {"type": "message", "role": "assistant", "status": "completed", "content": content}


def after(fleet: Fleet, shop: Line, answer: str, user: str = USER) -> None:
    """The assistant has said this to a user."""
    fleet.sandbox.faults(shop.only(saying(words(answer))))
    assert len(wrote(fleet, shop, "Hola", user)) == 1
    fleet.sandbox.faults()


def turns(fleet: Fleet, shop: Line) -> list[tuple[Any, ...]]:
    return fleet.rows(f"SELECT state, reason FROM turns WHERE bot_id = '{shop.bot['id']}' ORDER BY id")


def asked(shop: Line) -> list[Json]:
    """The requests to the model."""
    return [call["body"] for call in shop.sandbox.calls("openai", "POST", "/v1/responses")]


def offered(shop: Line) -> list[str]:
    """The functions in the last of them."""
    return [tool["name"] for tool in asked(shop)[-1].get("tools", ()) if tool["type"] == "function"]


def counted(fleet: Fleet, shop: Line, **labels: str) -> float:
    return sum(
        scrape(replica).value("horizonai_turns_total", client=shop.bot["id"], **labels) for replica in fleet.replicas
    )


def test_none_of_what_may_be_a_yes_stays_unanswered(fleet: Fleet, shop: Line) -> None:
    for number, (said, text) in enumerate(BOOKINGS):
        user = f"+569{number:08d}"
        after(fleet, shop, said, user)
        assert [text in answer for answer in wrote(fleet, shop, text, user)] == [True], (said, text)
    assert {state for state, _ in turns(fleet, shop)} == {"answered"}


def test_thanks_cost_neither_a_reply_nor_a_call_of_the_model(fleet: Fleet, shop: Line) -> None:
    for number, (said, text) in enumerate(THANKS):
        user = f"+569{number:08d}"
        after(fleet, shop, said, user)
        assert wrote(fleet, shop, text, user) == [], (said, text)
    assert turns(fleet, shop) == [("answered", None), ("unanswered", "no_reply")] * len(THANKS)
    assert len(asked(shop)) == len(THANKS)
    assert counted(fleet, shop, result="unanswered", reason="no_reply") == len(THANKS)


def test_the_webhook_of_thanks_gets_an_empty_answer(fleet: Fleet, shop: Line) -> None:
    after(fleet, shop, "Abrimos a las 9.")
    assert b"<Message>" not in fleet.deliver(shop, "gracias").body
    assert wrote(fleet, shop, "chao") == []


def test_what_a_user_said_is_remembered_and_a_second_goodbye_needs_no_answer_either(fleet: Fleet, shop: Line) -> None:
    after(fleet, shop, "Abrimos a las 9.")
    assert wrote(fleet, shop, "gracias") == []
    assert wrote(fleet, shop, "chao") == []
    assert len(wrote(fleet, shop, "Perdón, ¿y el domingo?")) == 1
    said = [item["content"] for item in asked(shop)[-1]["input"] if item["role"] != "developer"]
    assert said == ["Hola", "Abrimos a las 9.", "gracias", "chao", "Perdón, ¿y el domingo?"]
    states = fleet.rows(f"SELECT body, state FROM inbox WHERE bot_id = '{shop.bot['id']}' ORDER BY id")
    assert states[1] == ("gracias", "unanswered")


def test_a_client_that_wants_every_message_answered_gets_that(fleet: Fleet) -> None:
    shop = fleet.open_line(policy={"replies": {"no_reply": False}})
    after(fleet, shop, "Abrimos a las 9.")
    assert len(wrote(fleet, shop, "gracias")) == 1
    assert (offered(shop), "one message" in asked(shop)[-1]["input"][-2]["content"]) == ([], True)


def test_the_first_message_of_all_is_answered_also_where_it_is_thanks(fleet: Fleet, shop: Line) -> None:
    assert len(wrote(fleet, shop, "gracias")) == 1


def test_thanks_after_a_message_that_is_not_the_assistant_s_own_are_answered(fleet: Fleet, shop: Line) -> None:
    after(fleet, shop, "Abrimos a las 9.")
    operators = {"to": USER, "body": "Le guardo la mesa.", "bot_id": shop.bot["id"]}
    shop.runtime.made("/messages/", operators)
    assert len(wrote(fleet, shop, "gracias")) == 1
    after(fleet, shop, "Abrimos a las 9.")
    assert wrote(fleet, shop, "gracias") == []


def test_thanks_after_a_fallback_message_are_answered(fleet: Fleet, shop: Line) -> None:
    after(fleet, shop, "Abrimos a las 9.")
    fleet.sandbox.faults(shop.only(MODEL | {"kind": "status", "status": 400, "times": 1}))
    assert wrote(fleet, shop, "Quiero una mesa.") == ["Lo sentimos."]
    fleet.sandbox.faults()
    assert len(wrote(fleet, shop, "gracias")) == 1


def test_thanks_after_a_notice_are_answered(fleet: Fleet, shop: Line) -> None:
    after(fleet, shop, "Abrimos a las 9.")
    picture = {"NumMedia": "1", "MediaUrl0": "https://example.cl/a.jpg", "MediaContentType0": "image/jpeg"}
    assert len(wrote(fleet, shop, "", **picture)) == 1
    assert len(wrote(fleet, shop, "gracias")) == 1


def test_what_a_pause_left_without_an_answer_is_not_passed_over_by_thanks(fleet: Fleet, shop: Line) -> None:
    after(fleet, shop, "Abrimos a las 9.")
    bot = f"/bots/{shop.bot['id']}"
    shop.runtime.api("PUT", bot, {"state": "paused"})
    assert wrote(fleet, shop, "Quiero una mesa para dos.") == []
    assert wrote(fleet, shop, "gracias") == []
    shop.runtime.api("PUT", bot, {"state": "active"})
    wait_until(lambda: len(wrote(fleet, shop, "gracias")) == 1, what="an answer")
    assert ("unanswered", "no_reply") not in turns(fleet, shop)


@pytest.mark.parametrize(("hours", "answers"), [(23, 0), (25, 1)])
def test_thanks_are_for_an_answer_of_the_last_24_hours(fleet: Fleet, shop: Line, hours: int, answers: int) -> None:
    after(fleet, shop, "Abrimos a las 9.")
    at = later(timestamp(), -hours * 3600)
    fleet.rows(f"UPDATE outbox SET created_at = '{at}' WHERE bot_id = '{shop.bot['id']}' RETURNING id")
    assert len(wrote(fleet, shop, "gracias")) == answers


def test_thanks_for_an_answer_that_reached_no_phone_are_answered(fleet: Fleet, shop: Line) -> None:
    after(fleet, shop, "Abrimos a las 9.")
    status = f"SELECT status FROM outbox WHERE bot_id = '{shop.bot['id']}'"
    wait_until(lambda: fleet.rows(status) == [("delivered",)], what="Twilio's last callback")
    fleet.rows(f"UPDATE outbox SET status = 'undelivered' WHERE bot_id = '{shop.bot['id']}' RETURNING id")
    assert len(wrote(fleet, shop, "gracias")) == 1


def test_a_question_in_the_first_part_of_a_long_answer_counts(fleet: Fleet, shop: Line) -> None:
    long = "La carta es larga. " * 100
    for user, opening, answers in (("+56911111111", "¿Reservo?", 1), ("+56922222222", "Reservado.", 0)):
        fleet.sandbox.faults(shop.only(saying(words(f"{opening}\n\n{long}"))))
        assert len(wrote(fleet, shop, "Hola", user)) == 2
        fleet.sandbox.faults()
        assert len(wrote(fleet, shop, "gracias", user)) == answers, opening


def test_a_word_that_begins_the_conversation_over_is_answered(fleet: Fleet) -> None:
    shop = fleet.open_line(policy={"memory": {"reset_words": ["chao"]}})
    after(fleet, shop, "Abrimos a las 9.")
    assert len(wrote(fleet, shop, "¡Chao!")) == 1
    assert wrote(fleet, shop, "gracias") == []


def test_thanks_with_a_receipt_or_for_an_older_message_are_answered(fleet: Fleet, shop: Line) -> None:
    after(fleet, shop, "Puede pagar por transferencia.")
    receipt = {"NumMedia": "1", "MediaUrl0": "https://example.cl/a.jpg", "MediaContentType0": "image/jpeg"}
    assert len(wrote(fleet, shop, "gracias", **receipt)) == 1
    assert len(wrote(fleet, shop, "gracias", OriginalRepliedMessageSid="SM" + "0" * 32, MessageType="text")) == 1


def test_the_model_may_choose_not_to_answer(fleet: Fleet, shop: Line) -> None:
    after(fleet, shop, "Abrimos a las 9.")

    assert wrote(fleet, shop, "jaja no_reply") == []

    assert offered(shop) == ["no_reply"]
    assert turns(fleet, shop)[-1] == ("unanswered", "no_reply")
    spent = f"SELECT id, model, input_tokens FROM turns WHERE bot_id = '{shop.bot['id']}' AND reason = 'no_reply'"
    [(turn, model, tokens)] = fleet.rows(spent)
    assert (model, tokens > 0) == ("gpt-6-luna", True)
    kinds = fleet.rows(f"SELECT kind, quantity FROM usage WHERE turn_id = {turn} ORDER BY kind")
    assert ("model_input", tokens) in kinds
    assert wrote(fleet, shop, "gracias") == []
    assert len(wrote(fleet, shop, "¿Y el domingo?")) == 1
    said = [item.get("content") for item in asked(shop)[-1]["input"] if item.get("role") != "developer"]
    assert said == ["Hola", "Abrimos a las 9.", "jaja no_reply", "gracias", "¿Y el domingo?"]
    assert offered(shop) == []
    told = [line for replica in fleet.replicas for line in replica.log() if line["event"] == "message_not_answered"]
    assert {line.get("model") for line in told if line.get("client") == shop.bot["id"]} == {"gpt-6-luna", None}


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("¿Algo más?", "ok"),
        ("Abrimos a las 9.", "ok?"),
        ("Abrimos a las 9.", "x" * 41),
    ],
    ids=["after a question", "a question", "41 characters"],
)
def test_the_model_has_no_choice_where_something_may_be_asked(fleet: Fleet, shop: Line, said: str, text: str) -> None:
    after(fleet, shop, said)
    assert len(wrote(fleet, shop, text)) == 1
    assert offered(shop) == []


def test_words_of_the_model_beside_its_choice_are_sent(fleet: Fleet, shop: Line) -> None:
    after(fleet, shop, "Abrimos a las 9.")
    call = {"type": "function_call", "name": "no_reply", "call_id": "call_1", "arguments": "{}", "status": "completed"}
    fleet.sandbox.faults(shop.only(saying(words("¡Que lo disfrute!"), call)))
    assert wrote(fleet, shop, "ok") == ["¡Que lo disfrute!"]


def test_a_model_that_calls_it_without_having_been_offered_it_calls_an_unknown_function(
    fleet: Fleet, shop: Line
) -> None:
    call = {"type": "function_call", "name": "no_reply", "call_id": "call_1", "arguments": "{}", "status": "completed"}
    fleet.sandbox.faults(shop.only(saying(call)))
    assert len(wrote(fleet, shop, "Hola")) == 1
    (output,) = [item["output"] for item in asked(shop)[-1]["input"] if item.get("type") == "function_call_output"]
    assert json.loads(output) == {"error": "no endpoint is configured for the function 'no_reply'"}


def test_a_function_beside_its_choice_is_called_and_answered(fleet: Fleet, endpoint: Endpoint) -> None:
    tool = {"type": "function", "name": "anotar", "parameters": {"type": "object", "properties": {}}, "strict": False}
    body = {"name": "A", "instructions": "Eres breve.", "model": "gpt-6-luna", "tools": [tool]}
    assistant = fleet.replicas[0].made("/assistants/", body)
    shop = fleet.open_line(assistant_id=assistant["id"], functions={"anotar": {"url": endpoint.url}})
    after(fleet, shop, "Abrimos a las 9.")

    assert len(wrote(fleet, shop, "ok, anotar y no_reply")) == 1

    assert [json.loads(body)["name"] for _, body in endpoint.received] == ["anotar"]
    first, second = asked(shop)[-2:]
    assert [tool["name"] for tool in first["tools"]] == ["anotar", "no_reply"]
    assert [tool["name"] for tool in second["tools"]] == ["anotar"]
    assert [item["name"] for item in second["input"] if item.get("type") == "function_call"] == ["anotar"]


def test_a_server_without_tools_is_asked_again_without_this_one(fleet: Fleet) -> None:
    shop = fleet.open_line(model="sin-tools")
    after(fleet, shop, "Abrimos a las 9.")
    refused = {"error": {"message": TOOL_REFUSED, "type": "BadRequestError", "param": None, "code": 400}}
    fleet.sandbox.faults(shop.only(MODEL | {"kind": "status", "status": 400, "body": refused, "times": 1}))
    assert len(wrote(fleet, shop, "ok")) == 1
    assert offered(shop) == []


@pytest.fixture
def live(sandbox: Sandbox) -> Iterator[OpenAI]:
    with OpenAI(base_url=sandbox.openai_url, api_key=sandbox.api_key) as client:
        yield client


@pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")
@pytest.mark.parametrize("engine", ["agents", "assistants"])
def test_thanks_to_a_live_assistant_need_no_answer_either(fleet: Fleet, live: OpenAI, engine: str) -> None:
    make: Callable[..., Any] = live.beta.agents.create if engine == "agents" else live.beta.assistants.create
    model = "gpt-6-luna" if engine == "agents" else "gpt-4o-mini"
    shop = fleet.open_line(assistant_id=make(model=model, name="Vivo", instructions="Eres amable.").id)
    (answer,) = wrote(fleet, shop, "Hola")
    assert "?" not in answer
    assert wrote(fleet, shop, "gracias") == []
    assert len(wrote(fleet, shop, "ok")) == 1
    assert turns(fleet, shop)[1] == ("unanswered", "no_reply")
