"""Programs that answer each other are stopped; a person who writes much is not, nor notified twice of one outage."""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from runtime.store.activity_records import LOOP_PAUSE_SECONDS
from runtime.store.client.history import read_activity
from runtime.store.database.times import timestamp
from tests.observability.scrape import scrape
from tests.runtime_process import Line, Runtime, inbound_fields, open_line, signed_webhook
from tests.sandbox_process import Sandbox, wait_until

MODEL = {"provider": "openai", "method": "POST", "path": "/v1/responses"}
SORRY = "Disculpa, no pudimos responder."
BUSY = "Gracias por escribirnos. Le responderemos a la brevedad."
MACHINE, PERSON = "+56911111111", "+56922222222"


@pytest.fixture
def shop(runtime_factory: Callable[..., Runtime], sandbox: Sandbox) -> Line:
    return open_line(runtime_factory(RATE_PER_USER="0"), sandbox, fallback_message=SORRY)


def say(shop: Line, text: str, origin: str) -> list[str]:
    """A message; gives all that its sender has been sent, once its turn has ended."""
    answer = signed_webhook(shop.runtime, inbound_fields(shop.number, text, From=f"whatsapp:{origin}"))
    assert answer.status == 200, answer.body
    wait_until(lambda: not stored(shop, "SELECT 1 FROM inbox WHERE state = 'open'"), what="the end of the turn")
    rows = stored(shop, "SELECT body FROM outbox WHERE recipient = ? ORDER BY id", f"whatsapp:{origin}")
    return [body for (body,) in rows]


def stored(shop: Line, statement: str, *values: object) -> list[Any]:
    """Runs a statement on the runtime's store."""
    with closing(sqlite3.connect(shop.runtime.folder / "runtime.db")) as store, store:
        return store.execute(statement, values).fetchall()


def loops(shop: Line) -> list[dict[str, Any]]:
    """The loops that were logged."""
    return [entry for entry in shop.runtime.log() if entry["event"] == "loop_detected"]


def machine_answers(shop: Line, times: int = 12) -> int:
    """A number that answers everything with the same words; gives how often it was answered."""
    answers = 0
    for _ in range(times):
        if len(say(shop, BUSY, MACHINE)) == answers:
            break
        answers += 1
    return answers


def test_a_number_that_answers_by_itself_is_not_answered_for_ever(shop: Line) -> None:
    assert machine_answers(shop) == 6

    wait_until(lambda: loops(shop) != [], what="the line in the log, which follows the end")
    [loop] = loops(shop)
    assert (loop["sign"], loop["level"], loop["client"]) == ("same_words", "warning", shop.bot["id"])
    assert MACHINE not in str(loop)
    assert len(say(shop, "Otra cosa.", MACHINE)) == 6
    assert len(loops(shop)) == 1
    counted = scrape(shop.runtime).value("horizonai_turns_total", client=shop.bot["id"], reason="loop")
    assert counted == 2
    assert "turn 1" in shop.ask(BUSY, PERSON)


def test_a_loop_is_known_after_a_restart_and_its_next_message_after_the_pause_is_answered(shop: Line) -> None:
    machine_answers(shop)
    shop.runtime.stop()
    shop.runtime.start_again()
    assert len(say(shop, BUSY, MACHINE)) == 6
    store = f"sqlite:///{shop.runtime.folder}/runtime.db"
    assert [(bot.loops, bot.loops_since is not None) for bot in read_activity(store, None)] == [(1, True)]

    before = timestamp(time.time() - LOOP_PAUSE_SECONDS - 1)
    stored(shop, "UPDATE conversations SET loop_since = ?", before)
    stored(shop, "UPDATE items SET created_at = ?", before)

    assert [bot.loops for bot in read_activity(store, None)] == [0]
    assert len(say(shop, BUSY, MACHINE)) == 7
    assert stored(shop, "SELECT loop_since FROM conversations") == [(None,)]


def test_a_bot_of_ours_is_answered_by_no_other_and_not_by_itself(shop: Line, sandbox: Sandbox) -> None:
    other = open_line(shop.runtime, sandbox)

    assert say(shop, "¿Hola?", other.number) == []
    assert say(shop, "¿Hola?", shop.number) == []

    # The webhook is released before the loop is logged.
    wait_until(lambda: [loop["sign"] for loop in loops(shop)] == ["own_number", "own_number"], what="both loops")


def test_a_person_s_burst_of_different_texts_is_answered_throughout(shop: Line) -> None:
    for number in range(25):
        answers = say(shop, f"Y otra pregunta, la número {number}", PERSON)

    assert len(answers) == 25
    assert loops(shop) == []


def test_a_loop_is_found_however_little_of_a_conversation_is_sent_along(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox
) -> None:
    shop = open_line(runtime_factory(MEMORY_ITEMS="1"), sandbox)

    assert machine_answers(shop) == 6


def test_in_an_outage_a_person_gets_the_fallback_message_once_and_in_the_next_one_again(shop: Line) -> None:
    down = MODEL | {"kind": "status", "status": 400}
    shop.sandbox.faults(down)
    for text in ("Hola", "¿Hola?", "¿Hay alguien?"):
        said = say(shop, text, PERSON)
    assert said == [SORRY]
    assert say(shop, "Hola", MACHINE) == [SORRY]
    failed = [entry["user_notified"] for entry in shop.runtime.log() if entry["event"] == "turn_failed"]
    assert failed == [True, False, False, True]

    shop.sandbox.faults()
    assert len(say(shop, "¿Ya?", PERSON)) == 2
    shop.sandbox.faults(down)
    assert say(shop, "¿Otra vez?", PERSON)[2:] == [SORRY]


def test_an_outage_of_yesterday_leaves_nobody_without_a_word_today(shop: Line) -> None:
    shop.sandbox.faults(MODEL | {"kind": "status", "status": 400})
    assert say(shop, "Hola", PERSON) == [SORRY]
    stored(shop, "UPDATE conversations SET fallback_at = ?", timestamp(time.time() - 24 * 3600))

    assert say(shop, "Hola", PERSON) == [SORRY, SORRY]
