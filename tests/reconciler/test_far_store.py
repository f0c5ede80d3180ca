"""The bot store behind the runtime's API: what CI uses, which cannot reach the database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from tests.reconciler.agency import API_TOKEN, Agency
from tests.runtime_process import Runtime, start_runtime
from tests.sandbox_process import Sandbox

KEPT = ("bots", "assistants", "applied", "runs", "leases")


@pytest.fixture(scope="module")
def distant(tmp_path_factory: pytest.TempPathFactory, sandbox_process: Sandbox) -> Iterator[Runtime]:
    """A runtime that no other test uses."""
    running = start_runtime(tmp_path_factory.mktemp("distant"), sandbox_process, API_TOKEN=API_TOKEN)
    yield running
    running.stop()


@pytest.fixture
def far(agency: Agency, distant: Runtime) -> Agency:
    """An installation whose store is the runtime's, and empty."""
    with closing(sqlite3.connect(distant.folder / "runtime.db", isolation_level=None)) as connection:
        for table in KEPT:
            connection.execute(f"DELETE FROM {table}")
    agency.environment["BOT_STORE_URL"] = distant.url
    agency.sandbox.settings(update_seconds=0)
    return agency


def test_plan_apply_plan(far: Agency) -> None:
    far.declare("cliente-a", sender={"profile": {"about": "Hola"}}, metadata={"rubro": "comida"}, memory={"items": 20})
    far.declare("el-viejo", assistant={"engine": "assistants"})
    far.apply()
    assert far.changes() == []
    assert {(bot.id, bot.managed_by) for bot in far.snapshot().bots} == {
        ("cliente-a", "clients.d/cliente-a.yaml"),
        ("el-viejo", "clients.d/el-viejo.yaml"),
    }
    assert [bot.policy for bot in far.snapshot().bots] == [{"version": 1, "memory": {"items": 20}}, {}]
    assert [run["outcome"] for run in far.runs()] == ["applied"]
    assert not list(Path(far.folder).glob("**/*.db"))


def test_what_a_killed_run_was_creating_is_known_from_far_too(far: Agency) -> None:
    far.environment["OPENAI_LIST_LAG"] = "3600"
    far.declare("la-cocina", assistant={"engine": "agents"})
    far.sandbox.faults({"kind": "timeout_before_write", "seconds": 60, "method": "POST", "path": "/v1/agents"})
    running = far.start("--yes")
    far.await_fault()
    running.kill()
    running.wait()
    far.sandbox.faults()
    assert far.plan()["unresolved"] == ["la-cocina"]
    far.apply(OPENAI_LIST_LAG="0")
    assert (len(far.agents()), far.changes()) == (1, [])


def test_the_plan_is_the_same_from_near_and_far(far: Agency) -> None:
    far.declare("cliente-a")
    distant = far.plan()
    near = far.plan(BOT_STORE_URL=f"sqlite:///{far.store_file}")
    assert distant == near


def test_a_bot_that_was_changed_over_the_api_with_override_is_drift(far: Agency, distant: Runtime) -> None:
    far.declare("cliente-a")
    far.apply()
    assert distant.api("PUT", "/bots/cliente-a", {"name": "Otro"}, API_TOKEN).status == 409
    assert distant.api("PUT", "/bots/cliente-a?override=true", {"name": "Otro"}, API_TOKEN).status == 200
    result = far.reconcile("drift")
    assert result.code == 2
    assert "name: Otro → Cliente cliente-a" in result.out
    far.apply()
    assert far.snapshot().bots[0].name == "Cliente cliente-a"


def test_a_bot_that_was_changed_as_the_reconciler_does_is_drift_that_names_the_token(
    far: Agency, distant: Runtime
) -> None:
    far.declare("cliente-a")
    far.apply()
    fields = [
        "name",
        "twilio_phone_number",
        "assistant_id",
        "state",
        "metadata",
        "policy",
        "functions",
        "client",
        "managed_by",
    ]
    bot = distant.api("GET", "/bots/cliente-a", None, API_TOKEN).json
    body = {name: bot[name] for name in fields} | {"name": "Otro"}
    assert distant.api("PUT", "/bots/cliente-a", body, API_TOKEN, X_Managed_By="reconcile").status == 200
    result = far.reconcile("drift")
    assert result.code == 2
    assert "changed through the API with the token 'API_TOKEN'" in result.out
    assert result.out.count("changed through the API") == 1
    far.apply()
    far.declare("cliente-a", metadata={"rubro": "comida"})
    far.apply()
    with closing(sqlite3.connect(distant.folder / "runtime.db", isolation_level=None)) as connection:
        connection.execute("UPDATE bots SET name = 'Por fuera'")
    assert "through the API" not in far.reconcile("drift").out


def test_a_client_that_goes(far: Agency) -> None:
    far.declare("cliente-a")
    far.declare("cliente-b")
    far.apply()
    far.declare("cliente-b", state="absent")
    far.apply()
    assert [bot.id for bot in far.snapshot().bots] == ["cliente-a"]
    assert {record.client for record in far.applied()} == {"cliente-a"}


def test_a_number_that_a_bot_made_by_hand_has_is_said_and_the_others_are_applied(far: Agency, distant: Runtime) -> None:
    by_hand = {
        "name": "A mano",
        "twilio_phone_number": far.number("cliente-a"),
        "instructions": "Hola",
        "model": "gpt-5.5",
    }
    assert distant.api("POST", "/bots/", by_hand, API_TOKEN).status == 201
    far.declare("cliente-a")
    far.declare("cliente-b")
    result = far.reconcile("--yes")
    assert result.code == 4
    assert "`reconcile adopt cliente-a` adopts it" in result.out
    assert "cliente-b" in {bot.id for bot in far.snapshot().bots}


def test_a_wrong_token_is_one_sentence(far: Agency) -> None:
    far.declare("cliente-a")
    for command in ("--dry-run", "--yes"):
        result = far.reconcile(command, API_TOKEN="wrong-token")
        assert (result.code, result.out) == (1, "")
        assert "Set API_TOKEN to a valid one." in result.err


def test_no_token_is_one_sentence(far: Agency) -> None:
    far.declare("cliente-a")
    result = far.reconcile("--dry-run", API_TOKEN=None)
    assert (result.code, result.out) == (1, "")
    assert "API_TOKEN" in result.err


def test_the_lease_is_held_across_machines(far: Agency, distant: Runtime) -> None:
    far.declare("cliente-a")
    body = {"owner": "ana@servidor:123", "ttl_seconds": 60}
    assert distant.api("POST", "/reconcile/lease", body, API_TOKEN).status == 200
    result = far.reconcile("--yes")
    assert result.code == 5
    assert "ana@servidor:123" in result.err


@pytest.mark.long
def test_killed_before_anything_is_sent_to_the_store_or_to_twilio(far: Agency) -> None:
    for number in count(1):
        client = f"cliente-{number}"
        far.declare(client)
        if not far.killed_at("send", number, "--yes"):
            break
        far.apply()
        assert far.changes() == []
        assert client in {bot.id for bot in far.snapshot().bots}
    assert number > 15


def test_killed_while_the_assistant_is_made(far: Agency) -> None:
    for fault in ("timeout_before_write", "timeout_after_write"):
        client = f"el-viejo-{fault.replace('_', '-')}"
        far.declare(client, assistant={"engine": "assistants"})
        far.sandbox.faults({"kind": fault, "seconds": 5, "method": "POST", "path": "/v1/assistants"})
        running = far.start("--yes")
        far.await_fault()
        running.kill()
        running.wait()
        far.sandbox.faults()
        far.apply()
        assert far.changes() == []
    assert len(far.assistants()) == 2
