"""Real turns that leave the store: without who wrote them, after a person has read them, and not where data are
sensitive."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from runtime.store.audit import Actor
from runtime.store.database.once import run_once
from runtime.store.errors import NoConversation, NotReplayable
from runtime.store.messages.case_text import case_text
from runtime.store.messages.replayed_case import case_of
from runtime.store.messages.replays import PastCall, PastExchange, ReplayedTurn, recent_turns, turn_for
from schemas.cases import Case
from tests.drivers.fleet import Fleet, answers, fleet_on
from tests.pseudo_terminal import Terminal
from tests.runtime_process import Line
from tests.sandbox_process import ROOT, Sandbox

STORES = ["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.long])]
ANA = Actor("ana@agencia.cl", "cli")
OPEN = {"version": 1, "data": {"replay": True}, "media": {"voice": {"keywords": ["charquicán"]}}}


@pytest.fixture(scope="module", params=STORES)
def fleet(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox
) -> Iterator[Fleet]:
    """A fleet that these tests share."""
    with fleet_on(request.param, tmp_path_factory.mktemp("replays"), sandbox_process) as fleet:
        yield fleet


def said(fleet: Fleet, *texts: str, **policy: object) -> tuple[Line, int, list[int]]:
    """A line on which a person wrote these, one after the other; its conversation and its turns."""
    shop = fleet.open_line(policy={"version": 1, **policy})
    for count, text in enumerate(texts, start=1):
        fleet.deliver(shop, text, ProfileName="Ana Pérez")
        answers(shop, count)
    rows = fleet.rows(f"SELECT id, conversation_id FROM turns WHERE bot_id = '{shop.bot['id']}' ORDER BY id")
    return shop, rows[0][1], [row[0] for row in rows]


def audited(fleet: Fleet, shop: Line) -> list[str]:
    """What is in the audit of a line's reads."""
    query = f"SELECT fields FROM audit WHERE action = 'read' AND client = '{shop.bot['id']}' ORDER BY id"
    return [row[0] for row in fleet.rows(query)]


def test_a_turn_leaves_the_store_without_who_wrote_it(fleet: Fleet) -> None:
    shop, conversation, turns = said(
        fleet, "Hola, soy Ana, mi fono es +56 9 8765 4321", "¿Hay charquicán para Pérez?", media=OPEN["media"]
    )
    found = run_once(fleet.database_url, turn_for, ANA, conversation, turns[1])
    assert found.said == ["¿Hay PalabraA para NombreB?"]
    assert [one.said for one in found.before] == [["Hola, soy NombreA, mi fono es +10 0 0000 0001"]]
    assert "NombreA" in found.before[0].answered
    assert (found.name, found.turn) == ("NombreA NombreB", turns[1])
    assert "Pérez" not in found.answer
    assert audited(fleet, shop)[-1] == f'["turn {turns[1]} as a test case"]'


def test_without_a_number_it_is_the_newest_answered_turn(fleet: Fleet) -> None:
    _, conversation, turns = said(fleet, "Hola", "¿Tienen mesa?")
    assert run_once(fleet.database_url, turn_for, ANA, conversation, None).turn == turns[1]


def test_no_turn_of_a_client_with_sensitive_data_leaves_the_store(fleet: Fleet) -> None:
    for data in ({"sensitive": ["health"]}, {"minors": True}):
        shop, conversation, turns = said(fleet, "Hola", data=data)
        with pytest.raises(NotReplayable, match=r"so no test case is made of it\. Write one by hand"):
            run_once(fleet.database_url, turn_for, ANA, conversation, turns[0])
        with pytest.raises(NotReplayable, match="so their questions are never tried again"):
            run_once(fleet.database_url, recent_turns, ANA, shop.bot["id"], 50)
        assert audited(fleet, shop) == []


def test_a_turn_or_conversation_that_does_not_exist_is_named_with_those_that_do(fleet: Fleet) -> None:
    _, conversation, turns = said(fleet, "Hola")
    with pytest.raises(NotReplayable, match=rf"does not have a turn 0\. Its newest turns: {turns[0]}\."):
        run_once(fleet.database_url, turn_for, ANA, conversation, 0)
    with pytest.raises(NoConversation):
        run_once(fleet.database_url, turn_for, ANA, 10**9, None)


def test_recent_questions_are_those_of_a_client_that_allows_it_the_newest_first(fleet: Fleet) -> None:
    shop, _, turns = said(fleet, "Uno", "Dos 4521", "Tres", data={"replay": True})
    found = run_once(fleet.database_url, recent_turns, ANA, shop.bot["id"], 2)
    assert [(one.turn, one.said[0][:6]) for one in found] == [(turns[2], "Tres"), (turns[1], "Dos 10")]
    assert audited(fleet, shop) == ['["2 turns to try again"]']


def test_recent_questions_are_off_unless_the_manifest_says_so(fleet: Fleet) -> None:
    shop, _, _ = said(fleet, "Hola")
    with pytest.raises(NotReplayable, match=r"`data: \{replay: true\}` in it does, once it is applied"):
        run_once(fleet.database_url, recent_turns, ANA, shop.bot["id"], 50)


@pytest.fixture
def terminal(fleet: Fleet, tmp_path: Path) -> Iterator[Terminal]:
    """A person's terminal, on which `conversations test` writes a case of a turn."""
    _, conversation, turns = said(fleet, "Soy Ana, ¿cuánto cuesta la cazuela?")
    command = [sys.executable, "-m", "runtime", "conversations", "test", str(conversation), "--turn", str(turns[0])]
    command += ["--name", "precio", "--contains", "$7.200", "--out", "caso.yaml"]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "DATABASE_URL": fleet.database_url}
    with Terminal(command, tmp_path, environment) as opened:
        yield opened


@pytest.mark.parametrize("fleet", ["sqlite"], indirect=True, scope="module")
@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1)])
def test_a_person_reads_the_case_before_it_is_written(
    terminal: Terminal, tmp_path: Path, answer: str, code: int
) -> None:
    terminal.answer("such as a name, a number or an address?", answer)
    assert terminal.finish() == code, terminal.shown
    assert "Soy NombreA" in terminal.shown
    assert "Ana" not in terminal.shown
    written = tmp_path / "caso.yaml"
    assert written.exists() == (code == 0)
    if code == 0:
        [case] = yaml.safe_load(written.read_text())["tests"].values()
        assert case["conversation"][-1] == {
            "say": "Soy NombreA, ¿cuánto cuesta la cazuela?",
            "expect": {"contains": ["$7.200"]},
        }


@pytest.mark.parametrize("fleet", ["sqlite"], indirect=True, scope="module")
def test_without_a_terminal_nothing_is_read(fleet: Fleet) -> None:
    shop, conversation, _ = said(fleet, "Hola")
    done = fleet.replicas[0].command("conversations", "test", str(conversation))
    assert (done.code, done.out) == (2, "")
    assert "run this on a terminal" in done.err
    assert audited(fleet, shop) == []


TURN = ReplayedTurn(
    turn=7,
    at="2026-11-29T02:30:00.000Z",
    number="+56912345678",
    timezone=None,
    name="NombreA",
    before=[PastExchange(["Hola", "no"], "¡Hola!\n¿Para cuántos?")],
    said=["4", "mañana: 21:00 # por favor"],
    answer="Listo.\n# Reserva 1001",
    calls=[PastCall("crear_reserva", {"personas": 4}, {"numero": 17})],
    files=1,
)


def test_the_case_reads_back_as_what_was_said_whatever_that_is() -> None:
    case = case_of(TURN, "Europe/Madrid", {})
    text = case_text("reserva", TURN, case)
    read = yaml.safe_load(text)["tests"]["reserva"]
    assert read == case
    assert Case.model_validate(read).conversation[1].say == ["4", "mañana: 21:00 # por favor"]
    assert read["at"] == "2026-11-28 23:30"
    assert read["functions"] == [{"name": "crear_reserva", "arguments": {"personas": 4}, "answer": {"numero": 17}}]
    assert "#   Listo.\n#   # Reserva 1001\n" in text
    assert "# The person also sent 1 file(s), which are not in the case.\n" in text
    assert read["conversation"][1]["expect"] == {"max_chars": 100}
