"""Clients that leave: absent, orphaned, pruned, protected. Only managed objects are deleted, and only when
requested."""

from __future__ import annotations

import pytest

from tests.reconciler.agency import WEBHOOK, Agency

GONE = ("--allow-empty", "--max-delete-percent", "100")


@pytest.fixture
def three(agency: Agency) -> Agency:
    """Three clients, applied, one of them of the engine assistants."""
    agency.declare("cliente-a")
    agency.declare("cliente-b")
    agency.declare("el-viejo", assistant={"engine": "assistants"})
    agency.apply()
    return agency


def clients(agency: Agency) -> set[str]:
    """Whose bots the store has."""
    return {bot.id for bot in agency.snapshot().bots}


def test_an_absent_client_loses_its_webhook_first_and_its_sender_stays_registered(three: Agency) -> None:
    three.declare("el-viejo", assistant={"engine": "assistants"}, state="absent")
    number = three.number("el-viejo")
    assert three.changes() == [
        f"el-viejo/sender/detach/{number}",
        f"el-viejo/bot/delete/{number}",
        "el-viejo/assistant/delete/assistants",
    ]
    three.apply()
    assert clients(three) == {"cliente-a", "cliente-b"}
    assert three.assistants() == []
    assert three.sender("el-viejo")["webhook"]["callback_url"] == ""
    assert three.sender("cliente-a")["webhook"] == WEBHOOK
    assert {record.client for record in three.applied()} == {"cliente-a", "cliente-b"}


def test_when_nothing_is_left_of_it_the_plan_says_that_the_file_can_go(three: Agency) -> None:
    three.declare("cliente-b", state="absent")
    three.apply()
    result = three.reconcile("--dry-run")
    assert result.code == 0
    assert "notice: cliente-b: nothing of it is left, so clients.d/cliente-b.yaml can be removed." in result.out
    three.withdraw("cliente-b")
    assert three.reconcile("--dry-run").out == "No changes: 2 clients checked.\n"


def test_a_sender_that_somebody_pointed_elsewhere_meanwhile_is_left_alone(three: Agency) -> None:
    three.sandbox.change(three.number("cliente-b"), webhook={"callback_url": "https://otra-agencia.cl/webhook"})
    three.declare("cliente-b", state="absent")
    three.apply()
    assert three.sender("cliente-b")["webhook"]["callback_url"] == "https://otra-agencia.cl/webhook"


def test_a_sender_is_deleted_only_where_that_is_said(three: Agency) -> None:
    three.declare("cliente-b", state="absent")
    assert f"cliente-b/sender/delete/{three.number('cliente-b')}" in three.changes("--delete-senders")
    three.apply("--delete-senders")
    assert three.number("cliente-b") not in three.senders()


def test_a_manifest_that_is_missing_deletes_nothing_and_is_reported(three: Agency) -> None:
    three.withdraw("el-viejo")
    result = three.apply()
    assert "orphan: el-viejo: assistant" in result.out
    assert f"orphan: el-viejo: bot {three.number('el-viejo')}" in result.out
    assert f"orphan: el-viejo: sender {three.number('el-viejo')}" in result.out
    assert clients(three) == {"cliente-a", "cliente-b", "el-viejo"}
    assert len(three.assistants()) == 1


def test_prune_takes_orphans_away(three: Agency) -> None:
    three.withdraw("el-viejo")
    three.apply("--prune")
    assert clients(three) == {"cliente-a", "cliente-b"}
    assert three.assistants() == []
    assert three.sender("el-viejo")["webhook"]["callback_url"] == ""
    assert three.reconcile("--dry-run").out == "No changes: 2 clients checked.\n"


def test_looking_at_one_client_never_speaks_of_orphans(three: Agency) -> None:
    three.withdraw("el-viejo")
    assert "orphan" not in three.reconcile("--dry-run", "--client", "cliente-a").out


def test_a_renamed_file_changes_nothing(three: Agency) -> None:
    three.path("cliente-a").rename(three.path("otro-nombre"))
    assert three.changes() == []


def test_what_was_made_by_hand_is_counted_and_left_alone(three: Agency) -> None:
    three.sandbox.register("+56998761111", profile={"name": "Ajeno"}, webhook={"callback_url": "https://ajeno.cl"})
    three.openai("POST", "/assistants", {"model": "gpt-6-luna", "name": "Ajeno"})
    writes = three.writes()
    result = three.apply("--prune", "--verbose")
    assert "No changes" in result.out
    assert three.writes() == writes
    assert len(three.assistants()) == 2


def test_a_fleet_in_which_nobody_is_left_is_refused_after_it_was_shown(three: Agency) -> None:
    for client in ("cliente-a", "cliente-b"):
        three.declare(client, state="absent")
    three.declare("el-viejo", assistant={"engine": "assistants"}, state="absent")
    result = three.reconcile("--yes")
    assert result.code == 3
    assert "Plan: 0 to create, 0 to update, 9 to delete" in result.out
    assert "Refused: no manifest declares a client that exists, yet 9 live objects have our marker." in result.err
    assert "--allow-empty" in result.err
    assert clients(three) == {"cliente-a", "cliente-b", "el-viejo"}
    three.apply(*GONE)
    assert clients(three) == set()


def test_too_many_deletes_are_refused_and_the_override_is_named(three: Agency) -> None:
    three.declare("cliente-b", state="absent")
    result = three.reconcile("--yes", "--max-deletes", "2")
    assert result.code == 3
    assert "3 deletes are more than the 2 allowed. --max-deletes 3 allows them." in result.err
    assert clients(three) == {"cliente-a", "cliente-b", "el-viejo"}
    three.apply("--max-deletes", "3")


def test_too_large_a_part_of_the_clients_is_refused(three: Agency) -> None:
    three.declare("cliente-a", state="absent")
    three.declare("cliente-b", state="absent")
    result = three.reconcile("--yes")
    assert result.code == 3
    assert "2 of 3 clients would be deleted, 67% and more than the 50% allowed. --max-delete-percent 67" in result.err
    three.apply("--max-delete-percent", "67")
    assert clients(three) == {"el-viejo"}


def test_too_many_changes_are_refused(three: Agency) -> None:
    three.declare("cliente-a", name="Otro")
    result = three.reconcile("--yes", "--max-changes", "1")
    assert result.code == 3
    assert "2 changes are more than the 1 allowed. --max-changes 2 allows them." in result.err
    result = three.reconcile("--yes", "--max-change-percent", "30")
    assert result.code == 3
    assert "1 of 3 clients would change, 34% and more than the 30% allowed." in result.err


@pytest.mark.parametrize("way", ["absent", "withdrawn"])
def test_a_protected_client_stays_until_an_earlier_apply_lifted_the_protection(three: Agency, way: str) -> None:
    three.declare("cliente-b", protected=True)
    three.apply()
    if way == "absent":
        three.declare("cliente-b", state="absent")
    else:
        three.withdraw("cliente-b")
    result = three.reconcile("--yes", "--prune")
    assert result.code == 3
    assert "Refused: the client cliente-b is protected. Apply `protected: false` first, then remove it." in result.err
    assert "cliente-b" in clients(three)
    three.declare("cliente-b", protected=False)
    three.apply()
    three.declare("cliente-b", state="absent")
    three.apply()
    assert "cliente-b" not in clients(three)


def test_a_client_whose_api_is_gone_can_leave(agency: Agency) -> None:
    agency.declare("el-viejo", assistant={"engine": "assistants"})
    agency.apply()
    agency.sandbox.settings(assistants_api="gone")
    agency.declare("el-viejo", assistant={"engine": "assistants"}, state="absent")
    result = agency.apply("--allow-empty", "--max-delete-percent", "100")
    assert "warning: OpenAI assistants: " in result.out
    assert (list(agency.snapshot().bots), agency.applied()) == ([], [])


def test_a_client_does_not_leave_by_an_address_that_is_wrong(agency: Agency) -> None:
    agency.declare("el-viejo", assistant={"engine": "assistants"})
    agency.apply()
    agency.declare("el-viejo", assistant={"engine": "assistants"}, state="absent")
    plan = agency.plan(OPENAI_BASE_URL=f"{agency.sandbox.openai_url}/v7")
    assert (plan["changes"], plan["unresolved"]) == ([], ["el-viejo"])
