"""Answering: what the runtime adds to the model's own time, and what ten thousand waiting conversations cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.installation import Installations
from bench.measure import BenchError, progress
from bench.report import Section, Table, at_most
from bench.service import Stage, add_bots, stage

THINK = 0.2
SECONDS = 8
CROWD = 10_000
ROUNDS = 3
"""Of each case; the best one counts, as everywhere here."""
HELD_CONNECTIONS = 512
"""Webhooks are held open until they are answered: more of them than answers are on their way at once."""


@dataclass(frozen=True, slots=True)
class _Case:
    """One way to answer, at one rate, with its targets in ms."""

    store: str
    way: str
    replicas: int
    rate: int
    p50: float
    p99: float
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.rate}/s on {self.store}, {self.way}"


_BY_REST = {"REPLY_WITHIN_SECONDS": "0"}
CASES = (
    _Case("SQLite", "in the webhook's response", 1, 500, 10, 50, {"REPLY_WITHIN_SECONDS": "5"}),
    _Case("SQLite", "over REST", 1, 500, 10, 50, _BY_REST),
    _Case("PostgreSQL", "over REST, two replicas", 2, 100, 15, 80, _BY_REST),
)

_TEXT = f"""\
Every message is a user's of its own; the model takes {THINK * 1000:.0f} ms. Overhead is the time from when the webhook
was due to the answer's arrival at Twilio, without the model's: in the webhook's own response, as it is when nothing is
set, or by a message over REST, as late answers and all further parts are. Providers and users are one process, the
runtime another; two cores carry them all, and PostgreSQL too. Then {CROWD:,} users write to a model that never answers,
and the process is killed and started again."""


def section(_installations: Installations) -> Section:
    """Overhead on both stores, then the crowd."""
    rows, targets = [], []
    with stage() as place:
        for case in CASES:
            rounds = []
            for number in range(ROUNDS):
                rounds.append(_overhead(place, case))
                p50, p99 = rounds[-1]["p50_ms"], rounds[-1]["p99_ms"]
                progress(f"round {number + 1} of {ROUNDS}: {case.name}: overhead p50 {p50:.1f} ms, p99 {p99:.1f} ms")
            seen = min(rounds, key=lambda seen: seen["p50_ms"] + seen["p99_ms"])
            rows.append([case.name, f"{seen['p50_ms']:.1f} ms", f"{seen['p99_ms']:.1f} ms"])
            targets += [
                at_most(f"overhead p50 at {case.name}", seen["p50_ms"], case.p50, "ms"),
                at_most(f"overhead p99 at {case.name}", seen["p99_ms"], case.p99, "ms"),
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


def _overhead(place: Stage, case: _Case) -> dict[str, Any]:
    traffic = place.traffic()
    traffic.order(think=THINK)
    database = place.database(case.store)
    servers = [place.runtime(database, traffic, **case.settings) for _ in range(case.replicas)]
    add_bots(servers[0])
    urls = [server.url for server in servers]
    for seconds in (2, SECONDS):
        messages = case.rate * seconds
        traffic.write(urls, messages, case.rate, messages, HELD_CONNECTIONS)
        seen = traffic.answers(messages)
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
