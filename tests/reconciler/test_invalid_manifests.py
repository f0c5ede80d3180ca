"""One client's manifest is invalid: what looks at another client continues, and nothing is planned."""

from __future__ import annotations

import pytest

from tests.reconciler.agency import Agency

INVALID = {
    "unreadable": ("id: roto\nname: [\n", "clients.d/roto.yaml:2:8"),
    "misspelt": ('id: roto\nname: Roto\nnumbre: "+56998765001"\n', "clients.d/roto.yaml:3:1"),
}


@pytest.mark.parametrize("case", INVALID)
def test_looking_at_another_client_goes_on_and_names_the_place(agency: Agency, case: str) -> None:
    agency.declare("cliente-a")
    agency.declare("roto")
    agency.apply()
    text, place = INVALID[case]
    agency.path("roto").write_text(text, encoding="utf-8")
    for command in (["status", "--client", "cliente-a"], ["verify", "cliente-a"], ["render", "cliente-a"]):
        result = agency.reconcile(*command)
        assert result.code == 0, result.said
        assert "cliente-a" in result.out
        assert (place in result.err) == (command[0] != "render")
    doctor = agency.reconcile("doctor", "cliente-a")
    assert "ok  manifest: clients.d/cliente-a.yaml declares it active" in doctor.out
    assert place in doctor.err
    for command in (["--dry-run"], ["--dry-run", "--client", "cliente-a"], ["doctor", "roto"], ["drift"]):
        result = agency.reconcile(*command)
        assert (result.code, result.out) == (1, "")
        assert place in result.err


def test_the_status_of_all_lists_the_valid_ones_and_does_not_call_the_invalid_one_undeclared(agency: Agency) -> None:
    agency.declare("cliente-a")
    agency.declare("roto")
    agency.apply()
    text, place = INVALID["misspelt"]
    agency.path("roto").write_text(text, encoding="utf-8")
    result = agency.reconcile("status")
    assert (result.code, place in result.err) == (1, True)
    assert "cliente-a" in result.out
    assert "Bots without a manifest" not in result.out
    document = agency.reconcile("status", "--format", "json").document
    assert [row["client"] for row in document["clients"]] == ["cliente-a"]
    assert document["without_manifest"] is None
    assert any(text.startswith(place) for text in document["unread"])


def test_both_claimants_of_a_number_are_invalid_and_a_third_client_is_not(agency: Agency) -> None:
    for client in ("cliente-a", "cliente-b", "cliente-c"):
        agency.declare(client)
    agency.apply()
    agency.declare("cliente-b", number=agency.number("cliente-a"))
    assert agency.reconcile("status", "--client", "cliente-c").code == 0
    for client in ("cliente-a", "cliente-b"):
        result = agency.reconcile("status", "--client", client)
        assert (result.code, "is taken by clients.d/cliente-a.yaml" in result.err) == (1, True)


def test_invalid_defaults_concern_every_client(agency: Agency) -> None:
    agency.declare("cliente-a")
    agency.path("_defaults").write_text("asistant: {}\n", encoding="utf-8")
    result = agency.reconcile("status", "--client", "cliente-a")
    assert (result.code, "clients.d/_defaults.yaml:1:1" in result.err) == (1, True)
