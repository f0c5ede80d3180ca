"""What the console's pages read: rows that they show, by indexes, however many messages are stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Connection

from runtime.store import audit_reading, reconcile_reports, reconcile_state
from runtime.store.audit import Actor
from runtime.store.audit_reading import AuditFilter
from runtime.store.console import accounts, client, failures, fleet, news, person, search, sessions
from runtime.store.database.engine import open_engine
from runtime.store.database.migrate import migrate
from runtime.store.messages import dead_letters, threads
from tests.tables.test_query_plans import scans

ANA = Actor("ana@horizonai.cl", "console")
CATALOG = {"bots", "assistants", "applied", "catalog", "CONSTANT"}
"""Tables that grow with clients, not with messages."""


@pytest.fixture(scope="module")
def store() -> Iterator[Connection]:
    engine = open_engine("sqlite:///:memory:")
    migrate(engine)
    with engine.connect() as connection, connection.begin():
        for number in range(3):
            connection.exec_driver_sql(
                "INSERT INTO bots (id, name, twilio_phone_number, state, functions, metadata, protected, client,"
                f" version, created_at, updated_at) VALUES ('b{number}', 'B', '+{number}', 'active', '{{}}', '{{}}', 0,"
                f" 'c{number}', 1, '', '')"
            )
        yield connection
    engine.dispose()


READS: dict[str, tuple[Callable[..., Any], tuple[object, ...], dict[str, object]]] = {
    "a visit": (accounts.visitor, ("token",), {}),
    "a sign-in": (accounts.credentials, ("ana@horizonai.cl",), {}),
    "a lock-out": (failures.locked_until, ("ana@horizonai.cl", "192.0.2.1"), {}),
    "a failure": (failures.note, ("ana@horizonai.cl", "192.0.2.1"), {}),
    "a new session": (sessions.begin, ("ana@horizonai.cl", "open", None), {}),
    "the fleet": (fleet.rows, (None,), {}),
    "conversations of all": (threads.list_conversations, (), {}),
    "conversations of a client": (threads.list_conversations, (), {"clients": ["c1"]}),
    "the next page of a client": (threads.list_conversations, (), {"clients": ["c1"], "before": 100}),
    "conversations with the assistant": (threads.list_conversations, (), {"state": "assistant"}),
    "people who wait": (threads.list_conversations, (), {"waiting": True}),
    "a thread": (threads.thread_of, (1,), {}),
    "what a thread shows": (news.digest_of, (1,), {}),
    "the card of a person": (person.facts_of, (1,), {}),
    "a search for a number": (search.search, (ANA, "+56912345678"), {"clients": None, "limit": 50}),
    "a search for words": (search.search, (ANA, "mesa"), {"clients": ["c1"], "limit": 50}),
    "dead letters": (dead_letters.list_dead_letters, (), {}),
    "a client": (client.facts_of, ("c1", date(2026, 11, 29)), {}),
    "the plans": (reconcile_reports.of_fleet, (), {}),
    "the plan as HTML": (reconcile_reports.document, ("plan", ""), {}),
    "what is pending": (reconcile_reports.pending, (None, 50), {}),
    "the applies": (reconcile_state.list_runs, (20,), {}),
    "the audit": (audit_reading.newest_entries, (AuditFilter(),), {"limit": 100}),
    "the audit by actor": (audit_reading.newest_entries, (AuditFilter(actor="ana"),), {"limit": 100}),
}
IN_ORDER = {
    "SCAN inbox",
    "SCAN audit",
    "SCAN runs",
    "SCAN turns USING INDEX turns_dead",
    "SCAN inbox USING INDEX inbox_open",
}
"""Read from the newest row back, and only as far as the page goes; or an index of nothing but what is asked for."""


@pytest.mark.parametrize("what", READS)
def test_a_page_reads_no_table_to_its_end(store: Connection, what: str) -> None:
    operation, arguments, named = READS[what]

    def read(connection: Connection) -> None:
        operation(connection, *arguments, **named)

    found = {step for step in scans(store, read) if step.split()[1] not in CATALOG} - IN_ORDER
    assert {step for step in found if "conversations_people" not in step} == set()


def test_the_month_of_a_client_is_added_up_in_its_index(store: Connection) -> None:
    rows = fleet.rows(store, None)
    assert scans(store, fleet.months, rows, date(2026, 11, 29)) == []


def test_the_fleet_shows_the_clients_of_the_operator_only(store: Connection) -> None:
    assert [row.client for row in fleet.rows(store, ["c1"])] == ["c1"]


def test_the_pages_of_a_client_s_list_have_each_of_its_conversations_once_the_newest_first(store: Connection) -> None:
    for number in range(1, 13):
        bot = f"b{number % 2}"
        store.exec_driver_sql(
            "INSERT INTO conversations (id, bot_id, user_key, created_at) VALUES (?, ?, ?, '')",
            (number, bot, f"+{number}"),
        )
        for again in (0, 12):
            store.exec_driver_sql(
                "INSERT INTO inbox (account_sid, message_sid, bot_id, conversation_id, sender, body, params, state,"
                " received_at) VALUES ('AC', ?, ?, ?, 'whatsapp:+1', 'Hola', '{}', 'answered', ?)",
                (f"SM{number}-{again}", bot, number, f"2026-11-01T00:00:{number + again:02}.000Z"),
            )
    found: list[int] = []
    before = threads.LAST
    while page := threads.list_conversations(store, clients=["c1"], limit=2, before=before):
        found += [one.id for one in page]
        before = page[-1].newest
    assert found == [11, 9, 7, 5, 3, 1]


def test_the_fleet_knows_the_last_message_and_what_failed(store: Connection) -> None:
    store.exec_driver_sql("DELETE FROM inbox WHERE bot_id = 'b2'")
    for state, at in (("answered", "2026-11-02T10:00:00.000Z"), ("open", "2026-11-02T11:00:00.000Z")):
        store.exec_driver_sql(
            "INSERT INTO inbox (account_sid, message_sid, bot_id, conversation_id, sender, body, params, state,"
            " received_at) VALUES ('AC', ?, 'b2', 99, 'whatsapp:+1', 'Hola', '{}', ?, ?)",
            (f"SM-{state}", state, at),
        )
    store.exec_driver_sql(
        "INSERT INTO turns (conversation_id, bot_id, state, starts, started_at, finished_at)"
        " VALUES (99, 'b2', 'dead', 1, '', '2026-11-02T10:30:00.000Z')"
    )
    (row,) = fleet.rows(store, ["c2"])
    assert (row.last_inbound, row.open_since) == ("2026-11-02T11:00:00.000Z", "2026-11-02T11:00:00.000Z")
    assert (row.dead_letters, row.dead_at) == (1, "2026-11-02T10:30:00.000Z")
