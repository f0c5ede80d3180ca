"""A bot store that is not there: the first apply of all, or a command that looks for it in the wrong place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.store.database.engine import open_engine
from runtime.store.database.migrate import migrate
from tests.reconciler.agency import Agency
from tests.reconciler.terminal import on_a_terminal
from tests.runtime.stores import drop_database, make_empty_database

WARNING = "does not exist yet; the first apply creates it. If the runtime's store is elsewhere, set BOT_STORE_URL."
AGENT = {"engine": "agents"}


def elsewhere(agency: Agency) -> Path:
    """From now on the command looks for the store where there is none."""
    path = agency.folder / "data" / "horizonai.db"
    agency.environment["BOT_STORE_URL"] = f"sqlite:///{path}"
    return path


@pytest.mark.parametrize("command", ["--yes", "adopt cliente-a --yes", "verify cliente-a"])
def test_whatever_looks_for_a_store_that_is_not_there_says_so(agency: Agency, command: str) -> None:
    agency.declare("cliente-a")
    result = agency.reconcile(*command.split())
    assert result.code == 0
    assert result.err.count(WARNING) == 1


@pytest.mark.parametrize("command", ["status", "history", "unlock --yes", "drift", "--dry-run"])
def test_a_command_that_only_looks_makes_no_store(agency: Agency, command: str) -> None:
    agency.declare("cliente-a")
    path = elsewhere(agency)
    result = agency.reconcile(*command.split())
    assert (
        result.code,
        result.err.count(f"The bot store sqlite:///{path} (BOT_STORE_URL in the environment) {WARNING}"),
    ) == (0, 1)
    assert "No run was recorded" not in result.err
    assert "No lease is held" not in result.out
    assert not path.exists()


def test_the_plan_that_was_agreed_on_makes_the_store(agency: Agency) -> None:
    agency.declare("cliente-a")
    result = agency.reconcile("--expect", agency.plan()["digest"])
    assert (result.code, result.err.count(WARNING)) == (0, 1)
    assert result.out.count("Plan: 2 to create") == 1
    assert agency.changes() == []


def test_json_is_one_document_on_the_first_apply_too(agency: Agency) -> None:
    agency.declare("cliente-a")
    assert len(agency.apply("--format", "json").document["outcomes"]) == 3


def test_json_is_one_document_when_there_is_nothing_to_apply(agency: Agency) -> None:
    agency.declare("cliente-a", state="absent")
    assert agency.reconcile("--yes", "--format", "json").document["outcomes"] == []
    assert not agency.store_file.exists()


@pytest.fixture
def empty_database() -> Iterator[str]:
    """A database on a PostgreSQL server, without a table."""
    url = make_empty_database()
    yield url
    drop_database(url)


@pytest.mark.postgres
def test_an_empty_database_is_a_store_that_is_not_there_yet(agency: Agency, empty_database: str) -> None:
    agency.declare("cliente-a")
    agency.environment["BOT_STORE_URL"] = empty_database
    result = agency.reconcile("--yes")
    assert (result.code, result.err.count(WARNING)) == (0, 1)
    assert (agency.changes(), agency.reconcile("--yes").err) == ([], "")


@pytest.mark.parametrize("command", ["--yes", "--dry-run", "--yes --format json"])
@pytest.mark.parametrize(
    ("keys", "found"), [({}, "la-cocina: sender XE"), ({"assistant": AGENT}, "la-cocina: assistant agent_")]
)
def test_what_an_earlier_apply_has_made_shows_that_the_store_is_elsewhere_and_none_is_made(
    agency: Agency, command: str, keys: dict[str, object], found: str
) -> None:
    agency.declare("la-cocina", **keys)
    agency.apply()
    path, writes = elsewhere(agency), agency.writes()
    agency.declare("la-cocina", sender={"profile": {"about": "Sushi"}}, name="Otra cocina", **keys)
    result = agency.reconcile(*command.split())
    assert result.code == 3
    assert "Refused: the bot store does not exist, yet an earlier apply has created live objects" in result.err
    assert found in result.err
    assert "Set BOT_STORE_URL to it." in result.err
    assert (agency.writes(), path.exists()) == (writes, False)


def test_on_a_terminal_it_is_refused_before_anybody_is_asked(agency: Agency) -> None:
    agency.declare("la-cocina")
    agency.apply()
    path = elsewhere(agency)
    code, shown = on_a_terminal(agency, answer="y")
    assert (code, "[y/N]" in shown, path.exists()) == (3, False, False)


def test_a_lost_store_is_built_again_in_an_empty_one(agency: Agency) -> None:
    agency.declare("la-cocina", assistant=AGENT)
    agency.apply()
    [agent] = agency.agents()
    elsewhere(agency)
    make_empty_store(agency)
    agency.apply()
    assert agency.snapshot().bots[0].assistant_id == agent["id"]
    assert (agency.changes(), len(agency.agents())) == ([], 1)


def test_a_webhook_that_a_hand_has_set_before_the_first_apply_is_no_earlier_one(agency: Agency) -> None:
    agency.declare("la-cocina")
    by_hand = {"callback_url": f"{agency.environment['PUBLIC_URL']}/webhook/whatsapp"}
    agency.sandbox.change(agency.number("la-cocina"), webhook=by_hand)
    agency.apply()
    assert agency.changes() == []


def make_empty_store(agency: Agency) -> None:
    """What `horizonai-whatsapp-bot migrate` does."""
    engine = open_engine(agency.store_url)
    migrate(engine)
    engine.dispose()
