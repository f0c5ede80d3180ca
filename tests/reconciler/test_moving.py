"""A client changes what it stands on: its number, its engine, its Twilio account, its maker."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest

from tests.reconciler.agency import WEBHOOK, Agency

NEW_NUMBER = "+56998760001"
ASSISTANTS = {"engine": "assistants"}


def test_a_client_that_moves_to_another_number_takes_its_webhook_along(agency: Agency) -> None:
    agency.declare("la-cocina")
    agency.apply()
    agency.declare("la-cocina", number=NEW_NUMBER)
    former = agency.number("la-cocina")
    assert agency.changes() == [
        f"la-cocina/bot/update/{NEW_NUMBER}",
        f"la-cocina/sender/update/{NEW_NUMBER}",
        f"la-cocina/sender/detach/{former}",
    ]
    agency.apply()
    assert agency.senders()[NEW_NUMBER]["webhook"] == WEBHOOK
    assert agency.senders()[former]["webhook"]["callback_url"] == ""
    [bot] = agency.snapshot().bots
    assert (bot.id, bot.twilio_phone_number) == ("la-cocina", NEW_NUMBER)
    assert agency.changes() == []


def test_a_client_stays_on_its_number_until_the_next_one_is_online(agency: Agency) -> None:
    agency.declare("la-cocina")
    agency.apply()
    agency.declare("la-cocina", number=NEW_NUMBER, registered=False)
    result = agency.reconcile("--yes")
    assert result.code == 0
    former = agency.number("la-cocina")
    said = f"withheld: la-cocina: bot: it stays on {former} until {NEW_NUMBER} can receive its messages"
    assert f"{said}: {NEW_NUMBER} is not" in result.out
    assert [bot.twilio_phone_number for bot in agency.snapshot().bots] == [former]
    agency.sandbox.register(NEW_NUMBER, profile={"name": "La Cocina"})
    agency.apply()
    assert agency.senders()[former]["webhook"]["callback_url"] == ""
    assert agency.changes() == []


def test_a_number_is_handed_over_to_another_client_in_one_run(agency: Agency) -> None:
    agency.declare("cliente-a")
    agency.declare("cliente-b")
    agency.apply()
    freed = agency.number("cliente-b")
    agency.declare("cliente-a", number=NEW_NUMBER)
    agency.declare("cliente-b", number=agency.number("cliente-a"))
    agency.apply()
    assert numbers(agency) == {"cliente-a": NEW_NUMBER, "cliente-b": agency.number("cliente-a")}
    called = {number: sender["webhook"]["callback_url"] for number, sender in agency.senders().items()}
    assert called[freed] == ""
    assert called[NEW_NUMBER] == called[agency.number("cliente-a")] == WEBHOOK["callback_url"]
    assert agency.changes() == []


def test_a_new_client_gets_the_number_that_another_leaves(agency: Agency) -> None:
    agency.declare("cliente-a")
    agency.apply()
    agency.declare("cliente-a", number=NEW_NUMBER)
    agency.declare("cliente-b", number=agency.number("cliente-a"))
    agency.apply()
    assert numbers(agency) == {"cliente-a": NEW_NUMBER, "cliente-b": agency.number("cliente-a")}
    assert agency.senders()[agency.number("cliente-a")]["webhook"] == WEBHOOK
    assert agency.changes() == []


@pytest.mark.parametrize("count", [2, 3])
def test_clients_exchange_their_numbers_in_one_run(agency: Agency, count: int) -> None:
    exchanged = exchanging(agency, count)
    agency.apply()
    assert numbers(agency) == exchanged
    assert [agency.senders()[number]["webhook"] for number in exchanged.values()] == [WEBHOOK] * count
    assert agency.changes() == []


def test_who_is_held_up_holds_up_who_waits_for_its_number_and_nobody_else(agency: Agency) -> None:
    exchanged = exchanging(agency, 2)
    agency.declare("cliente-b", number=exchanged["cliente-b"], assistant={"model": "zzz"})
    agency.declare("cliente-z")
    before = numbers(agency)
    result = agency.reconcile("--yes")
    assert result.code == 4
    theirs, following = exchanged["cliente-a"], exchanged["cliente-b"]
    assert f"cliente-a: bot: the number {theirs} still belongs to the bot of client 'cliente-b'; it is to" in result.out
    assert f"move to {following}, and is withheld itself or left out by --client; resolve that" in result.out
    assert numbers(agency) == {**before, "cliente-z": agency.number("cliente-z")}
    agency.declare("cliente-b", number=exchanged["cliente-b"])
    assert "left out by --client" in agency.reconcile("--yes", "--client", "cliente-a").out
    agency.apply()
    assert agency.changes() == []


@pytest.mark.parametrize("event", ["commit", "send"])
def test_an_exchange_that_was_killed_anywhere_is_continued(agency: Agency, event: Literal["commit", "send"]) -> None:
    exchanged = exchanging(agency, 2)
    for number in range(1, 40):
        if not agency.killed_at(event, number, "--yes"):
            break
    agency.apply()
    assert numbers(agency) == exchanged
    assert [agency.senders()[number]["webhook"] for number in exchanged.values()] == [WEBHOOK] * 2
    assert agency.changes() == []


def numbers(agency: Agency) -> dict[str, str]:
    """The number of each bot."""
    return {bot.id: bot.twilio_phone_number for bot in agency.snapshot().bots}


def exchanging(agency: Agency, count: int) -> dict[str, str]:
    """Clients that are applied, and declared with the number of the next one; gives these."""
    clients = [f"cliente-{letter}" for letter in "abc"[:count]]
    for client in clients:
        agency.declare(client)
    agency.apply()
    for client, following in zip(clients, [*clients[1:], clients[0]], strict=True):
        agency.declare(client, number=agency.number(following))
    return {
        client: agency.number(following) for client, following in zip(clients, [*clients[1:], clients[0]], strict=True)
    }


def test_a_number_of_a_client_that_stays_is_nobody_elses(agency: Agency) -> None:
    agency.declare("cliente-a")
    agency.declare("cliente-b")
    agency.apply()
    agency.withdraw("cliente-a")
    agency.declare("cliente-b", number=agency.number("cliente-a"))
    assert "client 'cliente-a'; change or remove 'cliente-a' first, then run again." in agency.reconcile("--yes").out


def test_from_the_engine_responses_to_assistants(agency: Agency) -> None:
    agency.declare("la-cocina")
    agency.apply()
    agency.declare("la-cocina", assistant=ASSISTANTS)
    assert agency.changes() == [
        "la-cocina/assistant/create/assistants",
        f"la-cocina/bot/update/{agency.number('la-cocina')}",
        "la-cocina/assistant/delete/responses",
    ]
    agency.apply()
    [live] = agency.assistants()
    assert agency.snapshot().assistants == []
    assert agency.snapshot().bots[0].assistant_id == live["id"]
    assert agency.changes() == []


def test_from_the_engine_assistants_to_responses(agency: Agency) -> None:
    agency.declare("la-cocina", assistant=ASSISTANTS)
    agency.apply()
    agency.declare("la-cocina")
    agency.apply()
    assert agency.assistants() == []
    assert agency.snapshot().bots[0].assistant_id == "la-cocina"
    assert agency.changes() == []


def test_away_from_an_assistants_api_that_is_gone(agency: Agency) -> None:
    agency.declare("la-cocina", assistant=ASSISTANTS)
    agency.apply()
    agency.sandbox.settings(assistants_api="gone")
    agency.declare("la-cocina")
    assert agency.reconcile("--yes").code == 0
    assert agency.snapshot().bots[0].assistant_id == "la-cocina"
    result = agency.reconcile("--dry-run")
    assert (result.code, result.out) == (0, "No changes: 1 client checked.\n")


def test_two_live_assistants_with_one_clients_mark_are_a_persons_decision(agency: Agency) -> None:
    agency.declare("el-viejo", assistant=ASSISTANTS)
    agency.apply()
    [live] = agency.assistants()
    agency.openai("POST", "/assistants", {"model": "gpt-6-luna", "metadata": live["metadata"]})
    result = agency.reconcile("--dry-run")
    assert result.code == 1
    assert "error: el-viejo: assistant: 2 live assistants have this client's marker" in result.out
    assert live["id"] in result.out


def test_metadata_that_others_wrote_on_a_live_assistant_is_kept(agency: Agency) -> None:
    agency.declare("el-viejo", assistant=ASSISTANTS)
    agency.apply()
    [live] = agency.assistants()
    agency.openai("POST", f"/assistants/{live['id']}", {"metadata": {**live["metadata"], "equipo": "ventas"}})
    assert agency.changes() == []
    agency.declare("el-viejo", assistant={**ASSISTANTS, "instructions": "Eres breve."})
    agency.apply()
    [updated] = agency.assistants()
    assert updated["metadata"]["equipo"] == "ventas"
    assert updated["metadata"]["client"] == "el-viejo"


def test_a_bot_made_by_hand_with_another_clients_content_is_left_alone(agency: Agency) -> None:
    agency.declare("cliente-a")
    agency.apply()
    [bot] = agency.snapshot().bots
    by_hand = replace(bot, id="a-mano", client=None, managed_by=None, twilio_phone_number=agency.number("la-cocina"))
    agency.put_bot(by_hand)
    agency.declare("la-cocina")
    result = agency.reconcile("--yes")
    assert result.code == 1
    assert "error: la-cocina: " in result.out
    assert "`reconcile adopt la-cocina` adopts it" in result.out
    assert {bot.id: bot.client for bot in agency.snapshot().bots} == {"a-mano": None, "cliente-a": "cliente-a"}
