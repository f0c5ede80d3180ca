"""What a case finds, against the sandbox: it shows how cases are run, and nothing about a model."""

from __future__ import annotations

from typing import Any

import pytest

from tests.reconciler.agency import Agency
from tests.sandbox_process import Json
from tests.trying.cases import RESERVE, asked, left_at_openai, reasons, states, tried

ASK_FOR_CALL = 'llama a crear_reserva {"personas": 4}'
FIXTURE: Json = {"name": "crear_reserva", "arguments": {"personas": 4}, "answer": {"numero": 17}}


@pytest.fixture
def reserving(agency: Agency) -> Agency:
    """A client that has a function, people to hand over to, and says what it is."""
    agency.declare(
        "uno",
        assistant={"tools": [RESERVE]},
        replies={"disclosure": "Soy un asistente."},
        handoff={"phrases": ["quiero hablar con una persona"], "notify": ["turno@example.cl"]},
        tests={
            "llama": asked(ASK_FOR_CALL, {"calls": {"crear_reserva": {"personas": 4}}}, functions=[FIXTURE]),
            "llama-con-otros": asked(ASK_FOR_CALL, {"calls": {"crear_reserva": {"personas": 5}}}, functions=[FIXTURE]),
            "usa-la-respuesta": asked(ASK_FOR_CALL, {"contains": "17"}, functions=[FIXTURE]),
            "no-llama": asked("Hola", {"calls_nothing": True}),
            "llama-sin-permiso": asked(ASK_FOR_CALL, {"calls_nothing": True}, functions=[FIXTURE]),
            "sin-respuesta-fija": asked(ASK_FOR_CALL),
            "se-presenta": asked("Hola", {"contains": ["Soy un asistente", "HOLA"]}),
            "no-dice": asked("Hola", {"not_contains": "hola"}),
            "calza": asked("Hola", {"matches": r"turn \d$"}),
            "no-calza": asked("Hola", {"matches": r"turno \d"}),
            "larga": asked("escribe 500 letras", {"max_chars": 400}),
            "en-castellano": asked("¿Qué puedo hacer por usted en esta mesa?", {"language": "es"}),
            "barata": asked("Hola", {"costs_at_most": 0.01}),
            "cara": asked("Hola", {"costs_at_most": 0.0000001}),
            "deriva": asked("Quiero hablar con una persona", {"hands_over": True}),
            "no-deriva": asked("Hola", {"hands_over": False}),
            "gracias": {
                "conversation": [
                    {"say": "¿Abren hoy?", "answered": "Sí, hasta las 23:00."},
                    {"say": "Gracias", "expect": {"no_reply": True}},
                ]
            },
            "recuerda": {
                "conversation": [
                    {"say": "Hola"},
                    {"say": ["Soy Ana", "y somos 4"], "expect": {"contains": ["soy ana / y somos 4", "turn 3"]}},
                ]
            },
        },
    )
    return agency


GREEN = {
    "llama",
    "usa-la-respuesta",
    "no-llama",
    "se-presenta",
    "calza",
    "en-castellano",
    "barata",
    "deriva",
    "no-deriva",
    "gracias",
    "recuerda",
}
RED = {
    "llama-con-otros": 'calls: it does not call crear_reserva {"personas": 5}; it calls crear_reserva {"personas": 4}',
    "llama-sin-permiso": 'calls_nothing: it calls crear_reserva {"personas": 4}',
    "no-dice": 'not_contains: "hola" is in it',
    "no-calza": r"matches: turno \d is not found in it",
}


def test_each_expectation_is_held_against_the_answer(reserving: Agency) -> None:
    document = tried(reserving, "--record")
    found = states(document)
    assert {name for name, state in found.items() if state == "green"} == GREEN
    assert {name: reasons(document, name) for name in RED} == {name: [why] for name, why in RED.items()}
    assert (found["larga"], found["cara"]) == ("red", "red")
    assert reasons(document, "sin-respuesta-fija") == ['no fixture answers crear_reserva {"personas": 4}']
    assert document["exit_code"] == 1


def _search(agency: Agency, **expect: Any) -> None:
    agency.document("carta.md", "Las empanadas de pino cuestan 3500 pesos.")
    tools = [{"type": "file_search", "files": ["carta.md"]}]
    case = asked("¿Cuánto cuestan las empanadas de pino?", {"uses_document": "carta.md", **expect})
    agency.declare("uno", assistant={"tools": tools}, tests={"carta": case})


def test_an_answer_is_found_in_the_documents_of_the_folder_and_nothing_stays_at_openai(agency: Agency) -> None:
    _search(agency, contains="3500")
    assert states(tried(agency, "--record")) == {"carta": "green"}
    assert left_at_openai(agency) == ([], [])
    assert states(tried(agency, OPENAI_API_KEY=None)) == {"carta": "green"}


def test_an_edit_of_a_document_is_not_judged_by_former_answers(agency: Agency) -> None:
    _search(agency)
    tried(agency, "--record")
    agency.document("carta.md", "Las empanadas de pino cuestan 3900 pesos.")
    assert states(tried(agency)) == {"carta": "unjudged"}


def test_a_judge_gives_a_reason_and_counts_how_often_it_agrees(agency: Agency) -> None:
    no = 'verdict {"holds": false, "reason": "no propone una hora"}'
    agency.declare(
        "uno",
        tests={
            "bien": asked("Hola", {"judge": "es amable"}),
            "mal": asked("Hola", {"judge": {"criterion": no, "times": 2, "passes": 1}}),
            "sin-veredicto": asked("Hola", {"judge": 'verdict {"holds": "sí"}'}),
            "otro-juez": asked("Hola", {"judge": {"criterion": "es amable", "model": "gpt-4o-mini"}}),
        },
    )
    document = tried(agency, "--record")
    assert states(document) == {"bien": "green", "mal": "red", "sin-veredicto": "unjudged", "otro-juez": "green"}
    assert reasons(document, "mal") == ["judge: 0 of 2: no propone una hora · no propone una hora"]
    assert reasons(document, "sin-veredicto") == ["judge: the judge's verdict does not fit its schema"]
    assert states(tried(agency, OPENAI_API_KEY=None)) == states(document)


def test_a_run_stops_at_its_budget(agency: Agency) -> None:
    agency.declare("uno", tests={f"c{number}": asked(f"Hola {number}") for number in range(4)})
    document = tried(agency, "--record", "--budget", "0.000001", "--concurrency", "1")
    assert (document["calls"], document["counts"]["unjudged"]) == (1, 3)


def test_a_provider_that_fails_leaves_a_case_not_judged(agency: Agency) -> None:
    agency.declare("uno", tests={"saluda": asked("Hola")})
    document = tried(agency, "--record", OPENAI_API_KEY="wrong-key")
    assert states(document) == {"saluda": "unjudged"}


def test_a_case_whose_model_is_not_available_is_not_judged_by_its_fallback_model(agency: Agency) -> None:
    assistant = {"model": "gpt-4-turbo", "fallback_model": "gpt-5.6-luna"}
    agency.declare("uno", assistant=assistant, tests={"saluda": asked("Hola", {"contains": "Eres el asistente"})})
    found = tried(agency, "--record")
    assert states(found) == {"saluda": "unjudged"}
    assert "gpt-4-turbo" in str(reasons(found, "saluda"))


def test_an_assistant_that_lives_at_the_provider_is_not_tried(agency: Agency) -> None:
    agency.declare("uno", assistant={"engine": "agents"}, tests={"saluda": asked("Hola")})
    document = tried(agency, "--record")
    assert (document["skipped"][0]["client"], document["exit_code"]) == ("uno", 1)


def test_a_run_writes_to_nothing_that_is_live_and_sends_nothing(reserving: Agency) -> None:
    reserving.apply()
    before = reserving.snapshot(), reserving.senders(), reserving.sandbox.summary()["twilio"]
    tried(reserving, "--record")
    assert (reserving.snapshot(), reserving.senders()) == before[:2]
    assert reserving.sandbox.summary()["twilio"]["writes"] == before[2]["writes"]
    assert left_at_openai(reserving) == ([], [])


def test_nothing_is_tried_while_a_case_is_wrong(agency: Agency) -> None:
    agency.declare("uno", tests={"saluda": asked("Hola")})
    agency.declare("dos", tests={"saluda": asked("Hola", {"contain": "x"})})
    result = agency.reconcile("test", "--record")
    assert (result.code, agency.sandbox.calls("openai")) == (1, [])
    assert 'tests.saluda.conversation[0].expect.contain: unknown key. Did you mean "contains"?' in result.said


def test_a_person_who_has_not_consented_is_asked_first_and_then_answered(agency: Agency) -> None:
    asks = "¿Aceptas que un asistente automático lea lo que escribes?"
    first = {"say": "¿Abren hoy?", "expect": {"contains": asks}}
    agency.declare(
        "uno",
        data={"consent": {"text": asks, "required": True}},
        tests={
            "pregunta": {
                "person": {"consented": False},
                "conversation": [first, {"say": "Sí", "expect": {"contains": "¿Abren hoy? / Sí"}}],
            },
            "ya-acepto": asked("¿Abren hoy?", {"contains": "[uno]"}),
        },
    )
    assert states(tried(agency, "--record")) == {"pregunta": "green", "ya-acepto": "green"}
