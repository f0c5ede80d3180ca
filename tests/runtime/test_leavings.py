"""What a turn leaves behind, whatever its end, and how a dead letter is continued from there."""

from collections.abc import Iterator
from typing import Any

import pytest

from runtime.turns.leavings import WITHHELD
from tests.function_endpoint import ASK, TOOL, Endpoint
from tests.resilience.test_dead_letters import dead_letters
from tests.runtime_process import Line, Runtime, open_line, start_runtime
from tests.sandbox_process import Sandbox, wait_until

MODEL = {"provider": "openai", "method": "POST", "path": "/v1/responses", "kind": "status", "status": 400}
SORRY = "Disculpa, no pudimos responder."


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox) -> Iterator[Runtime]:
    running = start_runtime(tmp_path_factory.mktemp("service"), sandbox_process)
    yield running
    running.stop()


@pytest.fixture
def shop(service: Runtime, sandbox: Sandbox, endpoint: Endpoint) -> Line:
    body = {"name": "A", "instructions": "Reserva.", "model": "gpt-6-luna", "tools": [TOOL]}
    assistant = service.made("/assistants/", body)
    functions = {"crear_reserva": {"url": endpoint.url}}
    return open_line(service, sandbox, assistant_id=assistant["id"], functions=functions, fallback_message=SORRY)


def fail(shop: Line, text: str, **fault: object) -> int:
    """Has a message end as a dead letter, at its first request unless the fault says otherwise; gives its id."""
    known = len(letters(shop))
    shop.sandbox.faults(shop.only(MODEL | fault))
    if known:
        # The user has the fallback message of the first failure already.
        shop.write(text, wait=0)
    else:
        assert shop.ask(text) == SORRY
    wait_until(lambda: len(letters(shop)) == known + 1, what="the dead letter")
    shop.sandbox.faults()
    return int(letters(shop)[-1]["id"])


def letters(shop: Line) -> list[dict[str, Any]]:
    """The client's dead letters, oldest first."""
    found: list[dict[str, Any]] = shop.runtime.api("GET", f"/dead-letters/?client={shop.bot['id']}").json
    return found


def seen(shop: Line) -> list[str]:
    """What the model's last request held of the conversation: texts, results, names of functions."""
    items = shop.sandbox.calls("openai", "POST", "/v1/responses")[-1]["body"]["input"]
    said = [item for item in items if item.get("role") != "developer"]
    return [item.get("content") or item.get("output") or item["name"] for item in said]


def retry(shop: Line, turn_id: int) -> int:
    return shop.runtime.api("POST", f"/dead-letters/{turn_id}/retry").status


def test_the_next_turn_knows_what_a_failed_one_heard_did_and_said(shop: Line, endpoint: Endpoint) -> None:
    fail(shop, ASK, after=1)

    shop.ask("¿Quedó?")

    assert seen(shop) == [ASK, "crear_reserva", endpoint.answer.decode(), SORRY, "¿Quedó?"]
    assert len(endpoint.received) == 1


def test_a_retried_turn_goes_on_from_its_calls_and_makes_none_again(shop: Line, endpoint: Endpoint) -> None:
    turn_id = fail(shop, ASK, after=1)

    assert retry(shop, turn_id) == 204
    wait_until(lambda: len(shop.outbound()) == 2, what="the answer")

    assert "R-17" in shop.outbound()[1]["body"]
    assert len(endpoint.received) == 1
    shop.ask("¿Y la hora?")
    assert seen(shop) == [ASK, "crear_reserva", endpoint.answer.decode(), shop.outbound()[1]["body"], "¿Y la hora?"]


def test_dead_letters_of_one_user_are_answered_together_with_the_calls_of_each(shop: Line, endpoint: Endpoint) -> None:
    first, second = fail(shop, "Hola"), fail(shop, ASK, after=1)

    assert dead_letters(shop.runtime, "retry", str(first), str(second)).code == 0
    wait_until(lambda: len(shop.outbound()) == 2, what="the answer")

    assert seen(shop) == ["Hola", ASK, "crear_reserva", endpoint.answer.decode()]
    assert len(endpoint.received) == 1


def test_a_retry_that_would_answer_out_of_place_is_refused_unless_it_is_forced(shop: Line) -> None:
    turn_id = fail(shop, "¿Hay mesa?")
    shop.ask("¿Y mañana?")

    refused = shop.runtime.api("POST", f"/dead-letters/{turn_id}/retry")

    assert (refused.status, refused.error["code"]) == (409, "out_of_place")
    assert "its user wrote again and was answered at 20" in refused.error["message"]
    assert len(shop.outbound()) == 2
    assert "\tanswered since: 20" in dead_letters(shop.runtime, "list", "--client", shop.bot["id"]).out
    told = dead_letters(shop.runtime, "retry", str(turn_id))
    assert (told.code, "retry it with force" in told.err) == (1, True)
    assert dead_letters(shop.runtime, "retry", "--force", str(turn_id)).code == 0
    wait_until(lambda: len(shop.outbound()) == 3, what="the answer")
    assert seen(shop)[0] == "¿Y mañana?"
    assert seen(shop)[-1] == "¿Hay mesa?"


def test_words_written_while_the_client_is_paused_are_known_afterwards(shop: Line) -> None:
    shop.runtime.api("PUT", f"/bots/{shop.bot['id']}", {"state": "paused"})
    shop.write("Soy alérgica al maní", wait=0)
    wait_until(lambda: paused(shop) == 1, what="the turn to end")
    shop.runtime.api("PUT", f"/bots/{shop.bot['id']}", {"state": "active"})

    wait_until(lambda: bool(shop.write("¿Qué me recomiendas?", wait=5)["answers"]), what="an answer")

    assert seen(shop)[0] == "Soy alérgica al maní"


def paused(shop: Line) -> int:
    ended = [entry for entry in shop.runtime.log() if entry["event"] == "message_not_answered"]
    return len([entry for entry in ended if entry["client"] == shop.bot["id"]])


def test_words_that_openai_names_as_refused_are_not_sent_again(shop: Line) -> None:
    refusal = {"error": {"message": "flagged", "code": "invalid_prompt", "type": "invalid_request_error"}}
    fail(shop, "veneno", body=refusal)

    shop.ask("¿Sigues ahí?")

    assert seen(shop) == [WITHHELD, SORRY, "¿Sigues ahí?"]


def test_words_that_another_server_refuses_without_a_reason_do_not_end_the_conversation(shop: Line) -> None:
    fail(shop, "veneno")
    shop.sandbox.faults(shop.only(MODEL | {"times": 1}))

    assert "¿Sigues ahí?" in shop.ask("¿Sigues ahí?")

    assert seen(shop) == [WITHHELD, SORRY, "¿Sigues ahí?"]
    requests = len(shop.sandbox.calls("openai", "POST", "/v1/responses"))
    shop.ask("Bien")
    assert seen(shop)[0] == WITHHELD
    assert len(shop.sandbox.calls("openai", "POST", "/v1/responses")) == requests + 1
