"""A client gets another id: all that it has stays as it is, and becomes the new id's."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any, Literal

import pytest

from runtime.store.client.history import read_notices
from runtime.store.client.writer import open_writer
from runtime.store.history_records import NoticeRecord
from tests.reconciler.agency import WEBHOOK, Agency
from tests.sandbox_process import Json

CARTA = "carta.md"
SEARCH = {"tools": [{"type": "file_search", "files": [CARTA]}]}
AGENTS = {"engine": "agents"}


def renaming(agency: Agency, **assistant: Any) -> Json:
    """Clients that are applied, one of which is declared under another id; gives what it had."""
    agency.declare("otro")
    agency.declare("cocina", name="La Cocina", assistant=assistant)
    agency.apply()
    had = everything(agency)
    agency.withdraw("cocina")
    declared_anew(agency, formerly="cocina", **assistant)
    return had


def declared_anew(agency: Agency, formerly: str | None, **assistant: Any) -> None:
    """Declare the client under its new id."""
    keys: Json = {} if formerly is None else {"formerly": formerly}
    instructions = {"instructions": "Eres el asistente de cocina.", **assistant}
    agency.declare("la-cocina", name="La Cocina", number=agency.number("cocina"), assistant=instructions, **keys)


def everything(agency: Agency) -> Json:
    """By kind, the ids of what the client has; and what is searched."""
    mine = ("cocina", "la-cocina")
    snapshot = agency.snapshot()
    return {
        "bots": [bot.id for bot in snapshot.bots if bot.client in mine],
        "assistants": [record.id for record in snapshot.assistants if record.client in mine],
        "agents": [agent["id"] for agent in agency.agents()],
        "records": {record.kind: record.live_id for record in agency.applied() if record.client in mine},
        "files": sorted(agency.uploads()),
        "documents": [files for client, files in agency.documents().items() if client in mine],
    }


def is_renamed(agency: Agency, had: Json) -> None:
    """Everything is the same, and the new id's; nothing is left of the former one."""
    assert everything(agency) == had
    snapshot = agency.snapshot()
    owners = {item.client for item in (*snapshot.bots, *snapshot.assistants, *agency.applied())}
    marks = {agent["metadata"]["client"] for agent in agency.agents()} | set(agency.documents())
    assert owners | marks == {"la-cocina", "otro"}
    assert agency.changes() == []


def test_an_id_is_renamed_with_all_that_the_store_and_twilio_have(agency: Agency) -> None:
    had = renaming(agency)
    plan = agency.plan()
    assert [(change["id"], change["fields"]) for change in plan["changes"]] == [
        (f"la-cocina/bot/rename/{agency.number('cocina')}", {"client": {"old": "cocina", "new": "la-cocina"}})
    ]
    assert (plan["summary"]["rename"], plan["orphans"]) == (1, [])
    shown = agency.reconcile("--dry-run").out
    assert "» bot" in shown
    assert "client: cocina → la-cocina" in shown
    assert "Plan: 1 to rename, 0 to create, 0 to update, 0 to delete, in 1 of 2 clients." in shown
    assert "**rename bot**" in agency.reconcile("--dry-run", "--format", "markdown").out
    assert "Renombrar" in agency.reconcile("--dry-run", "--format", "html").out
    writes = agency.writes()
    agency.apply()
    is_renamed(agency, had)
    assert agency.writes() == writes
    assert agency.snapshot().bots[0].managed_by == "clients.d/la-cocina.yaml"
    assert agency.senders()[agency.number("cocina")]["webhook"] == WEBHOOK
    declared_anew(agency, formerly=None)
    assert agency.changes() == []


def test_objects_at_openai_are_marked_anew_and_not_made_anew(agency: Agency) -> None:
    agency.document(CARTA, "Empanadas a 3500 pesos.")
    had = renaming(agency, **SEARCH)
    agency.apply()
    is_renamed(agency, had)
    # The former id is free, and its next owner leaves the documents alone.
    agency.declare("cocina", number="+56998769999", assistant=SEARCH)
    agency.reconcile("--yes")
    assert len(agency.documents()["la-cocina"]) == 1
    agency.withdraw("cocina")
    agency.declare("la-cocina", number=agency.number("cocina"), state="absent")
    agency.apply("--prune", "--max-delete-percent", "100")
    assert agency.uploads() == []


def test_an_agent_is_marked_anew_and_not_made_anew(agency: Agency) -> None:
    had = renaming(agency, **AGENTS)
    assert agency.changes() == [
        f"la-cocina/bot/rename/{agency.number('cocina')}",
        "la-cocina/assistant/rename/agents",
    ]
    agency.apply()
    is_renamed(agency, had)


@pytest.mark.parametrize("event", ["commit", "send"])
def test_a_run_that_was_killed_anywhere_is_continued(agency: Agency, event: Literal["commit", "send"]) -> None:
    agency.document(CARTA, "Empanadas a 3500 pesos.")
    had = renaming(agency, **SEARCH)
    for step in range(1, 40):
        if not agency.killed_at(event, step, "--yes"):
            break
        assert [bot.id for bot in agency.snapshot().bots if bot.id == "cocina"] == ["cocina"]
    agency.apply()
    is_renamed(agency, had)


def test_renamed_and_moved_to_another_number_and_changed_in_one_run(agency: Agency) -> None:
    had = renaming(agency)
    agency.declare("la-cocina", formerly="cocina", number="+56998760001", name="La Cocina de Ana")
    agency.apply()
    [bot] = [bot for bot in agency.snapshot().bots if bot.client == "la-cocina"]
    assert (bot.id, bot.twilio_phone_number, bot.name) == ("cocina", "+56998760001", "La Cocina de Ana")
    assert everything(agency)["bots"] == had["bots"]
    assert agency.changes() == []


def test_a_client_that_both_ids_have_is_left_unchanged(agency: Agency) -> None:
    renaming(agency)
    declared_anew(agency, formerly=None)
    agency.reconcile("--yes")
    declared_anew(agency, formerly="cocina")
    result = agency.reconcile("--yes")
    assert "la-cocina: `formerly: cocina` cannot be followed, since the bot store has a assistant" in result.out
    assert [bot.client for bot in agency.snapshot().bots if bot.id == "cocina"] == ["cocina"]


def test_what_was_sent_about_it_is_not_sent_again_and_who_was_bound_to_it_still_reaches_it(agency: Agency) -> None:
    renaming(agency)
    writer = open_writer(agency.store_url)
    for finding in ("cocina/bot/+56", "cocina-dos/bot/+57"):
        writer.put_notice(NoticeRecord("canal", finding, "f", "2026-11-22T12:00:00Z"))
    writer.close()
    agency.break_in(
        "INSERT INTO tokens (name, digest, scope, created_at, clients) VALUES ('t', 'd', 'read', '', 'cocina otro')"
    )
    agency.break_in(
        "INSERT INTO operators (email, name, role, clients, totp_secret, created_at)"
        " VALUES ('a@b.cl', 'A', 'viewer', 'cocina otro', '', '')"
    )
    agency.break_in(
        "INSERT INTO report_links (digest, client, label, created_by, created_at, expires_at)"
        " VALUES ('d', 'cocina', 'x', 'x', '', '')"
    )
    agency.apply()
    with closing(sqlite3.connect(agency.store_file)) as store:
        assert store.execute("SELECT clients FROM tokens").fetchall() == [("la-cocina otro",)]
        assert store.execute("SELECT clients FROM operators").fetchall() == [("la-cocina otro",)]
        assert store.execute("SELECT client FROM report_links").fetchall() == [("la-cocina",)]
    found = {notice.finding for notice in read_notices(agency.store_url, None)}
    assert found == {"la-cocina/bot/+56", "cocina-dos/bot/+57"}


@pytest.mark.parametrize(
    ("client", "formerly", "said"),
    [
        ("otro", "cocina", 'formerly: "cocina" is the id of clients.d/cocina.yaml:'),
        ("otro", "otro", 'formerly: "otro" is the id of clients.d/otro.yaml'),
        ("tercero", "vieja", 'formerly: "vieja" is taken by clients.d/otro.yaml'),
    ],
)
def test_a_former_id_that_is_declared_or_of_two(agency: Agency, client: str, formerly: str, said: str) -> None:
    agency.declare("cocina")
    agency.declare("otro", formerly="vieja")
    agency.declare(client, formerly=formerly)
    result = agency.reconcile("validate")
    assert (result.code, said in result.out) == (1, True), result.out
