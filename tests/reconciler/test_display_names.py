"""A declared display name is submitted once; while Meta reviews it, and whatever it decides, the plan stays empty."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.kinds.sender.display_name import name_as_declared, name_findings
from tests.reconciler.agency import Agency

OLD, NEW = "La Cocina", "La Cocina de Ana"
APPLIED = {"profile": {"name": NEW}}


def reviewed(status: str | None, name: str = NEW) -> dict[str, Any]:
    pending = {} if status is None else {"pending_display_name": name, "pending_display_name_status": status}
    return {"name": OLD, **pending}


@pytest.mark.parametrize(
    ("profile", "last", "seen", "said"),
    [
        ({"name": NEW}, None, NEW, None),
        ({"name": f" {NEW} "}, None, NEW, None),
        (reviewed(None), None, OLD, None),
        (reviewed("PENDING_REVIEW"), None, NEW, ("notice", f"the display name {NEW!r} is under review; W")),
        (reviewed("APPROVED"), None, NEW, ("notice", f"the display name {NEW!r} is approved, and shown soon;")),
        (reviewed("DECLINED"), None, NEW, ("warning", f"Meta declined it: WhatsApp still shows {OLD!r}")),
        (reviewed("EXPIRED"), None, NEW, ("warning", "its review expired")),
        (reviewed("PIN_MISMATCH"), None, NEW, ("warning", "the number's two-step PIN does not match")),
        (reviewed("REGISTRATION_FAILED"), None, NEW, ("warning", "the number could not be registered again")),
        (reviewed(None), APPLIED, NEW, ("warning", f"WhatsApp shows {OLD!r} although {NEW!r} was submitted")),
        (reviewed("PENDING_REVIEW", "Otro"), None, OLD, None),
    ],
)  # fmt: skip
def test_what_counts_as_the_live_name_and_what_is_said_of_it(
    profile: dict[str, Any], last: dict[str, Any] | None, seen: str, said: tuple[str, str] | None
) -> None:
    assert name_as_declared(profile, NEW, last) == seen
    found = [(finding.severity, finding.message) for finding in name_findings("uno", profile, NEW, last)]
    if said is None:
        assert found == []
    else:
        [(severity, message)] = found
        assert (severity, message[: len(said[1])]) == said


def submissions(agency: Agency) -> list[str]:
    """The names that Twilio was sent to change a sender to."""
    calls = agency.sandbox.calls("twilio", "POST")
    bodies = [call["body"] for call in calls if "/v2/Channels/Senders/" in call["path"]]
    return [body["profile"]["name"] for body in bodies if "name" in (body.get("profile") or {})]


@pytest.mark.parametrize("verdict", ["approve", "pending", "decline"])
def test_a_name_is_submitted_once_whatever_meta_decides(agency: Agency, verdict: str) -> None:
    agency.sandbox.settings(name_review=verdict)
    agency.declare("la-cocina", sender={"profile": {"name": NEW, "about": "Cocina"}})
    assert agency.apply().code == 0

    assert agency.changes() == []
    assert agency.reconcile("drift").code == 0
    shown = agency.sender("la-cocina")["profile"]
    assert (shown["name"] == NEW) is (verdict == "approve")
    # Another change leaves a name under review alone.
    agency.declare("la-cocina", sender={"profile": {"name": NEW, "about": "Cocina chilena"}})
    assert agency.apply().code == 0
    assert submissions(agency).count(NEW) == (2 if verdict == "approve" else 1)
    agency.sandbox.settings(name_review="approve")
    assert agency.changes() == []
    assert (agency.sender("la-cocina")["profile"]["name"] == NEW) is (verdict != "decline")


def test_a_name_that_twilio_does_not_submit_is_that_client_s_error(agency: Agency) -> None:
    agency.sandbox.settings(name_review="limit")
    agency.declare("la-cocina", sender={"profile": {"name": NEW}})

    result = agency.reconcile("--yes")

    assert result.code == 4
    assert f"Twilio did not submit the display name {NEW!r} to Meta" in result.said
