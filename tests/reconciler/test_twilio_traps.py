"""Twilio's Senders API as it is: sparse lists, echoes, slow updates, and fields that are not ours."""

from __future__ import annotations

import pytest

from tests.reconciler.agency import OVERRIDES, WEBHOOK, Agency
from tests.sandbox_process import Json

LOGO = "https://lacocina.cl/logo.png"
SENDERS = "/v2/Channels/Senders"


def fetches(agency: Agency) -> list[str]:
    """Senders that were fetched one by one, by path, since the sandbox began."""
    return [call["path"] for call in agency.sandbox.calls("twilio", "GET", f"{SENDERS}/")]


def updates(agency: Agency) -> list[Json]:
    """The bodies of all updates."""
    return [call["body"] for call in agency.sandbox.calls("twilio", "POST", f"{SENDERS}/")]


@pytest.fixture
def applied(agency: Agency) -> Agency:
    """One client with a profile, applied."""
    agency.declare("la-cocina", sender={"profile": {"about": "Cocina chilena"}})
    agency.apply()
    return agency


def test_fields_of_webhook_and_profile_that_are_not_ours_survive_an_update(agency: Agency) -> None:
    number = agency.number("la-cocina")
    theirs = {"name": "La Cocina", "address": "Av. Italia 1234", "emails": [{"email": "h@la.cl", "label": "Casa"}]}
    agency.sandbox.register(number, profile=theirs, configuration={"voice_application_sid": "AP1"})
    agency.declare("la-cocina", sender={"profile": {"about": "Cocina chilena"}})
    agency.apply()
    sender = agency.sender("la-cocina")
    assert {key: sender["profile"][key] for key in theirs} == theirs
    assert sender["profile"]["about"] == "Cocina chilena"
    assert sender["webhook"] == WEBHOOK


def test_an_update_sends_back_live_keys_that_nobody_here_has_heard_of(applied: Agency) -> None:
    applied.declare("la-cocina", sender={"profile": {"about": "Sushi"}})
    sender = applied.sender("la-cocina")
    strange = {**sender, "webhook": {**WEBHOOK, "callback_url": "https://otro.cl", "burst_limit": "5"}}
    strange["profile"] = {**sender["profile"], "opening_hours": "9-18"}
    listed = {"meta": {"key": "senders"}, "senders": [strange]}
    answered = {"kind": "status", "status": 200, "method": "GET", "times": 1}
    applied.sandbox.faults(
        {**answered, "path": f"{SENDERS}/{sender['sid']}", "body": strange},
        {**answered, "path": SENDERS, "body": listed},
    )
    applied.apply()
    body = updates(applied)[-1]
    assert body["webhook"] == {**WEBHOOK, "burst_limit": "5"}
    assert body["profile"]["opening_hours"] == "9-18"


def test_only_the_parts_that_are_declared_are_sent(agency: Agency) -> None:
    agency.declare("cliente-a")
    agency.apply()
    [body] = updates(agency)
    assert set(body) == {"webhook"}


def test_an_update_goes_out_as_json_whatever_the_sdk_would_make_of_it(applied: Agency) -> None:
    [call] = applied.sandbox.calls("twilio", "POST", SENDERS)
    assert isinstance(call["body"], dict)
    assert call["body"]["webhook"] == WEBHOOK
    assert call["status"] == 202


def test_a_list_that_is_complete_costs_one_call_however_many_senders_there_are(agency: Agency) -> None:
    for client in ("cliente-a", "cliente-b", "cliente-c"):
        agency.declare(client, sender={"profile": {"about": "Hola"}})
    agency.apply()
    before = len(agency.sandbox.calls("twilio"))
    assert agency.changes() == []
    calls = agency.sandbox.calls("twilio")[before:]
    asked = sorted((call["path"], call["query"]) for call in calls)
    assert asked == [("/v1/Services", "PageSize=100"), (SENDERS, "Channel=whatsapp&PageSize=1000")]


def test_what_a_sparse_list_leaves_out_is_fetched_and_is_no_drift(applied: Agency) -> None:
    before = len(fetches(applied))
    applied.sandbox.faults({"kind": "sparse_list", "provider": "twilio"})
    assert applied.changes() == []
    assert len(fetches(applied)) == before + 1


def test_senders_of_others_are_never_fetched_one_by_one(applied: Agency) -> None:
    applied.sandbox.register("+56998761111", profile={"name": "Ajeno"})
    before = len(fetches(applied))
    applied.sandbox.faults({"kind": "sparse_list", "provider": "twilio"})
    applied.plan()
    assert len(fetches(applied)) == before + 1


def test_a_sender_that_cannot_be_fetched_leaves_its_own_client_alone(agency: Agency) -> None:
    agency.declare("cliente-a")
    agency.declare("cliente-b")
    agency.apply()
    agency.sandbox.register("+56998761111", profile={"name": "C"})
    agency.declare("cliente-c", number="+56998761111")
    agency.sandbox.faults({"kind": "status", "status": 400, "method": "GET", "path": f"{SENDERS}/"})
    agency.declare("cliente-a", name="Otro")
    result = agency.reconcile("--yes")
    assert result.code == 4
    assert "unresolved: cliente-c: left unchanged" in result.out
    assert [bot.name for bot in agency.snapshot().bots] == ["Otro", "Cliente cliente-b"]


def test_an_update_counts_as_done_when_the_sender_has_left_online_updating(agency: Agency) -> None:
    agency.sandbox.settings(update_seconds=0.4)
    agency.declare("cliente-a")
    agency.apply()
    statuses = [call["status"] for call in agency.sandbox.calls("twilio", "POST", SENDERS)]
    assert statuses == [202]
    assert agency.sender("cliente-a")["status"] == "ONLINE"
    assert len(fetches(agency)) >= 3


@pytest.mark.long
def test_an_update_that_was_accepted_and_then_ignored_is_not_called_applied(agency: Agency) -> None:
    agency.declare("cliente-a")
    sid = agency.sender("cliente-a")["sid"]
    ignored = {"sid": sid, "status": "ONLINE:UPDATING"}
    agency.sandbox.faults({"kind": "status", "status": 202, "body": ignored, "method": "POST", "path": SENDERS})
    running = agency.start("--yes")
    agency.await_calls("GET", f"{SENDERS}/{sid}", 3)
    running.terminate()
    result = running.wait()
    assert result.code == 4
    assert f"failed  cliente-a: sender {agency.number('cliente-a')}" in result.out
    assert "Twilio accepted the update and still shows another webhook.callback_url" in result.out


def test_order_and_labels_of_addresses_are_no_difference(agency: Agency) -> None:
    websites = ["https://lacocina.cl", "https://carta.lacocina.cl"]
    agency.declare("la-cocina", sender={"profile": {"websites": websites, "emails": ["hola@lacocina.cl"]}})
    agency.apply()
    live = [{"website": site, "label": "Carta"} for site in sorted(websites)]
    email = [{"email": "hola@lacocina.cl", "label": "Reservas"}]
    for order in (live, live[::-1]):
        agency.sandbox.change(agency.number("la-cocina"), profile={"websites": order, "emails": email})
        assert agency.changes() == []


def test_an_address_that_stays_keeps_the_label_that_somebody_gave_it(agency: Agency) -> None:
    agency.declare("la-cocina", sender={"profile": {"websites": ["https://lacocina.cl"]}})
    agency.apply()
    labelled = [{"website": "https://lacocina.cl", "label": "Carta"}]
    agency.sandbox.change(agency.number("la-cocina"), profile={"websites": labelled})
    agency.declare("la-cocina", sender={"profile": {"websites": ["https://lacocina.cl", "https://nuevo.cl"]}})
    agency.apply()
    assert agency.sender("la-cocina")["profile"]["websites"] == [
        *labelled,
        {"website": "https://nuevo.cl", "label": "Website"},
    ]


def test_a_logo_that_whatsapp_serves_from_an_address_of_its_own_is_no_difference(agency: Agency) -> None:
    agency.declare("la-cocina", sender={"profile": {"logo_url": LOGO}})
    agency.apply()
    agency.sandbox.change(agency.number("la-cocina"), profile={"logo_url": "https://pps.whatsapp.net/v/1.jpg"})
    assert agency.changes() == []
    agency.declare("la-cocina", sender={"profile": {"logo_url": "https://lacocina.cl/otro.png"}})
    [change] = agency.plan()["changes"]
    assert list(change["fields"]) == ["profile.logo_url"]


def test_a_logo_that_was_taken_away_live_is_put_back(agency: Agency) -> None:
    agency.declare("la-cocina", sender={"profile": {"logo_url": LOGO}})
    agency.apply()
    agency.sandbox.change(agency.number("la-cocina"), profile={"logo_url": None})
    assert agency.reconcile("drift").code == 2


def test_a_webhook_without_methods_is_posted_to_anyway(applied: Agency) -> None:
    methods = dict.fromkeys(("callback_method", "fallback_method", "status_callback_method"))
    applied.sandbox.change(applied.number("la-cocina"), webhook=methods)
    assert applied.changes() == []


def test_a_webhook_that_is_put_instead_of_posted_is_drift(applied: Agency) -> None:
    applied.sandbox.change(applied.number("la-cocina"), webhook={"callback_method": "PUT"})
    assert applied.reconcile("drift").code == 2


def test_a_second_address_of_the_runtime_is_every_senders_fallback(agency: Agency) -> None:
    agency.declare("cliente-a")
    agency.environment["FALLBACK_URL"] = "https://respaldo.agencia.cl/"
    agency.apply()
    assert agency.sender("cliente-a")["webhook"] == {
        **WEBHOOK,
        "fallback_url": f"https://respaldo.agencia.cl/webhook/whatsapp{OVERRIDES}",
    }


def test_a_runtime_that_moved_is_an_update_of_every_sender(applied: Agency) -> None:
    applied.environment["PUBLIC_URL"] = "https://nuevo.agencia.cl"
    [change] = applied.plan()["changes"]
    assert sorted(change["fields"]) == ["webhook.callback_url", "webhook.fallback_url", "webhook.status_callback_url"]
    assert change["reason"] == "config"
