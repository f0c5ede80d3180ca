"""The assistant hands a conversation over to people: by the customer's words, by its tool, after failures, without
budget; people are notified, and the assistant comes back by itself."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing

from tests.documents.receiver import receiving
from tests.mail_server import serving_mail
from tests.runtime.test_media import rows
from tests.runtime_process import Line, Runtime, open_line
from tests.sandbox_process import Sandbox, wait_until

MODEL = {"provider": "openai", "method": "POST", "path": "/v1/responses"}
TELL = "Te paso con una persona de nuestro equipo. Te responderemos por aquí lo antes posible."


def handing_over(line: Callable[..., Line], **handoff: object) -> Line:
    """A line whose client has people."""
    return line(policy={"version": 1, "handoff": {"resume_after": "4h", **handoff}})


def turns_of(shop: Line) -> list[tuple[str, str | None]]:
    """How its turns ended, as the log tells."""
    return [
        (entry["event"], entry.get("reason") or entry.get("cause"))
        for entry in shop.runtime.log()
        if entry.get("number") == shop.number
        and entry["event"] in ("turn_answered", "message_not_answered", "conversation_handed_over", "turn_failed")
    ]


def test_who_asks_for_a_person_is_told_and_not_answered_by_the_assistant_any_more(line: Callable[..., Line]) -> None:
    shop = handing_over(line)
    assert shop.ask("Quiero HABLAR con una persona, por favor") == TELL
    wait_until(lambda: summary_of(shop) is not None, what="the summary")
    before = len(shop.sandbox.calls("openai", "POST", "/v1/responses"))
    shop.write("¿Hola?", wait=0)
    wait_until(lambda: len(turns_of(shop)) == 2, what="the turn to end")
    assert len(shop.sandbox.calls("openai", "POST", "/v1/responses")) == before
    assert turns_of(shop) == [("conversation_handed_over", "asked"), ("message_not_answered", "human")]
    metrics = shop.runtime.api("GET", "/metrics").body.decode()
    bot = shop.bot["id"]
    assert f'horizonai_conversations_with_people{{client="{bot}"}} 1.0' in metrics
    assert f'horizonai_conversations_waiting{{client="{bot}"}} 1.0' in metrics
    assert f'horizonai_handoffs_total{{cause="asked",client="{bot}"}} 1.0' in metrics


def summary_of(shop: Line) -> str | None:
    """What people read about its only conversation."""
    sql = f"SELECT state_summary FROM conversations WHERE bot_id = '{shop.bot['id']}'"
    ((summary,),) = rows(shop.runtime, sql)
    return None if summary is None else str(summary)


def test_who_asks_for_a_person_is_summed_up_by_the_model_and_its_cost_is_in_the_ledger(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox
) -> None:
    with serving_mail() as mail:
        runtime = runtime_factory(ALERT_NOTIFY=mail.url, SWEEP_SECONDS="0")
        handoff = {"resume_after": "4h", "notify": ["turno@lacocina.cl"]}
        shop = open_line(runtime, sandbox, name="La Cocina", policy={"version": 1, "handoff": handoff})
        shop.ask("Mi pedido 4411 no llegó")
        shop.ask("Quiero hablar con una persona")
        wait_until(lambda: len(mail.arrived) == 1, what="the notice")
        ((_, text),) = mail.texts_to("turno@lacocina.cl")
        summary = str(summary_of(shop))
        assert f"Resumen: {summary}" in text
        assert "Persona: Mi pedido 4411 no llegó" in text
        body = sandbox.calls("openai", "POST", "/v1/responses")[-1]["body"]
        assert body["instructions"].startswith("Resume para quien atiende")
        assert (body["max_output_tokens"], body.get("tools"), body["store"]) == (400, None, False)
        assert "Persona: Mi pedido 4411 no llegó" in body["input"][0]["content"]
        kinds = rows(runtime, "SELECT turn_id, kind FROM usage WHERE kind = 'model_output' ORDER BY id")
        ((handed_over,),) = rows(runtime, "SELECT max(id) FROM turns")
        assert kinds[-1] == (handed_over, "model_output")


def test_a_conversation_that_an_operator_takes_is_summed_up(line: Callable[..., Line]) -> None:
    shop = line()
    shop.ask("¿Tienen mesa para el sábado?")
    ((conversation,),) = rows(shop.runtime, f"SELECT id FROM conversations WHERE bot_id = '{shop.bot['id']}'")
    assert shop.runtime.command("conversations", "take", str(conversation)).code == 0
    wait_until(lambda: summary_of(shop) is not None, what="the summary")
    assert "Sin resumen" not in str(summary_of(shop))
    assert f"summary: {summary_of(shop)}" in shop.runtime.command("conversations", "show", str(conversation)).out


def test_no_model_is_asked_for_a_summary_of_who_has_not_consented(line: Callable[..., Line], sandbox: Sandbox) -> None:
    consent = {"text": "¿Puede un asistente leer lo que escribes?", "required": True}
    shop = line(policy={"version": 1, "handoff": {"resume_after": "4h"}, "data": {"consent": consent}})
    shop.ask("Me duele una muela")
    ((conversation,),) = rows(shop.runtime, f"SELECT id FROM conversations WHERE bot_id = '{shop.bot['id']}'")
    assert shop.runtime.command("conversations", "take", str(conversation)).code == 0
    wait_until(lambda: summary_of(shop) is not None, what="what stands in its place")
    lines = str(summary_of(shop)).split("\n")
    why = "Sin resumen: la persona no ha aceptado que un asistente lea lo que escribe. Últimos mensajes:"
    assert lines[:2] == [why, "Persona: Me duele una muela"]
    assert sandbox.calls("openai", "POST", "/v1/responses") == []


def test_no_model_is_asked_for_a_summary_once_the_month_is_used_up(line: Callable[..., Line], sandbox: Sandbox) -> None:
    budget = {"monthly": 0.000001, "on_exceeded": "notify"}
    shop = line(policy={"version": 1, "handoff": {"resume_after": "4h"}, "budget": budget})
    shop.ask("Hola")
    asked = len(sandbox.calls("openai", "POST", "/v1/responses"))
    assert shop.ask("Quiero hablar con una persona") == TELL
    wait_until(lambda: summary_of(shop) is not None, what="what stands in its place")
    assert str(summary_of(shop)).startswith("Sin resumen: se agotó el presupuesto del mes. Últimos mensajes:")
    assert len(sandbox.calls("openai", "POST", "/v1/responses")) == asked


def test_without_the_block_the_words_are_for_the_assistant(line: Callable[..., Line]) -> None:
    assert line().ask("Quiero hablar con una persona") != TELL


def test_the_model_passes_a_conversation_on_with_a_summary_and_its_words_are_not_sent(
    line: Callable[..., Line], sandbox: Sandbox
) -> None:
    shop = handing_over(line, tell="Te paso con Carla, {opening}.")
    arguments = json.dumps({"reason": "Reembolso", "summary": "Ana pide su dinero de vuelta."})
    assert shop.ask(f"llama a hand_over {arguments}") == "Te paso con Carla, lo antes posible."
    sql = f"SELECT state, state_reason, state_summary FROM conversations WHERE bot_id = '{shop.bot['id']}'"
    ((state, reason, summary),) = rows(shop.runtime, sql)
    assert (state, reason, summary) == ("human", "model", "Reembolso\nAna pide su dinero de vuelta.")


def test_two_failures_in_a_row_bring_people_instead_of_a_second_apology(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox
) -> None:
    runtime = runtime_factory(TURN_DEADLINE_SECONDS="0.5", REPLY_WITHIN_SECONDS="0", SWEEP_SECONDS="0")
    shop = open_line(runtime, sandbox, policy={"version": 1, "handoff": {"resume_after": "4h"}})
    sandbox.faults(MODEL | {"kind": "status", "status": 400})
    for text in ("Hola", "¿Hola?"):
        shop.write(text)
    wait_until(lambda: len(shop.shown()) == 2, what="the tell")
    assert shop.shown()[1] == TELL
    assert [event for event, _ in turns_of(shop)] == ["turn_failed", "turn_failed", "conversation_handed_over"]
    wait_until(lambda: summary_of(shop) is not None, what="what stands in the summary's place")
    assert str(summary_of(shop)).startswith("Sin resumen: el modelo no respondió. Últimos mensajes:\nPersona: Hola")


def due(runtime: Runtime, kind: str) -> None:
    """The time of a timer has come."""
    with closing(sqlite3.connect(runtime.folder / "runtime.db", timeout=20)) as store, store:
        store.execute("UPDATE conversations SET state_until = '2026-01-01T00:00:00.000Z' WHERE state_until IS NOT NULL")
        assert store.execute("UPDATE timers SET due_at = put_at WHERE kind = ?", (kind,)).rowcount == 1


def test_people_are_notified_again_where_none_answers_and_then_the_assistant_resumes(
    runtime_factory: Callable[..., Runtime], sandbox: Sandbox
) -> None:
    with serving_mail() as mail, receiving() as slack:
        runtime = runtime_factory(ALERT_NOTIFY=mail.url, SLACK=slack.url(), SWEEP_SECONDS="0")
        notify = ["turno@lacocina.cl", {"env": "SLACK"}]
        handoff = {"resume_after": "4h", "escalate_after": 15, "notify": notify}
        shop = open_line(runtime, sandbox, name="La Cocina", policy={"version": 1, "handoff": handoff})
        shop.ask(
            'llama a hand_over {"reason": "Reembolso", "summary": "Pide su dinero de vuelta."}', profile_name="Ana"
        )
        wait_until(lambda: len(mail.arrived) == len(slack.arrived) == 1, what="both notices")

        ((subject, text),) = mail.texts_to("turno@lacocina.cl")
        assert subject == "La Cocina: una persona espera respuesta"
        assert "Resumen: Reembolso Pide su dinero de vuelta." in text
        assert f"Asistente: {TELL}" in text
        assert "+56912345678" not in text
        (short,) = slack.messages
        assert "Conversación:\n" not in short["message"]

        shop.write("¿Hola?", wait=0)
        wait_until(lambda: len(turns_of(shop)) == 3, what="the turn to end")
        due(runtime, "handoff_escalation")
        wait_until(lambda: len(mail.arrived) == len(slack.arrived) == 2, what="both again")
        assert slack.messages[1]["title"] == "La Cocina: nadie ha respondido aún"

        due(runtime, "handoff_resume")
        wait_until(lambda: len(shop.shown()) == 2, what="the answer to what was left")
        assert "¿Hola?" in shop.shown()[1]
        assert shop.ask("¿Sigues ahí?")
    assert ("INFO", "handoff_ended") in {(entry["level"].upper(), entry["event"]) for entry in runtime.log()}
