"""What a client's page and that of plans read, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import Connection

from runtime.store import catalog, reconcile_reports, reconcile_state
from runtime.store.audit import Actor
from runtime.store.console import client
from runtime.store.history_records import RunRecord
from runtime.store.records import AppliedRecord, BotRecord
from schemas.reconcile_reports import FoundOfClient, RecordedReport
from tests.runtime.stores import migrated_store

TODAY = date(2026, 11, 29)
CANARY = {"percent": 10, "until": "2026-12-15", "model": "gpt-5.6-luna"}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Connection]:
    policy = {"version": 1, "canary": CANARY}
    with migrated_store(request.param, tmp_path) as engine, engine.connect() as connection, connection.begin():
        catalog.put(connection, BotRecord("b1", "La Cocina", "+15550001", client="la-cocina", policy=policy))
        yield connection


def run(number: int, *clients: str) -> RunRecord:
    changes = [{"client": one, "kind": "bot", "action": "update", "key": "x", "outcome": "applied"} for one in clients]
    started = f"2026-11-{number:02}T12:00:00Z"
    return RunRecord(f"{number:032x}", started, "ci", "0" * 64, outcome="applied", changes=changes)


def test_what_there_is_of_a_client(store: Connection) -> None:
    record = AppliedRecord("la-cocina", "bot", "b1", {"name": "La Cocina"})
    reconcile_state.record_applied(store, record, Actor("ci", "cli"))
    for one in (run(1, "la-cocina", "el-bar"), run(2, "el-bar"), run(3, "la-cocina-2"), run(4, "la-cocina")):
        reconcile_state.start_run(store, one)
    turns = [
        ("canary", "answered", "NULL"),
        ("canary", "dead", "NULL"),
        ("stable", "answered", "'handoff'"),
        ("stable", "running", "NULL"),
    ]
    for variant, state, reason in turns:
        store.exec_driver_sql(
            "INSERT INTO turns (conversation_id, bot_id, state, starts, started_at, variant, reason, output_tokens,"
            f" bot_version) VALUES (1, 'b1', '{state}', 1, '', '{variant}', {reason}, 30, 1)"
        )

    facts = client.facts_of(store, "la-cocina", TODAY)

    assert facts is not None
    assert facts.applied["bot"].values == {"name": "La Cocina"}
    assert [record.started_at[8:10] for record in facts.runs] == ["04", "01"]
    assert facts.canary is not None
    assert (facts.canary.percent, facts.canary.canary.turns, facts.canary.canary.failed) == (10, 2, 1)
    assert (facts.canary.stable.turns, facts.canary.stable.handoffs, facts.canary.stable.output_tokens) == (1, 1, 30)
    assert client.facts_of(store, "el-bar", TODAY) is None


def test_a_report_is_read_as_it_was_recorded(store: Connection) -> None:
    found = {"la-cocina": FoundOfClient(state="differs"), "el-bar": FoundOfClient(state="in_sync")}
    report = RecordedReport(
        kind="plan",
        at="2099-11-29T12:00:00.000Z",
        actor="ci",
        counts={"update": 1},
        is_whole_run=True,
        document="<p>Plan</p>",
        clients=found,
    )
    reconcile_reports.record(store, report)
    reconcile_reports.record(store, report)  # again, as its answer was lost

    [whole] = reconcile_reports.of_fleet(store)
    assert (whole.counts, whole.has_document) == ({"update": 1}, True)
    assert reconcile_reports.document(store, "plan", "") == "<p>Plan</p>"
    assert list(reconcile_reports.pending(store, None, 10)) == ["la-cocina"]
    assert reconcile_reports.pending(store, ["el-bar"], 10) == {}
    assert reconcile_reports.of_client(store, "el-bar")["plan"].found == found["el-bar"]
