"""Credentials of one installation with the bot store of another: nothing is applied, and nothing is called drift."""

from __future__ import annotations

import pytest

from reconciler.origin import Origin
from tests.reconciler.agency import Agency

TRIAL = {"sid": "AC" + "7" * 32, "auth_token": "token-of-the-trial"}
CREDENTIALS = {"TWILIO_ACCOUNT_SID": TRIAL["sid"], "TWILIO_AUTH_TOKEN": TRIAL["auth_token"]}
SAID = "Refused: the records in the bot store are of"


@pytest.fixture
def production(agency: Agency) -> Agency:
    """An installation that was applied, beside the account of a trial."""
    agency.sandbox.ask("POST", "accounts", TRIAL)
    agency.declare("cliente-a")
    agency.declare("cliente-b")
    agency.apply()
    return agency


@pytest.mark.parametrize("command", ["--dry-run", "--yes", "drift", "adopt cliente-a --yes"])
def test_another_twilio_account_is_refused(production: Agency, command: str) -> None:
    before, writes = production.snapshot(), production.writes()
    result = production.reconcile(*command.split(), **CREDENTIALS)
    assert result.code == 3, result.said
    account = production.sandbox.account_sid
    assert f"{SAID} the Twilio account {account}, and the credentials are of {TRIAL['sid']}." in result.err
    assert "`reconcile --allow-other-account` applies it" in result.err
    assert (production.snapshot(), production.writes()) == (before, writes)


@pytest.mark.parametrize("setting", ["organization", "project"])
def test_another_organisation_or_project_of_openai_is_refused(production: Agency, setting: str) -> None:
    production.sandbox.settings(**{setting: "de-otro"})
    result = production.reconcile("--yes")
    assert result.code == 3
    assert f"{SAID} OpenAI's {'organisation org-sandbox' if setting == 'organization' else 'project proj_sandbox'}" in (
        result.err
    )


def test_an_installation_that_moved_is_applied_with_the_override_and_then_without(production: Agency) -> None:
    production.sandbox.settings(project="proj_nuevo")
    production.apply("--allow-other-account")
    production.apply()
    production.sandbox.settings(project="proj_sandbox")
    assert production.reconcile("--yes").code == 3


def test_another_key_of_the_same_project_is_no_other_account(production: Agency) -> None:
    [origin] = [record for record in production.snapshot().applied if record.kind == "origin"]
    assert origin.values == {
        "twilio_account": production.sandbox.account_sid,
        "openai_organization": "org-sandbox",
        "openai_project": "proj_sandbox",
    }
    assert production.reconcile("drift").code == 0


def test_records_of_an_earlier_release_say_so_until_the_next_apply(production: Agency) -> None:
    production.break_in("DELETE FROM applied WHERE kind = 'origin'")
    said = "the bot store does not say whose objects its records are"
    assert said in production.reconcile("--dry-run").out
    production.apply()
    assert said not in production.reconcile("--dry-run").out


def test_what_is_not_known_is_not_compared() -> None:
    known = Origin("AC1", "org-1", "proj_1")
    assert list(known.differences(Origin())) == []
    assert list(Origin().differences(known)) == []
    assert known.updated(Origin("AC1")) == known
