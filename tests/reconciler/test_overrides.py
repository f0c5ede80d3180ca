"""How Twilio shall call the webhooks is part of their URLs: set, compared and changed like the rest of them. Whose
webhook it is does not depend on it."""

from __future__ import annotations

import pytest

from tests.reconciler.agency import OVERRIDES, PUBLIC_URL, WEBHOOK, Agency

NAME = "WEBHOOK_CONNECTION_OVERRIDES"
URLS = ("callback_url", "fallback_url", "status_callback_url")
PLAIN = {key: value.removesuffix(OVERRIDES) for key, value in WEBHOOK.items()}


@pytest.fixture
def applied(agency: Agency) -> Agency:
    """One client, applied."""
    agency.declare("la-cocina")
    agency.apply()
    return agency


def test_every_webhook_is_written_with_them(applied: Agency) -> None:
    webhook = applied.sender("la-cocina")["webhook"]
    assert {webhook[key].partition("#")[2] for key in URLS} == {"ct=2000&rc=3&rp=ct,5xx"}
    assert applied.changes() == []


def test_they_can_be_switched_off(agency: Agency) -> None:
    agency.environment[NAME] = "off"
    agency.declare("la-cocina")
    agency.apply()
    assert agency.sender("la-cocina")["webhook"] == PLAIN
    assert agency.changes() == []


def test_urls_that_were_written_without_them_get_them_in_a_plan_that_shows_it(agency: Agency) -> None:
    agency.declare("la-cocina")
    agency.apply(**{NAME: "off"})
    [change] = agency.plan()["changes"]
    assert change["reason"] == "config"
    assert change["fields"] == {
        f"webhook.{key}": {"old": PLAIN[key], "new": f"{PLAIN[key]}{OVERRIDES}"} for key in sorted(URLS)
    }
    agency.apply()
    assert agency.sender("la-cocina")["webhook"] == WEBHOOK


def test_a_change_of_them_in_the_console_is_drift(applied: Agency) -> None:
    applied.sandbox.change(applied.number("la-cocina"), webhook={"callback_url": f"{PLAIN['callback_url']}#rc=0"})
    [change] = applied.plan()["changes"]
    assert (change["reason"], list(change["fields"])) == ("drift", ["webhook.callback_url"])
    applied.apply()
    assert applied.sender("la-cocina")["webhook"] == WEBHOOK


@pytest.mark.parametrize("fragment", ["", "#rc=5&rp=all"])
def test_a_client_that_goes_is_detached_however_its_webhook_is_called(applied: Agency, fragment: str) -> None:
    calls = f"{PUBLIC_URL}/webhook/whatsapp{fragment}"
    applied.sandbox.change(applied.number("la-cocina"), webhook={"callback_url": calls})
    applied.declare("la-cocina", state="absent")
    applied.apply("--allow-empty", "--max-delete-percent", "100")
    assert applied.sender("la-cocina")["webhook"]["callback_url"] == ""


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("#rc=3", "has '#rc=3', and takes pairs of ct, rt, tt, rc, rp, sni, e as in ct=2000&rc=3&rp=ct,5xx; or off"),
        ("none", "has 'none', and takes pairs of"),
        ("rc=3&retries=2", "has 'retries=2', and takes pairs of"),
        ("rc=3&&ct=2000", "has '', and takes pairs of"),
        ("rc=3&rc=4", "has rc twice"),
        ("rc=6", "has 'rc=6': rc is how often it is tried again, 0 to 5"),
        ("rc=-1", "has 'rc=-1': rc is"),
        ("ct=99", "has 'ct=99': ct is the milliseconds that connecting may take, 100 to 10000"),
        ("rt=20000", "has 'rt=20000': rt is the milliseconds that Twilio waits for an answer, 100 to 15000"),
        ("tt=15001", "has 'tt=15001': tt is the milliseconds that all tries may take together, 100 to 15000"),
        ("rp=5xx,503", "has 'rp=5xx,503': rp is what is tried again: 4xx, 5xx, ct, rt or all, separated by commas"),
        ("rp=", "has 'rp=': rp is"),
        ("sni=yes", "has 'sni=yes': sni is y or n"),
        ("e=São Paulo", "has 'e=São Paulo': e is Twilio's edges to call from, as in ashburn,sao-paulo"),
    ],
)
def test_what_twilio_would_not_understand_is_an_error(agency: Agency, value: str, said: str) -> None:
    agency.declare("la-cocina")
    result = agency.reconcile("--yes", **{NAME: value})
    assert (result.code, result.out) == (1, "")
    assert f"{NAME} {said}" in result.err
    assert agency.writes() == 0


def test_everything_that_twilio_understands_can_be_said(agency: Agency) -> None:
    said = "ct=100&rt=15000&tt=15000&rc=5&rp=4xx,5xx,ct,rt&sni=y&e=sao-paulo,ashburn"
    agency.declare("la-cocina")
    agency.apply(**{NAME: said})
    assert agency.sender("la-cocina")["webhook"]["callback_url"] == f"{PLAIN['callback_url']}#{said}"
