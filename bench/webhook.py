"""Accepting webhooks: how near the runtime comes to the least that a durable webhook costs."""

from __future__ import annotations

from typing import Any

from bench.installation import Installations
from bench.measure import progress
from bench.report import Section, Table, at_least, at_most
from bench.service import NUMBERS, Stage, add_bots, stage

MESSAGES = 8_000
USERS = len(NUMBERS)
"""One to each bot. Their first messages begin turns, which wait for the model; what comes after is only taken in."""
ROUNDS = 3
RATE = 500
POSTGRESQL_RATE = 100
SECONDS = 10

_TEXT = f"""\
{MESSAGES:,} signed webhooks over 64 connections from another process, as fast as they are acknowledged; each is on disk
before its 200 (WAL, synchronous FULL). The floor is a bare aiohttp handler that checks the signature and commits one
row together with whatever waits. The model never answers meanwhile, so this is the way in alone. Then {RATE} a second,
where a latency counts from when the webhook was due, and on PostgreSQL {POSTGRESQL_RATE} a second to two replicas."""


def section(_installations: Installations) -> Section:
    """Floor and runtime in turns, then at a steady rate."""
    with stage() as place:
        fastest = {"floor": _none(), "runtime": _none()}
        for number in range(ROUNDS):
            for name in fastest:
                seen = _as_fast_as_possible(place, name)
                if seen["per_second"] > fastest[name]["per_second"]:
                    fastest[name] = seen
                progress(f"round {number + 1} of {ROUNDS}: {name} {seen['per_second']:.0f}/s")
        sqlite = _steady(place, "SQLite", RATE, replicas=1)
        postgresql = _steady(place, "PostgreSQL", POSTGRESQL_RATE, replicas=2)
    rows = [
        _row("floor: bare aiohttp, as fast as possible", fastest["floor"]),
        _row("runtime on SQLite, as fast as possible", fastest["runtime"]),
        _row(f"runtime on SQLite, {RATE}/s", sqlite),
        _row(f"runtime on PostgreSQL, two replicas, {POSTGRESQL_RATE}/s", postgresql),
    ]
    share = 100 * fastest["runtime"]["per_second"] / fastest["floor"]["per_second"]
    targets = [
        at_least("webhooks accepted, of the floor's throughput,", share, 60, " %"),
        at_most(f"acknowledging p99 at {RATE}/s on SQLite", sqlite["p99_ms"], 25, "ms"),
        at_most("acknowledging p99 on PostgreSQL", postgresql["p99_ms"], 50, "ms"),
    ]
    return Section("Accepting webhooks", _TEXT, Table(("", "webhooks/s", "p50 ms", "p99 ms"), rows), targets)


def _as_fast_as_possible(place: Stage, name: str) -> dict[str, Any]:
    traffic = place.traffic()
    traffic.order(think=3600)
    if name == "floor":
        server = place.floor()
    else:
        server = place.runtime(place.database("SQLite"), traffic)
        add_bots(server)
    traffic.write([server.url], MESSAGES // 8, 0, USERS)
    seen = traffic.write([server.url], MESSAGES, 0, USERS)
    server.end()
    return seen


def _steady(place: Stage, store: str, rate: int, replicas: int) -> dict[str, Any]:
    traffic = place.traffic()
    traffic.order(think=3600)
    database = place.database(store)
    servers = [place.runtime(database, traffic) for _ in range(replicas)]
    add_bots(servers[0])
    urls = [server.url for server in servers]
    traffic.write(urls, rate, rate, USERS)
    seen = traffic.write(urls, rate * SECONDS, rate, USERS)
    for server in servers:
        server.end()
    return seen


def _none() -> dict[str, Any]:
    return {"per_second": 0.0}


def _row(name: str, seen: dict[str, Any]) -> list[str]:
    return [name, f"{seen['per_second']:.0f}", f"{seen['p50_ms']:.1f}", f"{seen['p99_ms']:.1f}"]
