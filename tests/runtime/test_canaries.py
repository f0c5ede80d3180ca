"""A canary answers some of a client's people, is compared with the assistant, and is stopped where it does worse."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runtime.turns.canaries import share_of
from tests.documents.receiver import receiving
from tests.drivers.fleet import answers, fleet_on
from tests.runtime.test_media import rows
from tests.runtime_process import Line, Runtime, open_line
from tests.sandbox_process import Sandbox, wait_until

STABLE, NEW = "Atiendes como siempre.", "Atiendes de otra manera."


def canary(**fields: object) -> dict[str, Any]:
    """A policy with a canary of half of the people."""
    said = {"percent": 50, "until": "2099-12-31", "margin": 10, "instructions": NEW}
    return {"version": 1, "canary": said | fields}


def phone(number: int) -> str:
    return f"+569{number:08d}"


def conversations(shop: Line) -> dict[str, int]:
    """By user, the conversation's id."""
    sql = f"SELECT user_key, id FROM conversations WHERE bot_id = '{shop.bot['id']}'"
    return {user.rpartition(":")[2]: id_ for user, id_ in rows(shop.runtime, sql)}


def greeted(shop: Line, count: int) -> tuple[dict[str, int], dict[str, str]]:
    """Conversations of new people, and what they were answered."""
    said = {phone(number): shop.ask("Hola", phone(number)) for number in range(1, count + 1)}
    return conversations(shop), said


def turns(shop: Line) -> list[tuple[Any, ...]]:
    sql = "SELECT conversation_id, state, variant FROM turns WHERE bot_id = '{}' ORDER BY id"
    return rows(shop.runtime, sql.format(shop.bot["id"]))


def test_a_person_is_always_answered_by_the_same_of_the_two_and_turns_say_which(line: Callable[..., Line]) -> None:
    shop = line(instructions=STABLE, policy=canary())
    known, first = greeted(shop, 8)
    again = {user: shop.ask("¿Y mañana?", user) for user in known}
    for user, id_ in known.items():
        mine = NEW if share_of(id_) < 50 else STABLE
        assert mine in first[user]
        assert mine in again[user]
    assert {(id_, "canary" if share_of(id_) < 50 else "stable") for id_ in known.values()} == {
        (id_, variant) for id_, _, variant in turns(shop)
    }
    assert {variant for _, _, variant in turns(shop)} == {"canary", "stable"}


def test_after_its_last_day_nobody_gets_it_and_no_turn_has_a_variant(line: Callable[..., Line]) -> None:
    shop = line(instructions=STABLE, policy=canary(until="2026-01-31"))
    _, said = greeted(shop, 4)
    assert all(STABLE in answer for answer in said.values())
    assert {variant for _, _, variant in turns(shop)} == {None}


def test_what_another_model_answers_is_no_variants_work(line: Callable[..., Line]) -> None:
    policy = canary(percent=99, model="gpt-6-gone") | {"fallback_model": "gpt-5.6-luna"}
    shop = line(instructions=STABLE, policy=policy)
    _, said = greeted(shop, 2)
    assert all(NEW in answer for answer in said.values())
    assert {one[1:] for one in turns(shop)} == {("answered", None)}


def test_three_failed_turns_stop_it_for_everybody_until_another_one_is_declared(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox
) -> None:
    with receiving() as slack:
        runtime = runtime_factory(ALERT_NOTIFY=slack.url(), SWEEP_SECONDS="0")
        policy = canary(percent=99, model="gpt-6-gone")
        shop = open_line(runtime, sandbox, instructions=STABLE, name="La Cocina", policy=policy)
        apology = shop.ask("Hola", phone(1))
        assert NEW not in apology
        assert [shop.ask("Hola", phone(number)) for number in (2, 3)] == [apology, apology]
        assert STABLE in shop.ask("Hola", phone(4))
        assert STABLE in shop.ask("¿Hola?", phone(1))
        assert [one[1:] for one in turns(shop)] == [("dead", "canary")] * 3 + [("answered", None)] * 2

        bot = shop.bot["id"]
        ((reason, figures),) = rows(runtime, "SELECT reason, figures FROM canaries")
        assert (reason, json.loads(figures)["canary"]) == ("failing", {"turns": 3, "failed": 3, "handoffs": 0})
        entries = rows(
            runtime, f"SELECT actor, action, fields FROM audit WHERE kind = 'canary' AND object_id = '{bot}'"
        )
        assert entries == [("runtime", "stop", '["failing"]')]
        metrics = runtime.api("GET", "/metrics").body.decode()
        assert f'horizonai_canary_stops_total{{client="{bot}",reason="failing"}} 1.0' in metrics

        def notices() -> list[Any]:
            """Others are about the model, which does not exist."""
            return [one for one in slack.messages if one["title"] == "La Cocina: el canario se detuvo"]

        wait_until(lambda: bool(notices()), what="the notice")
        (notice,) = notices()
        assert "Canario: 3 turnos, 3 fallidos, 0 derivados. Estable: 0 turnos" in notice["message"]

        def put(policy: dict[str, Any]) -> None:
            assert runtime.api("PUT", f"/bots/{bot}", {"policy": policy}).status == 200

        put(policy | {"replies": {"typing": False}})
        assert STABLE in shop.ask("¿Y ahora?", phone(1))
        put(canary(percent=99))
        assert NEW in shop.ask("¿Y ahora?", phone(1))
        put(policy)
        assert shop.ask("¿Y ahora?", phone(1)) == apology


@pytest.mark.postgres
def test_what_one_replica_stops_no_other_one_answers_with(tmp_path: Path, sandbox: Sandbox) -> None:
    with fleet_on("postgresql", tmp_path, sandbox) as fleet:
        policy = canary(percent=99, model="gpt-6-gone")
        shop = fleet.open_line(instructions=STABLE, policy=policy)
        for number in (1, 2, 3):
            fleet.deliver(shop, "Hola", 0, phone(number))
            answers(shop, 1, phone(number))
        fleet.wait_for_turns(shop, 0)
        fleet.deliver(shop, "Hola", 1, phone(4))
        assert STABLE in answers(shop, 1, phone(4))[0]
        fleet.deliver(shop, "¿Y ahora?", 1, phone(1))
        assert STABLE in answers(shop, 2, phone(1))[1]
        assert [row[0] for row in fleet.rows("SELECT variant FROM turns ORDER BY id")] == ["canary"] * 3 + [None] * 2
        assert fleet.rows("SELECT count(*) FROM audit WHERE kind = 'canary'") == [(1,)]
