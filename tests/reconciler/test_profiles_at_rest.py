"""A profile comes to rest also where WhatsApp makes another text of what it is sent, and what it makes is reported."""

from __future__ import annotations

import unicodedata

import pytest

from reconciler.kinds.sender.profile import tidied
from tests.reconciler.agency import WEBHOOK, Agency

ABOUT = "Cocina chilena"
SITE = "https://lacocina.cl/carta"


def declare(agency: Agency, **profile: object) -> None:
    agency.declare("la-cocina", sender={"profile": {"about": ABOUT, "websites": [SITE], **profile}})


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("https://LaCocina.cl", "https://lacocina.cl/"),
        ("https://lacocina.cl/carta", "https://lacocina.cl/carta/"),
        ("Cocina chilena\n", "Cocina chilena"),
        ("Cocina  chilena", " Cocina chilena "),
        (unicodedata.normalize("NFD", "Ñuñoa"), "Ñuñoa"),
        ("Hola@LaCocina.cl", "hola@lacocina.cl"),
    ],
)
def test_what_whatsapp_tidies_is_no_difference(sent: str, kept: str) -> None:
    assert tidied(sent) == tidied(kept)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("https://lacocina.cl/Carta", "https://lacocina.cl/carta"),
        ("Cocina chilena", "COCINA CHILENA"),
        ("https://lacocina.cl/?a=1", "https://lacocina.cl/"),
    ],
)
def test_what_a_reader_would_see_is_a_difference(sent: str, kept: str) -> None:
    assert tidied(sent) != tidied(kept)


def test_a_tidied_profile_is_in_sync(agency: Agency) -> None:
    agency.sandbox.settings(profile_texts="tidied")
    declare(agency, about="  Cocina  chilena\n")
    assert "WhatsApp shows" not in agency.apply().out
    assert agency.sender("la-cocina")["profile"]["websites"][0]["website"] == f"{SITE}/"
    assert agency.changes() == []
    assert agency.reconcile("drift").code == 0


def test_what_whatsapp_made_of_a_text_is_told_and_counts_as_applied(agency: Agency) -> None:
    agency.sandbox.settings(profile_texts="in capitals")
    declare(agency)
    result = agency.apply()
    assert "WhatsApp shows about: COCINA CHILENA." in result.out
    assert agency.changes() == []
    assert agency.reconcile("drift").code == 0
    # Another client's apply, or one of another key, forgets nothing of it.
    agency.declare("cliente-a")
    agency.apply()
    assert agency.changes() == []


def test_a_change_by_hand_of_what_whatsapp_made_is_drift(agency: Agency) -> None:
    agency.sandbox.settings(profile_texts="in capitals")
    declare(agency)
    agency.apply()
    agency.sandbox.change(agency.number("la-cocina"), profile={"about": "Cocina peruana"})
    [change] = agency.plan()["changes"]
    assert (change["reason"], change["fields"]) == ("drift", {"profile.about": {"old": "Cocina peruana", "new": ABOUT}})


def test_a_change_in_git_of_what_whatsapp_made_is_one_of_git(agency: Agency) -> None:
    agency.sandbox.settings(profile_texts="in capitals")
    declare(agency)
    agency.apply()
    declare(agency, about="Cocina peruana")
    [change] = agency.plan()["changes"]
    assert (change["reason"], change["fields"]) == (
        "config",
        {"profile.about": {"old": ABOUT, "new": "Cocina peruana"}},
    )


@pytest.mark.long
def test_a_sender_whose_profile_is_not_taken_is_on_record_and_detached_when_it_leaves(agency: Agency) -> None:
    agency.sandbox.settings(profile_texts="ignored")
    declare(agency)
    agency.declare("cliente-a")
    result = agency.reconcile("--yes")
    assert result.code == 4
    assert "Twilio accepted the update and still shows another profile.about" in result.out
    [record] = [
        record for record in agency.snapshot().applied if (record.client, record.kind) == ("la-cocina", "sender")
    ]
    assert record.values == {"webhook": WEBHOOK}
    agency.declare("la-cocina", state="absent")
    agency.apply()
    assert agency.sender("la-cocina")["webhook"]["callback_url"] == ""
