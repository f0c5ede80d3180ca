"""Outside of its hours a client's assistant answers, says so, or is away; and a person reads once who answers them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from schemas.hours import WEEKDAYS
from tests.runtime.test_media import rows
from tests.runtime_process import Line, Runtime, open_line
from tests.sandbox_process import Sandbox, wait_until

ZONE = "America/Santiago"
ALWAYS = {"lun-dom": ["00:00-24:00"]}


def closed(**more: object) -> dict[str, Any]:
    """Hours of a day that is neither yesterday, today nor tomorrow."""
    day = (datetime.now(ZoneInfo(ZONE)) + timedelta(days=3)).weekday()
    return {WEEKDAYS[day]: ["09:00-10:00"], "holidays": "CL", **more}


def test_an_away_message_is_sent_once_and_nothing_else_is_answered(line: Callable[..., Line]) -> None:
    shop = line(policy={"hours": closed(outside="away", message="Cerrado. Volvemos {opening}.")})

    assert shop.ask("¿Tienen mesa?").startswith("Cerrado. Volvemos el ")
    assert shop.write("¿Hola?", wait=3)["answers"] == []

    assert shop.ask("¿Hola?", "+56911110021").startswith("Cerrado. Volvemos el ")
    assert shop.sandbox.calls("openai", "POST", "/v1/responses") == []


def test_the_first_answer_of_a_night_says_so_and_the_first_of_all_who_answers(line: Callable[..., Line]) -> None:
    shop = line(policy={"hours": closed(outside="say"), "replies": {"disclosure": "Soy el asistente virtual."}})

    first, second = shop.ask("¿Tienen mesa?"), shop.ask("¿Y mañana?")

    assert first.startswith("Soy el asistente virtual.\n\nAhora estamos fuera de horario; atendemos el ")
    assert "¿Tienen mesa?" in first
    assert not second.startswith(("Soy", "Ahora"))
    (again,) = shop.sandbox.calls("openai", "POST", "/v1/responses")[-1:]
    assert "Soy el asistente virtual" not in str(again)


def test_what_came_in_while_it_was_away_is_answered_in_one_turn_at_the_opening(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox
) -> None:
    runtime = runtime_factory(SWEEP_SECONDS="0")
    shop = open_line(runtime, sandbox, policy={"hours": closed(outside="away", message="Cerrado.")})
    assert shop.ask("¿Tienen mesa?") == "Cerrado."
    shop.write("Para cuatro.", wait=0)
    states = "SELECT state, reason FROM turns ORDER BY id"
    wait_until(lambda: rows(runtime, states) == [("unanswered", "hours")] * 2, what="the second turn to end")

    def open_now() -> None:
        with closing(sqlite3.connect(runtime.folder / "runtime.db", timeout=20)) as store, store:
            assert store.execute("UPDATE timers SET due_at = put_at WHERE kind = 'opening'").rowcount == 1

    open_now()
    later = "SELECT count(*) FROM timers WHERE kind = 'opening' AND due_at > put_at"
    wait_until(lambda: rows(runtime, later) == [(1,)], what="the look that finds it closed")
    assert rows(runtime, states) == [("unanswered", "hours")] * 2

    opened = {"policy": {"hours": ALWAYS | {"outside": "away"}}}
    assert runtime.api("PUT", f"/bots/{shop.bot['id']}", opened).status == 200
    open_now()
    wait_until(lambda: len(shop.shown()) == 2, what="the answer")
    assert "¿Tienen mesa? / Para cuatro." in shop.shown()[1]
    [asked] = [call["body"]["input"] for call in sandbox.calls("openai", "POST", "/v1/responses")]
    assert [item["content"] for item in asked if item["role"] == "assistant"] == ["Cerrado."]
    assert [item["content"] for item in asked if item["role"] == "user"].count("¿Tienen mesa?") == 1
    assert rows(runtime, "SELECT count(*) FROM timers WHERE kind = 'opening'") == [(0,)]


def test_at_the_opening_nothing_is_answered_twice_nor_where_people_have_the_conversation(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox
) -> None:
    runtime = runtime_factory(SWEEP_SECONDS="0")
    policy = {"version": 1, "handoff": {"resume_after": "4h"}}
    away = policy | {"hours": closed(outside="away", message="Cerrado.")}
    shop = open_line(runtime, sandbox, policy=away)
    for user in ("+56911110021", "+56911110022"):
        assert shop.ask("¿Tienen mesa?", user) == "Cerrado."
    runtime.api("PUT", f"/bots/{shop.bot['id']}", {"policy": policy})
    assert "¿Y hoy?" in shop.ask("¿Y hoy?", "+56911110021")
    shop.ask("Quiero hablar con una persona", "+56911110022")
    with closing(sqlite3.connect(runtime.folder / "runtime.db", timeout=20)) as store, store:
        assert store.execute("UPDATE timers SET due_at = put_at WHERE kind = 'opening'").rowcount == 2
    wait_until(lambda: rows(runtime, "SELECT count(*) FROM timers WHERE kind = 'opening'") == [(0,)])
    assert rows(runtime, "SELECT state, count(*) FROM turns GROUP BY 1 ORDER BY 1") == [
        ("answered", 1),
        ("unanswered", 3),
    ]
