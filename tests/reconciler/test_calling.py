"""Calls to a number: a voice application answers them, or WhatsApp offers none."""

from __future__ import annotations

from tests.reconciler import live
from tests.reconciler.agency import Agency

APPLICATION = f"AP{'0' * 31}1"


def application(agency: Agency) -> str | None:
    """What answers calls of the client's number at Twilio."""
    whole = live.sender(agency.sandbox, agency.sender("la-cocina")["sid"])
    return whole["configuration"]["voice_application_sid"] or None


def test_calls_are_switched_on_and_off_as_declared(agency: Agency) -> None:
    agency.declare("la-cocina", sender={"calling": APPLICATION})
    agency.apply()
    assert application(agency) == APPLICATION
    assert agency.changes() == []

    agency.declare("la-cocina", sender={"calling": False})
    agency.apply()
    assert application(agency) is None
    assert agency.changes() == []


def test_calls_that_no_manifest_declares_are_left_as_they_are(agency: Agency) -> None:
    agency.declare("la-cocina", sender={"calling": APPLICATION})
    agency.apply()
    agency.declare("la-cocina", sender={"profile": {"about": "Hola"}})
    agency.apply()
    assert application(agency) == APPLICATION


def test_calls_switched_on_in_twilios_console_are_drift(agency: Agency) -> None:
    agency.declare("la-cocina", sender={"calling": False})
    agency.apply()
    agency.sandbox.change(agency.number("la-cocina"), configuration={"voice_application_sid": APPLICATION})
    found = agency.reconcile("drift")
    assert found.code == 2
    assert "voice_application_sid" in found.out
    agency.apply()
    assert application(agency) is None


def test_an_application_that_is_none_is_refused_at_its_place(agency: Agency) -> None:
    agency.declare("la-cocina", sender={"calling": True})
    said = agency.reconcile("validate")
    assert said.code == 1
    assert "clients.d/la-cocina.yaml:" in said.said
    assert "sender.calling" in said.said
    assert "AP" in said.said
