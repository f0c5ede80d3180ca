"""Who newly gets people's data stands in the plan as such, in every format, until the manifest names the client's
leave."""

from __future__ import annotations

import pytest

from tests.reconciler.agency import Agency

FUNCTION = {
    "type": "function",
    "name": "crear_reserva",
    "endpoint": {"url": "https://api.lacocina.cl/reservas", "user": "masked"},
}
LEAVE = {"api.lacocina.cl": {"contract": "Anexo 4", "since": "2026-11-01"}}
NEW = (
    "api.lacocina.cl is a new recipient of the arguments of crear_reserva and who writes, the number masked, without "
    "leave: name it in data.recipients."
)
LASTING = NEW.replace("is a new recipient of", "gets")


def test_a_new_endpoint_is_a_new_recipient_in_every_format_until_its_leave_is_named(agency: Agency) -> None:
    agency.declare("la-cocina")
    agency.apply()
    agency.declare("la-cocina", assistant={"tools": [FUNCTION]})

    assert f"warning: la-cocina: {NEW}" in agency.reconcile("--dry-run").out
    assert (
        "⚠️ la\\-cocina: api\\.lacocina\\.cl is a new recipient"
        in agency.reconcile("--dry-run", "--format", "markdown").out
    )
    page = agency.reconcile("--dry-run", "--format", "html").out
    assert "empieza a recibir los datos que pide crear_reserva y quién escribe, con el número enmascarado" in page
    plan = agency.plan()
    [shown] = plan["recipients"]
    assert (shown["client"], shown["name"], shown["role"], shown["is_new"], shown["leave"]) == (
        "la-cocina", "api.lacocina.cl", "function", True, None
    )  # fmt: skip
    assert (shown["gets"], shown["through"]) == (["arguments", "person_masked"], ["crear_reserva"])

    agency.apply()
    assert f"warning: la-cocina: {LASTING}" in agency.reconcile("--dry-run").out
    assert agency.changes() == []

    agency.declare("la-cocina", assistant={"tools": [FUNCTION]}, data={"recipients": LEAVE})
    in_sync = agency.plan()
    assert (in_sync["changes"], [one["name"] for one in in_sync["recipients"]]) == (
        [],
        ["openai", "twilio", "meta", "hosting", "ALERT_NOTIFY"],
    )
    [bot] = agency.snapshot().bots
    assert "data" not in bot.policy


def test_a_leave_changes_no_digest_and_a_new_recipient_with_one_is_a_notice(agency: Agency) -> None:
    agency.declare("la-cocina", assistant={"tools": [FUNCTION]})
    without = agency.plan()["digest"]
    agency.declare("la-cocina", assistant={"tools": [FUNCTION]}, data={"recipients": LEAVE})
    assert agency.plan()["digest"] == without
    shown = agency.reconcile("--dry-run").out
    assert "notice: la-cocina: api.lacocina.cl is a new recipient of" in shown
    assert "; leave: Anexo 4, since 2026-11-01." in shown


def test_a_leave_that_nothing_needs_is_named(agency: Agency) -> None:
    agency.declare("la-cocina", data={"recipients": {**LEAVE, "openai": {"contract": "x", "since": "2026-11-01"}}})
    said = "data.recipients names api.lacocina.cl, which gets nothing of this client"
    assert said in [finding["message"] for finding in agency.plan()["findings"]]


@pytest.mark.parametrize("since", [{}, {"since": "2026-02-31"}], ids=["none", "no day of a calendar"])
def test_a_leave_without_a_day_is_refused_with_its_place(agency: Agency, since: dict[str, str]) -> None:
    agency.declare("la-cocina", data={"recipients": {"openai": {"contract": "Anexo 4", **since}}})
    done = agency.reconcile("validate")
    assert (done.code, "data.recipients.openai.since" in done.err + done.out) == (1, True)
