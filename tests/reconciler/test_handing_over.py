"""A number passes from a client that goes to another one, in one change."""

from __future__ import annotations

from typing import Literal

import pytest

from tests.reconciler.agency import WEBHOOK, Agency

AGENTS = {"engine": "agents"}


def handing_over(agency: Agency, **assistant: object) -> str:
    """A client that is applied, and declared absent beside a new one with its number and one that stays; gives the
    number."""
    agency.declare("otro")
    agency.declare("viejo", assistant=assistant)
    agency.apply()
    number = agency.number("viejo")
    agency.declare("viejo", state="absent", assistant=assistant)
    agency.declare("nuevo", number=number, assistant=assistant)
    return number


def is_handed_over(agency: Agency, number: str) -> None:
    """The new client has the number and all of its own, and nothing is left of the other."""
    assert numbers(agency) == {"nuevo": number, "otro": agency.number("otro")}
    assert {record.client for record in agency.applied()} == {"nuevo", "otro"}
    assert agency.senders()[number]["webhook"] == WEBHOOK
    assert agency.changes() == []


def numbers(agency: Agency) -> dict[str, str]:
    """The number of each bot."""
    return {bot.id: bot.twilio_phone_number for bot in agency.snapshot().bots}


@pytest.mark.parametrize("engine", ["responses", "agents"])
def test_in_one_run_the_new_one_first_and_the_sender_stays_attached(agency: Agency, engine: str) -> None:
    number = handing_over(agency, engine=engine)
    assert agency.reconcile("validate").code == 0
    changes = agency.plan()["changes"]
    assert {change["id"] for change in changes} == {
        f"nuevo/assistant/create/{engine}",
        f"nuevo/bot/create/{number}",
        f"viejo/bot/delete/{number}",
        f"viejo/assistant/delete/{engine}",
    }
    [leaving] = [change for change in changes if change["id"] == f"viejo/bot/delete/{number}"]
    assert leaving["depends_on"] == [f"nuevo/bot/create/{number}"]
    agency.apply()
    is_handed_over(agency, number)
    assert len(agency.agents()) == (engine == "agents")


def test_pruned_with_its_manifest_removed(agency: Agency) -> None:
    number = handing_over(agency)
    agency.withdraw("viejo")
    agency.apply("--prune")
    is_handed_over(agency, number)


def test_to_a_client_that_gives_up_its_own_number_to_a_third(agency: Agency) -> None:
    for client in ("viejo", "otro"):
        agency.declare(client)
    agency.apply()
    number, freed = agency.number("viejo"), agency.number("otro")
    agency.declare("viejo", state="absent")
    agency.declare("otro", number=number)
    agency.declare("tercero", number=freed)
    agency.apply()
    assert numbers(agency) == {"otro": number, "tercero": freed}
    assert agency.changes() == []


def test_who_goes_answers_until_the_new_one_is_ready(agency: Agency) -> None:
    number = handing_over(agency)
    agency.declare("nuevo", number=number, assistant={"model": "zzz"})
    result = agency.reconcile("--yes")
    assert result.code == 1
    said = "withheld: viejo: bot: its number passes to client 'nuevo', which is withheld itself, could not be read"
    assert said in result.out
    assert set(numbers(agency)) == {"viejo", "otro"}
    agency.declare("nuevo", number=number)
    assert "left out by --client" in agency.reconcile("--yes", "--client", "viejo").out
    assert "still belongs to the bot of client 'viejo'" in agency.reconcile("--yes", "--client", "nuevo").out
    assert set(numbers(agency)) == {"viejo", "otro"}
    agency.apply()
    is_handed_over(agency, number)


def test_who_goes_stays_where_the_new_ones_change_fails(agency: Agency) -> None:
    number = handing_over(agency, **AGENTS)
    agency.sandbox.faults({"kind": "status", "status": 400, "method": "POST", "path": "/v1/agents"})
    result = agency.reconcile("--yes")
    assert result.code == 1, result.said
    assert f"viejo: bot {number}: delete: it answers until its number has passed to another client" in result.out
    assert set(numbers(agency)) == {"viejo", "otro"}
    assert len(agency.agents()) == 1
    agency.sandbox.faults()
    agency.apply()
    is_handed_over(agency, number)


@pytest.mark.parametrize("event", ["commit", "send"])
def test_a_run_that_was_killed_anywhere_is_continued(agency: Agency, event: Literal["commit", "send"]) -> None:
    number = handing_over(agency)
    for step in range(1, 40):
        if not agency.killed_at(event, step, "--yes"):
            break
        assert number in numbers(agency).values()
    agency.apply()
    is_handed_over(agency, number)


def test_two_that_stay_may_not_have_one_number(agency: Agency) -> None:
    number = handing_over(agency)
    agency.declare("tercero", number=number)
    result = agency.reconcile("validate")
    assert (result.code, "is taken by clients.d/nuevo.yaml" in result.out) == (1, True)
