"""Deleting old messages while others come in: what it costs those that do, on both stores.

The store is made by SQL: old messages with their turns, answers and memory, all of them over their retention.
"""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from bench.installation import Installations
from bench.measure import BenchError, progress
from bench.old_messages import FIRST, OldMessages, fill
from bench.report import Section, Table, at_least, at_most
from bench.service import NUMBERS, Stage, add_bots, stage

OLD, QUICK = 1_000_000, 40_000
"""Old messages: half of them in, half of them answers."""
AGE = timedelta(days=200)
SPREAD = timedelta(days=90)
RATE, SECONDS, ROUNDS = 100, 20, 3
USERS = 1_000
PATIENCE = 600
"""Seconds until the first old message is deleted."""
POLICY = json.dumps({"version": 1, "data": {"retention": {"messages": "30d"}}})

_TEXT = f"""\
{{old:,}} messages of 200 to {AGE.days + SPREAD.days} days ago, half of them in, half answers, each with its turn and
memory, are deleted as `data.retention.messages: 30d` says, while {RATE} messages a second come in for {SECONDS}
seconds and are answered, once their months are rolled up for the reports. Without it nothing is declared. Each round
ends with kill -9 in the middle of deleting, and the next one continues. Latencies count from when a webhook was due;
the rounds are run in turns, and the best of each counts."""


@dataclass(frozen=True, slots=True)
class _Measured:
    without: dict[str, Any]
    during: dict[str, Any]
    per_second: float
    """Old messages that were deleted in a second."""
    continued: int
    """How often deleting continued after a kill -9 in the middle of it."""


def section(_installations: Installations, *, old: int = OLD) -> Section:
    """Both stores, with and without what deletes."""
    with stage() as place:
        measured = {store: _measured(place, store, old) for store in ("SQLite", "PostgreSQL")}
    rows = [
        [f"{store}, {name}", *(f"{seen[key]:.1f}" for key in ("per_second", "p50_ms", "p99_ms")), deleted]
        for store, one in measured.items()
        for name, seen, deleted in (
            ("nothing declared", one.without, "0"),
            ("while old messages are deleted", one.during, f"{one.per_second:.0f}"),
        )
    ]
    targets = [
        at_most(
            f"acknowledging p99 on {store} while old messages are deleted, of that without,",
            one.during["p99_ms"] / one.without["p99_ms"],
            2,
            "times",
        )
        for store, one in measured.items()
    ]
    targets += [
        at_least(f"times that deleting continued after kill -9 on {store}", one.continued, ROUNDS - 1, "")
        for store, one in measured.items()
    ]
    head = ("", "webhooks/s", "p50 ms", "p99 ms", "old messages deleted/s")
    return Section("Deleting old messages", _TEXT.format(old=old), Table(head, rows), targets)


def _measured(place: Stage, store: str, old: int) -> _Measured:
    database, traffic = place.database(store), place.traffic()
    traffic.order(think=0.2)
    server = place.runtime(database, traffic)
    bots = add_bots(server)
    server.end()
    progress(f"{store}: making {old:,} old messages")
    fill(database, OldMessages(old, list(zip(bots, NUMBERS, strict=True)), datetime.now(UTC) - AGE - SPREAD, SPREAD))
    best: dict[bool, dict[str, Any]] = {}
    deleted, seconds, passes = 0, 0.0, 0
    for number in range(ROUNDS):
        for declared in (False, True):
            _declare(database, POLICY if declared else "{}")
            server = place.runtime(database, traffic)
            traffic.write([server.url], RATE, RATE, USERS)
            before = _begun(database, old) if declared else _left(database, old)
            seen = traffic.write([server.url], RATE * SECONDS, RATE, USERS)
            gone = before - _left(database, old)
            server.end()
            if declared and not gone:
                raise BenchError(f"{store}: nothing was deleted in round {number + 1}; are there too few old messages?")
            deleted, seconds = deleted + gone, seconds + (SECONDS if declared else 0)
            passes += declared
            if declared not in best or seen["p99_ms"] < best[declared]["p99_ms"]:
                best[declared] = seen
            progress(f"{store}, round {number + 1}: p99 {seen['p99_ms']:.1f} ms, {gone:,} deleted")
    return _Measured(best[False], best[True], deleted / seconds, passes - 1)


def _declare(database: str, policy: str) -> None:
    _run(database, "UPDATE bots SET policy = {}", policy)
    _run(database, "UPDATE catalog SET version = version + 1 WHERE '' <> {}", policy)


def _begun(database: str, old: int) -> int:
    """Old messages that are left once the first ones were deleted: their months are rolled up before."""
    before, give_up = _left(database, old), time.monotonic() + PATIENCE
    while (left := _left(database, old)) == before:
        if time.monotonic() > give_up:
            raise BenchError(f"no old message was deleted within {PATIENCE} seconds")
        time.sleep(0.2)
    return left


def _left(database: str, old: int) -> int:
    """Old messages that are still there."""
    theirs = f"id >= {FIRST} AND id < {FIRST + old // 2} AND '' <> {{}}"
    inbox, outbox = (
        _run(database, f"SELECT count(*) FROM {table} WHERE {theirs}", "x") for table in ("inbox", "outbox")
    )
    return inbox + outbox


def _run(database: str, statement: str, value: str) -> int:
    if database.startswith("sqlite:///"):
        with closing(sqlite3.connect(database.removeprefix("sqlite:///"), timeout=60)) as store, store:
            row = store.execute(statement.format("?"), (value,)).fetchone()
    else:
        with psycopg.connect(database) as server:
            cursor = server.execute(statement.format("%s").encode(), (value,))
            row = cursor.fetchone() if cursor.description else None
    return int(row[0]) if row else 0
