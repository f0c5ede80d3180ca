"""`reconcile status`: how each client stands, and its onboarding checklist, from live facts."""

from __future__ import annotations

import re

import pytest

from tests.brownfield.by_hand import ByHand
from tests.brownfield.golden import same_as_golden
from tests.reconciler.agency import Agency
from tests.runtime_process import NO_NOTE
from tests.sandbox_process import Json, wait_until


def rows(agency: Agency) -> dict[str, Json]:
    """The rows by client."""
    result = agency.reconcile("status", "--format", "json")
    assert result.code == 0, result.said
    return {row["client"]: row for row in result.document["clients"]}


def test_a_row_says_what_is_live(served: Agency) -> None:
    served.declare("la-cocina")
    served.apply()
    served.sandbox.inbound(served.number("la-cocina"), "Hola")
    wait_until(lambda: rows(served)["la-cocina"]["answers"] == "delivered", what="the report of the delivery")
    row = rows(served)["la-cocina"]
    assert (row["sender_status"], row["quality_rating"], row["webhook"]) == ("ONLINE", "HIGH", "ours")
    assert (row["assistant_id"], row["bot_id"], row["last_turn"]) == ("la-cocina", "la-cocina", "answered")
    assert row["last_message_at"]
    assert row["last_applied_at"]
    assert (row["sync"], row["problems"], row["attention"]) == ("in sync", [], [])
    shown = served.reconcile("status", "la-cocina", COLUMNS="60").out
    assert shown.splitlines()[:4] == [
        "la-cocina",
        "  name            Cliente la-cocina",
        "  state           active",
        "  answers         delivered",
    ]
    assert max(map(len, shown.splitlines())) <= 60


def test_everything_about_a_client_says_what_its_answers_took_and_what_was_saved(served: Agency) -> None:
    served.declare("la-cocina")
    served.apply()
    served.sandbox.inbound(served.number("la-cocina"), "Hola")
    wait_until(lambda: rows(served)["la-cocina"]["answers"] == "delivered", what="the report of the delivery")
    served.sandbox.inbound(served.number("la-cocina"), "gracias", wait=0)
    wait_until(lambda: rows(served)["la-cocina"]["last_turn"] == "unanswered", what="the end of the turn")

    shown = served.reconcile("status", "la-cocina").out.splitlines()
    result = served.reconcile("status", "la-cocina", "--format", "json")

    assert "  messages        1.00 per answered question in 30 days (1 for 1)" in shown
    assert "  replies saved   1 in 30 days (1 to thanks, 0 by the model)" in shown
    counts = {"answered": 1, "messages": 1, "saved_by_list": 1, "saved_by_model": 0}
    assert result.document["clients"][0]["replies"] == counts
    assert rows(served)["la-cocina"]["replies"] is None


def test_a_client_of_a_live_agent_is_answered_and_its_row_says_by_whom(served: Agency) -> None:
    served.declare("la-cocina", assistant={"engine": "agents"}, **NO_NOTE)
    served.apply()
    answered = served.sandbox.inbound(served.number("la-cocina"), "Hola")["answers"]
    assert [answer["body"] for answer in answered] == [
        "[Cliente la-cocina] Eres el asistente de la-cocina. · Hola · turn 1"
    ]
    row = rows(served)["la-cocina"]
    [agent] = served.agents()
    assert (row["engine"], row["assistant_id"], row["last_turn"]) == ("agents", agent["id"], "answered")
    assert row["sync"] == "in sync"
    checklist = served.reconcile("status", "--checklist", "la-cocina").out
    assert f"- [x] Assistant ID: {agent['id']} (agents)".replace("_", "\\_") in checklist


def test_the_days_until_a_model_is_shut_down_are_counted(agency: Agency) -> None:
    agency.declare("la-cocina", assistant={"model": "gpt-4o-mini"})
    assert isinstance(rows(agency)["la-cocina"]["model_days_left"], int)


def test_what_is_not_in_sync_is_called_by_its_name(agency: Agency, by_hand: ByHand) -> None:
    by_hand.restaurant()
    assert agency.reconcile("import").code == 0
    agency.declare("cliente-a")
    agency.declare("cliente-b", registered=False)
    agency.apply("--client", "cliente-b")
    agency.declare("cliente-c", assistant={"model": "gpt-nada"})
    assert {client: row["sync"] for client, row in rows(agency).items()} == {
        "cliente-a": "differs",
        "cliente-b": "withheld",
        "cliente-c": "error",
        "restaurante-la-cocina": "made by hand",
    }


@pytest.mark.parametrize(("told", "rating", "fetched"), [({"quality_rating": "LOW"}, "LOW", 0), (None, "HIGH", 2)])
def test_a_sender_is_fetched_only_where_the_list_left_something_out(
    agency: Agency, told: Json | None, rating: str, fetched: int
) -> None:
    agency.declare("la-cocina")
    agency.declare("cliente-a")
    agency.apply()
    listed = [{**sender, "properties": told} for sender in agency.senders().values()]
    before = len(agency.sandbox.calls("twilio", "GET", "/v2/Channels/Senders/XE"))
    page = {"meta": {"key": "senders"}, "senders": listed}
    agency.sandbox.faults(
        {"kind": "status", "status": 200, "body": page, "method": "GET", "path": "/v2/Channels/Senders", "times": 1}
    )
    assert {row["quality_rating"] for row in rows(agency).values()} == {rating}
    assert len(agency.sandbox.calls("twilio", "GET", "/v2/Channels/Senders/XE")) - before == fetched


def test_a_webhook_that_goes_elsewhere_is_shown(agency: Agency) -> None:
    agency.declare("la-cocina")
    agency.apply()
    agency.sandbox.change(agency.number("la-cocina"), webhook={"callback_url": "https://otro.cl"})
    assert rows(agency)["la-cocina"]["webhook"] == "https://otro.cl"


def test_a_side_that_cannot_be_read_is_left_blank_and_exits_1(agency: Agency) -> None:
    agency.declare("la-cocina")
    agency.apply()
    result = agency.reconcile("status", TWILIO_AUTH_TOKEN="wrong-token")
    assert result.code == 1
    assert re.search(r"^la-cocina +none +unresolved +unread +– +reading$", result.out, re.MULTILINE)
    assert "error: Twilio account" in result.out


def test_everything_about_one_client_is_asked_for_by_its_id_alone(agency: Agency) -> None:
    agency.declare("la-cocina")
    agency.declare("se-fue", state="absent")
    assert "ID shows everything about one client" in agency.reconcile("status", "la-cocina", "--wide").err
    assert "se-fue has `state: absent`" in agency.reconcile("status", "se-fue").err


def test_status_writes_nothing(agency: Agency) -> None:
    agency.declare("la-cocina")
    agency.apply()
    store, writes = agency.store_file.read_bytes(), agency.writes()
    rows(agency)
    assert (agency.store_file.read_bytes(), agency.writes()) == (store, writes)


def test_the_checklist_of_a_client_that_answers(served: Agency) -> None:
    served.declare("la-cocina", metadata={"fecha_creacion": "2025-10-22"})
    served.apply()
    served.sandbox.inbound(served.number("la-cocina"), "Hola")
    result = served.reconcile("status", "--checklist", "la-cocina")
    assert result.code == 0, result.said
    same_as_golden("checklist-answers.md", result.out)


def test_the_checklist_of_a_client_of_which_nothing_is_there_yet(agency: Agency) -> None:
    agency.declare("la-cocina", registered=False)
    result = agency.reconcile("status", "--checklist", "la-cocina", PUBLIC_URL="http://127.0.0.1:9")
    same_as_golden("checklist-new.md", result.out)


def test_bots_that_no_manifest_declares_are_listed_with_what_keeps_them_from_answering(
    agency: Agency, by_hand: ByHand
) -> None:
    agency.declare("la-cocina")
    agency.declare("el-viejo")
    agency.apply()
    agency.withdraw("el-viejo")
    by_hand.bot("asst_nobody", key="bot_1", number="+56998760001")
    by_hand.bot(None, key="bot_2", number="+56998760002", instructions="Hola.", model="gpt-6-luna", state="paused")

    listed = agency.reconcile("status", "--format", "json").document["without_manifest"]
    table = agency.reconcile("status").out

    assert [(bot["bot_id"], bot["client"], bot["problem"]) for bot in listed] == [
        ("bot_1", None, "its assistant asst_nobody does not exist at the provider"),
        ("bot_2", None, None),
        ("el-viejo", "el-viejo", None),
    ]
    assert table.split("Bots without a manifest:\n")[1].splitlines() == [
        "  +56998760001  bot_1 (Bot La Cocina), no message yet; made by hand, `reconcile import` writes its manifest;"
        " it cannot answer: its assistant asst_nobody does not exist at the provider.",
        "  +56998760002  bot_2 (Bot La Cocina, paused), no message yet; made by hand, `reconcile import` writes its"
        " manifest.",
        f"  {agency.number('el-viejo')}  el-viejo (Cliente el-viejo), no message yet; the manifest of 'el-viejo' is"
        " missing, `reconcile --prune` deletes it.",
    ]
    assert "Bots without" not in agency.reconcile("status", "--client", "la-cocina").out


def test_a_canary_is_compared_with_the_assistant_and_one_that_is_over_is_warned_of(served: Agency) -> None:
    canary = {"percent": 50, "until": "2099-12-31", "instructions": "Atiendes de otra manera."}
    served.declare("la-cocina", assistant={"canary": canary})
    served.apply()
    for user in range(6):
        served.sandbox.inbound(served.number("la-cocina"), "Hola", f"+5691111000{user}")
    wait_until(lambda: rows(served)["la-cocina"]["answers"] == "delivered", what="the report of the delivery")

    [row] = served.reconcile("status", "la-cocina", "--format", "json").document["clients"]
    compared = {one["variant"]: one for one in row["canary"]["variants"]}
    assert {name: one["turns"] for name, one in compared.items()} == {"canary": 2, "stable": 4}
    assert compared["canary"]["answered"] == compared["canary"]["messages"] == 2
    assert compared["canary"]["output_tokens"] > 20
    assert compared["canary"]["nano_usd"] > 0
    shown = served.reconcile("status", "la-cocina").out
    assert re.search(r"canary +50 % until 2099-12-31, since 20", shown)
    assert re.search(r"turns +4 +2\n +handoffs +0 \(0.0 %\) +0 \(0.0 %\)", shown)

    served.declare("la-cocina", assistant={"canary": canary | {"until": "2026-01-31"}})
    served.apply()
    said = "the canary's last day, 2026-01-31, has passed: the assistant answers everybody"
    assert said in served.reconcile("--dry-run").out
    drift = served.reconcile("drift")
    assert (drift.code, drift.out) == (0, "")
    assert f"warning: la-cocina: bot: {said}" in drift.err
    assert said in served.reconcile("status").out
