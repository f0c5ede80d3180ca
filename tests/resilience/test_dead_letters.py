"""Turns that failed for good are kept, listed, and retried or dropped."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runtime.store.delivery_errors import delivery_error
from tests.runtime.stores import drop_database, make_database
from tests.runtime_process import Line, Ran, Runtime, open_line, start_runtime
from tests.sandbox_process import Sandbox, wait_until

MODEL = {"provider": "openai", "method": "POST", "path": "/v1/responses"}
SORRY = "Disculpa, no pudimos responder."


def dead_letters(runtime: Runtime, *arguments: str) -> Ran:
    """A command of `dead-letters` beside the running service."""
    return runtime.command("dead-letters", *arguments)


def listed(shop: Line) -> list[dict[str, Any]]:
    """The dead letters of a line, as the command lists them."""
    letters: list[dict[str, Any]] = json.loads(
        dead_letters(shop.runtime, "list", "--client", shop.bot["id"], "--format", "json").out
    )
    return letters


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox) -> Iterator[Runtime]:
    running = start_runtime(tmp_path_factory.mktemp("service"), sandbox_process)
    yield running
    running.stop()


@pytest.fixture
def shop(service: Runtime, sandbox: Sandbox) -> Line:
    return open_line(service, sandbox, fallback_message=SORRY)


def die(shop: Line, text: str) -> int:
    """Has a message end as a dead letter; gives its id."""
    shop.sandbox.faults(MODEL | {"kind": "status", "status": 400})
    assert shop.ask(text) == SORRY
    shop.sandbox.faults()
    (letter,) = listed(shop)
    return int(letter["id"])


def test_what_could_not_be_answered_is_listed_with_its_reason(shop: Line) -> None:
    turn_id = die(shop, "¿Hay mesa?")

    (letter,) = listed(shop)
    text = dead_letters(shop.runtime, "list", "--client", shop.bot["id"]).out

    assert [message["body"] for message in letter["messages"]] == ["¿Hay mesa?"]
    assert "OpenAI refused the request (400" in letter["error"]
    assert text.startswith(f"{turn_id}\t{letter['failed_at']}\t{shop.bot['id']}\t+56912345678\t1\t")


def test_one_whose_notice_reached_no_phone_says_why_in_words(shop: Line) -> None:
    shop.sandbox.faults(
        MODEL | {"kind": "status", "status": 400},
        {"provider": "twilio", "kind": "undelivered", "code": 63024, "times": 1},
    )
    shop.write("¿Hay mesa?")
    wait_until(lambda: [letter["error_code"] for letter in listed(shop)] == ["63024"], what="the report")

    said = f"{delivery_error('63024').says} (63024)"
    assert [letter["undelivered"] for letter in listed(shop)] == [said]
    text = dead_letters(shop.runtime, "list", "--client", shop.bot["id"]).out
    assert f"; the notice to the user reached no phone: {said}\n" in text


def test_a_dead_letter_that_is_retried_is_answered_once(shop: Line) -> None:
    turn_id = die(shop, "¿Hay mesa?")

    assert dead_letters(shop.runtime, "retry", str(turn_id)).code == 0

    wait_until(lambda: len(shop.outbound()) == 2, what="the answer")
    assert "¿Hay mesa?" in shop.outbound()[1]["body"]
    assert listed(shop) == []
    shop.ask("gracias")
    assert len(shop.outbound()) == 3


def test_one_retried_while_nothing_serves_is_answered_at_the_start_before_what_was_written_since(shop: Line) -> None:
    turn_id = die(shop, "primero")
    shop.runtime.stop()
    shop.write("después", wait=0)
    dead_letters(shop.runtime, "retry", str(turn_id))

    shop.runtime.start_again()

    wait_until(lambda: "después" in asked(shop), what="both questions")
    assert asked(shop) == ["primero", "después"]


def asked(shop: Line) -> list[str]:
    """What the user said, as the model saw it last."""
    return [item["content"] for item in seen(shop) if item.get("role") == "user"]


def asked_after(shop: Line, text: str) -> list[str]:
    """The same, once the user has written something more."""
    shop.ask(text)
    return asked(shop)


def seen(shop: Line) -> list[dict[str, Any]]:
    """The input of the last request to the model."""
    items: list[dict[str, Any]] = shop.sandbox.calls("openai", "POST", "/v1/responses")[-1]["body"]["input"]
    return items


def test_a_dead_letter_that_is_dropped_stays_unanswered(shop: Line) -> None:
    turn_id = die(shop, "¿Hay mesa?")

    assert dead_letters(shop.runtime, "drop", str(turn_id)).out == "Dropped: 1.\n"

    assert listed(shop) == []
    assert asked_after(shop, "Hola") == ["¿Hay mesa?", "Hola"]
    assert len(shop.outbound()) == 2


def test_an_id_that_is_none_changes_nothing_of_the_others(shop: Line) -> None:
    turn_id = die(shop, "¿Hay mesa?")

    refused = dead_letters(shop.runtime, "drop", str(turn_id), "999999")

    assert (refused.code, "Not dead letters: 999999. Nothing was changed" in refused.err) == (1, True)
    assert [letter["id"] for letter in listed(shop)] == [turn_id]


def test_the_api_lists_retries_and_drops_as_the_command_does(shop: Line) -> None:
    turn_id = die(shop, "¿Hay mesa?")
    api = shop.runtime.api

    [letter] = listed(shop)
    letter["messages"] = [message | {"body": None} for message in letter["messages"]]
    assert api("GET", f"/dead-letters/?client={shop.bot['id']}").json == [letter]
    assert api("POST", f"/dead-letters/{turn_id}/retry").status == 204
    assert api("POST", f"/dead-letters/{turn_id}/retry").status == 404
    wait_until(lambda: len(shop.outbound()) == 2, what="the answer")
    assert api("DELETE", f"/dead-letters/{turn_id}").error["code"] == "not_found"


@pytest.mark.postgres
@pytest.mark.long
def test_on_postgresql_a_dead_letter_is_retried_by_whichever_replica_finds_it(tmp_path: Path, sandbox: Sandbox) -> None:
    url = make_database()
    runtime = start_runtime(tmp_path, sandbox, DATABASE_URL=url)
    shop = open_line(runtime, sandbox, fallback_message=SORRY)
    turn_id = die(shop, "¿Hay mesa?")

    assert dead_letters(runtime, "retry", str(turn_id)).code == 0

    wait_until(lambda: len(shop.outbound()) == 2, what="the answer")
    runtime.stop()
    drop_database(url)
