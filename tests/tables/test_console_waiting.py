"""What of the fleet and of the waiting room depends on what a client declares, and on what `reconcile` recorded."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine

from runtime.store import catalog, reconcile_reports
from runtime.store.console import fleet, waiting
from runtime.store.database.times import timestamp
from runtime.store.messages.threads import ConversationSummary
from runtime.store.records import BotRecord
from schemas.reconcile_reports import FoundOfClient, RecordedReport, ReportKind
from tests.runtime.stores import migrated_store

NOW = time.time()
SHOP = BotRecord("la-cocina", "La Cocina", "+56998765000", client="la-cocina", managed_by="git", instructions="I")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A store without a bot."""
    with migrated_store("sqlite", tmp_path) as engine:
        yield engine


def summary(number: int, bot: str, minutes: float) -> ConversationSummary:
    """A conversation that people have had, and not answered, for that many minutes."""
    since = timestamp(NOW - minutes * 60)
    nothing = dict.fromkeys(
        ("name", "reason", "until", "operator", "operator_at", "summary", "consent", "blocked_at", "window_refused_at")
    )
    return ConversationSummary(
        id=number,
        bot_id=bot,
        client=bot,
        user="CL.1",
        state="human",
        since=since,
        by="customer",
        last_inbound=since,
        is_waiting=True,
        unread=1,
        newest=1,
        **nothing,
    )


def test_who_waits_longer_than_the_client_declares_is_late(engine: Engine) -> None:
    policy = {"version": 1, "handoff": {"escalate_after": 15}}
    with engine.begin() as connection:
        catalog.put_bot(connection, BotRecord("a", "A", "+56998765001", instructions="I", policy=policy))
        catalog.put_bot(connection, BotRecord("b", "B", "+56998765002", instructions="I"))
        people = [summary(1, "a", 16), summary(2, "a", 14), summary(3, "b", 500)]
        assert waiting.late(connection, people, timestamp(NOW)) == {1: 15}


def recorded(connection: Connection, kind: ReportKind, state: str, seconds: float) -> None:
    """A run found this of the client, that many seconds from now."""
    found = {"la-cocina": FoundOfClient(state=state)}
    reconcile_reports.record(
        connection, RecordedReport(kind=kind, at=timestamp(NOW + seconds), actor="ci", clients=found)
    )


def test_the_fleet_shows_what_the_newest_run_found(engine: Engine) -> None:
    def found() -> str | None:
        [row] = fleet.rows(connection, None)
        return row.found

    with engine.begin() as connection:
        catalog.put_bot(connection, SHOP)
        assert found() is None
        recorded(connection, "apply", "error", -100)
        assert found() == "error"
        recorded(connection, "drift", "in_sync", -50)
        recorded(connection, "plan", "differs", -10)
        assert found() == "in_sync"
        recorded(connection, "drift", "unresolved", -5)
        assert found() == "unresolved"


def test_a_drift_before_the_last_apply_says_nothing_any_more(engine: Engine) -> None:
    with engine.begin() as connection:
        catalog.put_bot(connection, SHOP)
        recorded(connection, "drift", "differs", -100)
        connection.exec_driver_sql(
            'INSERT INTO applied (client, kind, live_id, "values", applied_at)'
            f" VALUES ('la-cocina', 'bot', 'la-cocina', '{{}}', '{timestamp(NOW)}')"
        )
        [row] = fleet.rows(connection, None)
        assert row.found is None
