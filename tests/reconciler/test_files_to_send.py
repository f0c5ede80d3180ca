"""Files that the assistant may send, from git into the bot store: by their content, through every way in."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from runtime.store.client.writer import open_writer
from tests.reconciler.agency import API_TOKEN, Agency
from tests.runtime.stores import drop_database, make_database
from tests.runtime_process import start_runtime
from tests.sandbox_process import Sandbox

MENU, WINTER = b"%PDF-1.7 verano" + bytes(1_500_000), b"%PDF-1.7 invierno"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres), "api"])
def stored(
    request: pytest.FixtureRequest, agency: Agency, tmp_path: Path, sandbox_process: Sandbox
) -> Iterator[Agency]:
    """An installation whose store is reached in each way."""
    if request.param == "api":
        running = start_runtime(tmp_path, sandbox_process, API_TOKEN=API_TOKEN)
        agency.environment["BOT_STORE_URL"] = running.url
        yield agency
        running.stop()
    elif request.param == "postgresql":
        agency.environment["BOT_STORE_URL"] = make_database()
        yield agency
        drop_database(agency.store_url)
    else:
        yield agency


def write(agency: Agency, content: bytes, name: str = "la-cocina/menu.pdf") -> str:
    """A file beside the manifests; gives its hash."""
    agency.document(name, "").write_bytes(content)
    return sha256(content).hexdigest()


def has(agency: Agency, named: str) -> bool:
    with closing(open_writer(agency.store_url, API_TOKEN)) as writer:
        return writer.has_file(named)


def test_a_file_is_planned_by_its_content_and_stored_before_its_bot(stored: Agency) -> None:
    named = write(stored, MENU)
    stored.declare("la-cocina", media={"files": {"menu": "la-cocina/menu.pdf"}})
    shown = stored.reconcile("--dry-run").out
    assert f"policy.files.menu.sha256: {named}" in shown
    assert "policy.files.menu.path: la-cocina/menu.pdf" in shown
    stored.apply()
    [bot] = stored.snapshot().bots
    menu = {"path": "la-cocina/menu.pdf", "sha256": named, "size": len(MENU), "type": "application/pdf"}
    assert bot.policy == {"version": 1, "files": {"menu": menu}}
    assert has(stored, named)
    assert stored.changes() == []


def test_a_file_that_changes_is_a_change_of_the_bot(stored: Agency) -> None:
    before = write(stored, MENU)
    stored.declare("la-cocina", media={"files": {"menu": "la-cocina/menu.pdf"}})
    stored.apply()
    after = write(stored, WINTER)
    [change] = stored.plan()["changes"]
    assert change["fields"] == {
        "policy.files.menu.sha256": {"old": before, "new": after},
        "policy.files.menu.size": {"old": len(MENU), "new": len(WINTER)},
    }
    stored.apply()
    assert (has(stored, before), has(stored, after)) == (True, True)


def test_two_clients_share_the_bytes_of_one_file(agency: Agency) -> None:
    write(agency, MENU)
    for client in ("la-cocina", "cliente-a"):
        agency.declare(client, media={"files": {"menu": "la-cocina/menu.pdf"}})
    agency.apply()
    with closing(sqlite3.connect(agency.store_file)) as store:
        assert store.execute("SELECT count(*) FROM files").fetchall() == [(1,)]
        assert store.execute("SELECT sum(length(content)) FROM file_pieces").fetchall() == [(len(MENU),)]


def test_what_no_bot_has_named_for_a_week_is_deleted_by_an_apply(agency: Agency) -> None:
    named = write(agency, MENU)
    agency.declare("la-cocina", media={"files": {"menu": "la-cocina/menu.pdf"}})
    agency.apply()
    agency.declare("la-cocina")
    agency.apply()
    assert has(agency, named)
    agency.break_in("UPDATE files SET unnamed_since = '2026-01-01T00:00:00.000Z'")
    agency.apply()
    assert not has(agency, named)


def test_a_run_that_is_killed_while_it_stores_a_file_is_continued_by_the_next(agency: Agency) -> None:
    named = write(agency, MENU)
    agency.declare("la-cocina", media={"files": {"menu": "la-cocina/menu.pdf"}})
    number = 0
    while agency.killed_at("commit", number := number + 1, "--yes"):
        assert number < 60
    agency.apply()
    assert has(agency, named)
    assert agency.changes() == []


def test_a_document_that_is_sent_is_searched_in_too(agency: Agency) -> None:
    write(agency, b"%PDF-1.7", "la-cocina/menu.pdf")
    agency.document("carta.md", "Cazuela")
    tools = [{"type": "file_search", "files": ["carta.md"]}]
    agency.declare("la-cocina", assistant={"tools": tools}, media={"files": {"menu": "la-cocina/menu.pdf"}})
    assert [path for path in agency.plan()["changes"][0]["fields"] if path.startswith("files.")] == [
        "files.carta.md",
        "files.la-cocina/menu.pdf",
    ]


def test_an_agent_has_the_tools_that_send_at_the_provider(agency: Agency) -> None:
    write(agency, MENU)
    local = {"latitude": -33.45, "longitude": -70.62, "name": "La Cocina"}
    media = {"files": {"menu": "la-cocina/menu.pdf"}, "places": {"local": local}}
    agency.declare("la-cocina", assistant={"engine": "agents"}, media=media)
    agency.apply()
    [agent] = agency.agents()
    assert [tool["name"] for tool in agent["tools"]] == ["send_document", "send_location"]
    assert agency.changes() == []
    agency.declare("la-cocina", assistant={"engine": "agents"})
    agency.apply()
    assert [agent["tools"] for agent in agency.agents()] == [[]]
