"""Who applied what, who holds the lease, and who changed something by hand: read from near and from far."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import closing

import pytest

from runtime.store.client.writer import open_writer
from runtime.store.history_records import Lease
from tests.documents.receiver import Receiver
from tests.documents.test_alarm import BROKEN
from tests.reconciler.agency import API_TOKEN, WEBHOOK, Agency
from tests.runtime_process import Runtime, start_runtime


@pytest.fixture
def serving(agency: Agency) -> Iterator[Runtime]:
    """A runtime on the agency's own store; the reconciler reaches it as CI does."""
    running = start_runtime(
        agency.folder, agency.sandbox, DATABASE_URL=agency.store_url, API_TOKEN=API_TOKEN, PUBLIC_URL="http://127.0.0.1"
    )
    yield running
    running.stop()


@pytest.fixture(params=["sqlite", "https"])
def either(request: pytest.FixtureRequest, agency: Agency) -> Agency:
    """The agency with its store in a file, then behind the runtime's API."""
    if request.param == "https":
        agency.environment["BOT_STORE_URL"] = request.getfixturevalue("serving").url
    return agency


def take_lease(agency: Agency, owner: str, seconds: float = 60) -> Lease:
    with closing(open_writer(agency.store_url, API_TOKEN)) as store:
        return store.acquire_lease(owner, seconds)


def test_an_apply_stands_in_the_history(either: Agency) -> None:
    either.declare("la-cocina")
    either.apply()
    result = either.reconcile("history")
    [head, line] = result.out.splitlines()
    assert result.code == 0
    assert "  applied  by " in head
    assert f"digest {either.runs()[0]['digest'][:12]}" in head
    assert line == "  la-cocina: create assistant, create bot, update sender"


def test_history_as_json_has_every_field(either: Agency) -> None:
    either.declare("la-cocina")
    either.apply()
    [run] = json.loads(either.reconcile("history", "--format", "json").out)
    assert run == json.loads(json.dumps(either.runs()[0]))
    assert {"id", "started_at", "finished_at", "actor", "git_sha", "digest", "outcome", "changes"} == run.keys()


def test_history_is_newest_first_and_as_long_as_asked(agency: Agency) -> None:
    digests = []
    for name in ("Uno", "Dos", "Tres"):
        agency.declare("la-cocina", name=name)
        digests.append(agency.plan()["digest"])
        agency.apply()
    runs = json.loads(agency.reconcile("history", "--format", "json", "--limit", "2").out)
    assert [run["digest"] for run in runs] == [digests[2], digests[1]]


def test_the_commit_is_on_record(agency: Agency) -> None:
    identity = ("-c", "user.name=Ana", "-c", "user.email=ana@example.cl")
    subprocess.run(["git", "init", "-q"], cwd=agency.folder, check=True)
    subprocess.run(["git", *identity, "commit", "-q", "--allow-empty", "-m", "clients"], cwd=agency.folder, check=True)
    sha = subprocess.run(["git", "rev-parse", "HEAD"], cwd=agency.folder, check=True, capture_output=True, text=True)
    agency.declare("la-cocina")
    agency.apply()
    assert f"commit {sha.stdout[:12]}" in agency.reconcile("history").out


def test_what_failed_says_why(agency: Agency) -> None:
    agency.declare("la-cocina")
    agency.sandbox.faults({"provider": "twilio", "method": "POST", "kind": "status", "status": 400})
    assert agency.reconcile("--yes").code == 4
    out = agency.reconcile("history").out
    assert "  partial  by " in out
    assert "update sender failed: " in out


@pytest.mark.parametrize("damage", ["[{", '{"client": 1}', '[{"client": "la-cocina"}]', "[1]"])
def test_a_run_whose_record_is_damaged_is_named_and_the_others_are_shown(either: Agency, damage: str) -> None:
    for name in ("Uno", "Dos", "Tres"):
        either.declare("la-cocina", name=name)
        either.apply()
    damaged = either.runs()[1]["id"]
    either.break_in("UPDATE runs SET changes = ? WHERE id = ?", damage, damaged)
    result = either.reconcile("history")
    assert result.code == 1
    assert result.out.count("  applied  by ") == 3
    assert result.out.count("  its changes cannot be read\n") == 1
    assert f"The bot store's record of the run {damaged} is damaged in `changes`" in result.err
    assert len(result.err.splitlines()) == 1
    told = json.loads(either.reconcile("history", "--format", "json").out)
    assert [run["changes"] is None for run in told] == [run["id"] == damaged for run in told]
    either.break_in("UPDATE runs SET changes = '[]' WHERE id = ?", damaged)
    assert either.reconcile("history").code == 0


def test_unlock_shows_who_holds_the_lease_and_takes_it_away(either: Agency) -> None:
    lease = take_lease(either, "ana@servidor:1234")
    result = either.reconcile("unlock", "--yes")
    assert result.code == 0
    assert result.out.splitlines() == [
        f"ana@servidor:1234 holds the lease since {lease.acquired_at}, until {lease.expires_at}.",
        "The lease is free.",
    ]
    either.declare("la-cocina")
    either.apply()


def test_unlock_without_a_terminal_needs_yes(agency: Agency) -> None:
    take_lease(agency, "ana@servidor:1234")
    result = agency.reconcile("unlock")
    assert result.code == 1
    assert "add --yes" in result.err
    assert agency.reconcile("unlock", "--yes").out.endswith("The lease is free.\n")


def test_unlock_when_nobody_holds_it(either: Agency) -> None:
    either.declare("la-cocina")
    either.apply()
    assert either.reconcile("unlock").out == "No lease is held.\n"


def test_drift_names_who_changed_it_through_the_api(either: Agency, serving: Runtime) -> None:
    either.declare("la-cocina")
    either.apply()
    changed = serving.api("PUT", "/bots/la-cocina?override=true", {"name": "Otro"}, token=API_TOKEN)
    assert changed.status == 200, changed.body
    for asked in ("drift", "--dry-run"):
        result = either.reconcile(asked)
        assert re.search(
            r"\(update, drift\)\n      changed through the API with the token 'API_TOKEN' at 2\S+Z: name\n", result.out
        ), result.said


def test_every_format_of_a_plan_names_who_changed_it(agency: Agency, serving: Runtime) -> None:
    agency.declare("la-cocina")
    agency.apply()
    serving.api("DELETE", "/bots/la-cocina?override=true", token=API_TOKEN)
    [change] = agency.plan()["changes"]
    assert (change["action"], change["reason"], change["edit"]["action"]) == ("create", "drift", "delete")
    assert (change["edit"]["actor"], change["edit"]["fields"]) == ("API_TOKEN", [])
    markdown = agency.reconcile("--dry-run", "--format", "markdown").out
    assert "deleted through the API with the token 'API\\_TOKEN' at 2" in markdown
    page = agency.reconcile("--dry-run", "--format", "html").out
    assert (
        f"Lo borró alguien con el token <bdi>API_TOKEN</bdi> de la API, el <bdi>{change['edit']['at']}</bdi>." in page
    )


def test_what_git_changed_names_nobody(agency: Agency, serving: Runtime) -> None:
    agency.declare("la-cocina")
    agency.apply()
    agency.declare("la-cocina", name="Otra cocina")
    assert {change["edit"] for change in agency.plan()["changes"]} == {None}


def test_whoever_changed_it_the_digest_is_that_of_what_would_be_done(agency: Agency, serving: Runtime) -> None:
    agency.declare("la-cocina")
    agency.apply()
    agency.break_in("UPDATE bots SET name = 'Otro'")
    unknown = agency.plan()
    agency.apply()
    serving.api("PUT", "/bots/la-cocina?override=true", {"name": "Otro"}, token=API_TOKEN)
    known = agency.plan()
    assert (unknown["changes"][0]["edit"], known["changes"][0]["edit"]["actor"]) == (None, "API_TOKEN")
    assert known["digest"] == unknown["digest"]
    assert agency.reconcile("--expect", unknown["digest"]).code == 0


def test_a_plan_stands_when_the_store_does_not_tell_who_it_was(agency: Agency) -> None:
    agency.declare("la-cocina")
    agency.apply()
    agency.break_in("UPDATE bots SET name = 'Otro'")
    agency.break_in("DROP TABLE audit")
    plan = agency.plan()
    assert [change["edit"] for change in plan["changes"]] == [None]
    [finding] = plan["findings"]
    assert finding["severity"] == "warning"
    assert finding["message"].startswith("who changed what was changed live could not be read: ")


def test_an_edit_that_was_undone_is_not_blamed_for_what_came_later(agency: Agency, serving: Runtime) -> None:
    agency.declare("la-cocina")
    agency.apply()
    serving.api("PUT", "/bots/la-cocina?override=true", {"name": "Otro"}, token=API_TOKEN)
    agency.apply()
    agency.break_in("UPDATE bots SET name = 'De noche'")
    result = agency.reconcile("drift")
    assert result.code == 2
    assert "through the API" not in result.out


def test_what_was_told_is_remembered_behind_the_api_too(agency: Agency, serving: Runtime, receiver: Receiver) -> None:
    agency.declare("la-cocina")
    agency.apply()
    agency.environment["BOT_STORE_URL"] = serving.url
    for webhook in (BROKEN, BROKEN, WEBHOOK, WEBHOOK):
        agency.sandbox.change(agency.number("la-cocina"), webhook=webhook)
        agency.reconcile("drift", "--notify", receiver.url())
    assert [message["type"] for message in receiver.messages] == ["warning", "success"]
