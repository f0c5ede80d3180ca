"""A change at Twilio between the plan and its apply is neither overwritten nor lost."""

from __future__ import annotations

import pytest

from tests.reconciler.agency import Agency
from tests.reconciler.processes import Result
from tests.reconciler.test_twilio_traps import SENDERS, fetches, updates


@pytest.fixture
def planned(agency: Agency) -> Agency:
    """One client, applied; git then changes its profile."""
    agency.declare("la-cocina", sender={"profile": {"about": "Cocina chilena", "vertical": "Restaurant"}})
    agency.apply()
    agency.declare("la-cocina", sender={"profile": {"about": "Sushi", "vertical": "Restaurant"}})
    return agency


def apply_while(agency: Agency, *args: str, of: str = "", **change: object) -> Result:
    """Apply, and have la-cocina's sender changed in the console after the plan was made: while it, or the
    first sender at all, is read again."""
    agency.sandbox.faults({"kind": "latency", "seconds": 2, "method": "GET", "path": f"{SENDERS}/{of}", "times": 1})
    running = agency.start("--yes", *args)
    agency.await_fault()
    agency.sandbox.change(agency.number("la-cocina"), **change)
    return running.wait()


def test_a_field_that_is_not_declared_keeps_what_it_was_given_meanwhile(planned: Agency) -> None:
    planned.sandbox.change(planned.number("la-cocina"), profile={"address": "Av. Italia 1234"})
    assert apply_while(planned, profile={"address": "Av. Matta 5"}).code == 0
    profile = planned.sender("la-cocina")["profile"]
    assert (profile["about"], profile["address"]) == ("Sushi", "Av. Matta 5")


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [("profile", "about", "Ramen"), ("profile", "vertical", "Other"), ("webhook", "callback_url", "https://otro.cl")],
)
def test_a_declared_field_that_was_changed_meanwhile_is_not_overwritten_unseen(
    planned: Agency, part: str, key: str, value: str
) -> None:
    sent = len(updates(planned))
    result = apply_while(planned, **{part: {key: value}})
    assert result.code == 1
    assert f"{part}.{key} changed since the plan was made; review a new plan first." in result.out
    assert planned.sender("la-cocina")[part][key] == value
    assert len(updates(planned)) == sent
    [change] = planned.plan()["changes"]
    assert change["fields"][f"{part}.{key}"]["old"] == value
    planned.apply()
    assert planned.changes() == []


def test_only_the_client_whose_sender_was_changed_meanwhile_is_left_to_a_new_plan(planned: Agency) -> None:
    planned.declare("cliente-b")
    sid = planned.sender("la-cocina")["sid"]
    result = apply_while(planned, of=sid, profile={"about": "Ramen"})
    assert result.code == 4
    assert "Applied: 3 applied, 1 failed, 0 skipped." in result.out


def test_what_somebody_made_as_declared_meanwhile_is_applied(planned: Agency) -> None:
    assert apply_while(planned, profile={"about": "Sushi"}).code == 0
    assert planned.changes() == []


def test_a_sender_that_was_pointed_elsewhere_meanwhile_is_not_detached(planned: Agency) -> None:
    planned.declare("la-cocina", state="absent")
    everything = ("--allow-empty", "--max-delete-percent", "100")
    result = apply_while(planned, *everything, webhook={"callback_url": "https://otro.cl"})
    assert result.code == 1
    assert "webhook.callback_url changed since the plan was made" in result.out
    assert planned.sender("la-cocina")["webhook"]["callback_url"] == "https://otro.cl"
    planned.apply(*everything)
    assert planned.sender("la-cocina")["webhook"]["callback_url"] == "https://otro.cl"
    assert planned.snapshot().bots == []


def test_only_senders_that_are_changed_are_read_again(planned: Agency) -> None:
    planned.declare("cliente-b")
    planned.apply()
    planned.declare("la-cocina", sender={"profile": {"about": "Ramen", "vertical": "Restaurant"}})
    before = len(fetches(planned))
    planned.apply()
    sid = planned.sender("la-cocina")["sid"]
    assert set(fetches(planned)[before:]) == {f"{SENDERS}/{sid}"}
