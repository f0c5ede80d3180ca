"""Answering: what the runtime adds to the model's own time, and what ten thousand waiting conversations cost."""

from __future__ import annotations

from typing import Any

from bench.installation import Installations
from bench.measure import BenchError, progress
from bench.report import Section, Table, at_most
from bench.service import Stage, add_bots, stage

THINK = 0.2
SECONDS = 10
CROWD = 10_000
CASES = (("SQLite", 1, 500, 10, 50), ("PostgreSQL", 2, 100, 15, 80))
"""Store, replicas, messages a second, targets of p50 and p99 in ms."""

_TEXT = f"""\
Every message is a user's of its own and is answered over REST; the model takes {THINK * 1000:.0f} ms. Overhead is the
time from when the webhook was due to the answer's arrival at Twilio, without the model's. Providers and users are one
process, the runtime another; two cores carry them all, and PostgreSQL too. Then {CROWD:,} users write to a model that
never answers, and the process is killed and started again."""


def section(_installations: Installations) -> Section:
    """Overhead on both stores, then the crowd."""
    rows, targets = [], []
    with stage() as place:
        for store, replicas, rate, p50, p99 in CASES:
            seen = _overhead(place, store, replicas, rate)
            name = f"{store}, {replicas} process{'es' if replicas > 1 else ''}, {rate}/s"
            progress(f"{name}: overhead p50 {seen['p50_ms']:.1f} ms, p99 {seen['p99_ms']:.1f} ms")
            rows.append([name, f"{seen['p50_ms']:.1f} ms", f"{seen['p99_ms']:.1f} ms"])
            targets += [
                at_most(f"overhead p50 at {rate}/s on {store}", seen["p50_ms"], p50, "ms"),
                at_most(f"overhead p99 at {rate}/s on {store}", seen["p99_ms"], p99, "ms"),
            ]
        idle, crowded, first = _crowd(place)
    rows += [
        ["memory, idle", f"{idle:.0f} MB", ""],
        [f"memory, {CROWD:,} conversations waiting for the model", f"{crowded:.0f} MB", ""],
        [f"first answer after a restart with {CROWD:,} pending", f"{first:.2f} s", ""],
    ]
    targets += [
        at_most("memory idle", idle, 120, "MB"),
        at_most(f"memory with {CROWD:,} conversations waiting", crowded, 400, "MB"),
        at_most(f"first answer after a restart with {CROWD:,} pending", first, 2, "s"),
    ]
    return Section("Answering", _TEXT, Table(("", "p50", "p99"), rows), targets)


def _overhead(place: Stage, store: str, replicas: int, rate: int) -> dict[str, Any]:
    traffic = place.traffic()
    traffic.order(think=THINK)
    database = place.database(store)
    servers = [place.runtime(database, traffic) for _ in range(replicas)]
    add_bots(servers[0])
    urls = [server.url for server in servers]
    for seconds in (2, SECONDS):
        traffic.write(urls, rate * seconds, rate, rate * seconds)
        seen = traffic.answers(rate * seconds)
    for server in servers:
        server.end()
    return seen


def _crowd(place: Stage) -> tuple[float, float, float]:
    """Memory idle and crowded in MB, seconds from a new start to its first answer."""
    traffic = place.traffic()
    database = place.database("SQLite")
    server = place.runtime(database, traffic)
    add_bots(server)
    idle = server.rss_mb
    traffic.order(think=3600)
    traffic.write([server.url], CROWD, 400, CROWD)
    waiting = traffic.order(waiting=CROWD, patience=60)["waiting"]
    if waiting < CROWD:
        raise BenchError(f"only {waiting} of {CROWD} conversations reached the model")
    crowded = server.rss_mb
    server.end()
    traffic.order(think=0)
    again = place.runtime(database, traffic)
    first = traffic.order(answers=1, patience=60)["first"]
    traffic.answers(CROWD, 300)
    again.end()
    return idle, crowded, first - again.started
