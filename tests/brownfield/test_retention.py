"""A plan that shortens a retention says how much goes, and the status what went, from the store itself and over its
API."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest

from tests.reconciler.agency import API_TOKEN, Agency
from tests.runtime_process import Runtime
from tests.sandbox_process import wait_until


@pytest.fixture
def running(agency: Agency, runtime_factory: Callable[..., Runtime]) -> tuple[Agency, Runtime]:
    runtime = runtime_factory(API_TOKEN=API_TOKEN)
    agency.environment |= {"PUBLIC_URL": runtime.url, "BOT_STORE_URL": runtime.url}
    return agency, runtime


def test_what_a_shorter_retention_deletes_is_in_the_plan_and_then_in_the_status(
    running: tuple[Agency, Runtime],
) -> None:
    agency, runtime = running
    agency.declare("la-cocina")
    agency.apply()
    for user in ("+56911111111", "+56922222222"):
        agency.sandbox.inbound(agency.number("la-cocina"), "Hola", user)
    store = runtime.folder / "runtime.db"
    with closing(sqlite3.connect(store, timeout=10)) as database, database:
        for table, column in (
            ("inbox", "received_at"), ("outbox", "created_at"), ("items", "created_at"), ("turns", "finished_at"),
            ("conversations", "created_at"),
        ):  # fmt: skip
            database.execute(f"UPDATE {table} SET {column} = '2026-01-01T00:00:00.000Z'")
    agency.declare("la-cocina", data={"retention": {"messages": "180d"}})

    plan = agency.reconcile("--dry-run")
    near = agency.reconcile("--dry-run", BOT_STORE_URL=f"sqlite:///{store}")

    for shown in (plan, near):
        assert "data.retention.messages: 180d (for ever until now): messages from before 20" in shown.out
        assert "are deleted once this is applied, 2 of 2 people today" in shown.out
    assert agency.apply().code == 0

    def is_run() -> bool:
        with closing(sqlite3.connect(store, timeout=10)) as database, database:
            # Unless it is running: the end of a run would make it due in an hour.
            due = "UPDATE timers SET due_at = '2026-01-01T00:00:00.000Z' WHERE kind = 'retention' AND holder IS NULL"
            database.execute(due)
            done = "SELECT 1 FROM retention_runs WHERE ended_at IS NOT NULL AND deleted <> '{}'"
            return database.execute(done).fetchone() is not None

    def status(**environment: str) -> str:
        return agency.reconcile("status", "la-cocina", COLUMNS="200", **environment).out

    wait_until(is_run, what="the run")
    assert "2 messages" in status()
    lines = [line.strip() for line in status(BOT_STORE_URL=f"sqlite:///{store}").splitlines()]
    [line] = [line for line in lines if line.startswith("retention")]
    assert all(part in line for part in ("2 messages", "2 people", "2 sent", "2 turns", " deleted"))
