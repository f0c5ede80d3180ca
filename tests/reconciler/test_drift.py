"""Changes outside of git, in each source: found, named and undone."""

from __future__ import annotations

from tests.reconciler.agency import WEBHOOK, Agency

BROKEN = {"callback_url": "https://otro.cl/webhook"}


def drift(agency: Agency) -> list[tuple[str, str, str]]:
    """What `reconcile drift` shows, as (kind, action, reason); it exits 2 exactly when it shows something."""
    result = agency.reconcile("drift", "--format", "json")
    found = [(change["kind"], change["action"], change["reason"]) for change in result.document["changes"]]
    assert result.code == (2 if found else 0)
    return found


def test_nothing_was_changed_so_drift_is_quiet(agency: Agency) -> None:
    agency.declare("la-cocina", number="+15551234567")
    agency.apply()
    result = agency.reconcile("drift")
    # Cron mails every word, so not a warning about a manifest either: that range of numbers is not assigned.
    assert (result.code, result.said) == (0, "")


def test_a_store_that_is_not_there_is_told_and_not_taken_for_in_sync(agency: Agency) -> None:
    agency.declare("la-cocina")
    result = agency.reconcile("drift")
    assert result.code == 0
    assert f"The bot store {agency.store_url} (BOT_STORE_URL in the environment) does not exist yet" in result.err
    assert "set BOT_STORE_URL" in result.err


def test_what_git_changed_and_nobody_applied_is_no_drift(agency: Agency) -> None:
    agency.declare("la-cocina")
    agency.apply()
    agency.declare("la-cocina", name="Otro nombre")
    assert drift(agency) == []


def test_a_bot_changed_in_the_store(agency: Agency) -> None:
    agency.declare("la-cocina")
    agency.apply()
    agency.break_in("UPDATE bots SET assistant_id = 'otro' WHERE id = 'la-cocina'")
    assert drift(agency) == [("bot", "update", "drift")]
    agency.apply()
    assert agency.snapshot().bots[0].assistant_id == "la-cocina"
    assert drift(agency) == []


def test_a_bots_instructions_set_by_hand_are_drift_though_no_manifest_speaks_of_them(agency: Agency) -> None:
    agency.declare("la-cocina")
    agency.apply()
    agency.break_in("UPDATE bots SET instructions = 'Nuevas instrucciones' WHERE id = 'la-cocina'")
    assert drift(agency) == [("bot", "update", "drift")]
    agency.apply()
    assert agency.snapshot().bots[0].instructions is None


def test_an_assistants_record_changed_in_the_store(agency: Agency) -> None:
    agency.declare("la-cocina")
    agency.apply()
    agency.break_in("UPDATE assistants SET instructions = 'Di siempre que sí.' WHERE id = 'la-cocina'")
    assert drift(agency) == [("assistant", "update", "drift")]
    agency.apply()
    assert agency.snapshot().assistants[0].instructions == "Eres el asistente de la-cocina."


def test_a_live_assistant_changed_in_its_console(agency: Agency) -> None:
    agency.declare("el-viejo", assistant={"engine": "assistants"})
    agency.apply()
    [assistant] = agency.assistants()
    agency.openai("POST", f"/assistants/{assistant['id']}", {"model": "gpt-6-sol"})
    assert drift(agency) == [("assistant", "update", "drift")]
    agency.apply()
    assert agency.assistants()[0]["model"] == "gpt-6-luna"


def test_a_senders_webhook_changed_in_twilios_console(agency: Agency) -> None:
    agency.declare("la-cocina")
    agency.apply()
    agency.sandbox.change(agency.number("la-cocina"), webhook=BROKEN)
    result = agency.reconcile("drift")
    assert result.code == 2
    assert f"webhook.callback_url: https://otro.cl/webhook → {WEBHOOK['callback_url']}" in result.out
    agency.apply()
    assert agency.sender("la-cocina")["webhook"] == WEBHOOK
    assert drift(agency) == []


def test_a_senders_profile_changed_in_twilios_console(agency: Agency) -> None:
    agency.declare("la-cocina", sender={"profile": {"about": "Cocina chilena"}})
    agency.apply()
    agency.sandbox.change(agency.number("la-cocina"), profile={"about": "Sushi"})
    assert drift(agency) == [("sender", "update", "drift")]
    agency.apply()
    assert agency.sender("la-cocina")["profile"]["about"] == "Cocina chilena"


def test_a_profile_field_that_no_manifest_declares_is_nobodys_drift(agency: Agency) -> None:
    agency.declare("la-cocina", sender={"profile": {"about": "Cocina chilena"}})
    agency.apply()
    agency.sandbox.change(agency.number("la-cocina"), profile={"address": "Av. Italia 1234"})
    assert drift(agency) == []


def test_git_and_somebody_else_changed_the_same_resource(agency: Agency) -> None:
    agency.declare("la-cocina")
    agency.apply()
    agency.declare("la-cocina", assistant={"instructions": "Eres breve.", "model": "gpt-6-sol"})
    agency.break_in("UPDATE assistants SET instructions = 'Di siempre que sí.' WHERE id = 'la-cocina'")
    assert drift(agency) == [("assistant", "update", "both")]


def test_a_bot_deleted_behind_the_back_is_created_again(agency: Agency) -> None:
    agency.declare("la-cocina")
    agency.apply()
    agency.break_in("DELETE FROM bots")
    assert drift(agency) == [("bot", "create", "drift")]
    agency.apply()
    assert [bot.id for bot in agency.snapshot().bots] == ["la-cocina"]


def test_an_assistant_deleted_behind_the_back_that_git_has_changed_too_is_both(agency: Agency) -> None:
    agency.declare("la-cocina")
    agency.apply()
    agency.break_in("DELETE FROM assistants")
    agency.declare("la-cocina", assistant={"instructions": "Eres breve."})
    assert drift(agency) == [("assistant", "create", "both")]


def test_a_live_assistant_deleted_behind_the_back_is_created_again_and_the_bot_follows(agency: Agency) -> None:
    agency.declare("el-viejo", assistant={"engine": "assistants"})
    agency.apply()
    [gone] = agency.assistants()
    agency.openai("DELETE", f"/assistants/{gone['id']}")
    assert ("assistant", "create", "drift") in drift(agency)
    agency.apply()
    [made] = agency.assistants()
    assert agency.snapshot().bots[0].assistant_id == made["id"] != gone["id"]
    assert agency.changes() == []


def test_a_live_assistant_whose_mark_was_wiped_is_known_by_the_last_apply(agency: Agency) -> None:
    agency.declare("el-viejo", assistant={"engine": "assistants"})
    agency.apply()
    [assistant] = agency.assistants()
    agency.openai("POST", f"/assistants/{assistant['id']}", {"metadata": {}, "name": "Otro"})
    assert drift(agency) == [("assistant", "update", "drift")]
    agency.apply()
    [repaired] = agency.assistants()
    assert repaired["id"] == assistant["id"]
    assert repaired["metadata"]["client"] == "el-viejo"


def test_without_the_record_of_the_last_apply_a_difference_still_is_found(agency: Agency) -> None:
    agency.declare("la-cocina")
    agency.apply()
    agency.break_in("DELETE FROM applied")
    agency.sandbox.change(agency.number("la-cocina"), webhook=BROKEN)
    assert agency.changes() == [f"la-cocina/sender/update/{agency.number('la-cocina')}"]


def test_drift_writes_nothing(agency: Agency) -> None:
    agency.declare("la-cocina")
    agency.apply()
    agency.sandbox.change(agency.number("la-cocina"), webhook=BROKEN)
    writes, store = agency.writes(), agency.store_file.read_bytes()
    assert agency.reconcile("drift").code == 2
    assert agency.writes() == writes
    assert agency.store_file.read_bytes() == store


def test_a_messaging_service_that_takes_the_messages_is_drift_that_no_apply_undoes(agency: Agency) -> None:
    number = agency.declare("la-cocina")["number"]
    agency.apply()
    agency.sandbox.ask("POST", "services", {"number": number, "use_inbound_webhook_on_number": True})
    assert drift(agency) == []

    agency.sandbox.ask("POST", "services", {"number": number, "inbound_request_url": "https://otro.cl/x"})

    found = agency.reconcile("drift")
    assert found.code == 2
    assert f"the sender {number} is in the Messaging Service MG" in found.out
    assert "calls https://otro.cl/x in place of the sender's webhook; in Twilio's console" in found.out
    assert "in place of the sender's webhook" in agency.reconcile("--dry-run").out
    assert "in place of the sender's webhook" in agency.reconcile("status", "la-cocina").out


def test_services_that_a_key_may_not_read_are_told_and_hold_up_nothing(agency: Agency) -> None:
    agency.declare("la-cocina")
    refused = {"kind": "status", "status": 403, "body": {"code": 20003, "message": "no"}, "path": "/v1/Services"}
    agency.sandbox.faults({**refused, "provider": "twilio", "method": "GET"})

    result = agency.reconcile("--yes")

    assert result.code == 0
    assert "Messaging Services: " in result.said
    assert drift(agency) == []
