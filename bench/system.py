"""One set-up under load: the runtime on a store, in one process or two, or a floor; with its users."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

from bench import history, postgresql
from bench.cpu import cpu_now
from bench.measure import BenchError
from bench.postgresql import Counters
from bench.sandbox import ROOT
from bench.service import Process, Stage, Traffic, add_bots

THINK_SECONDS = 0.2
CONNECTIONS = 512
PEOPLE = 6_000
"""Who have a history. They write in turns, so each of them seldom."""
STRANGERS = 99_999_999
"""People without one: none of them writes twice."""
REPORT_SECONDS = 1.2
"""After that PostgreSQL's backends have reported what they did."""
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Setup:
    """What is measured."""

    name: str
    store: str
    first: int
    """Rate at which raising begins."""
    replicas: int = 1
    has_history: bool = False
    floor: str = ""
    """Of `bench.answering_floors`; empty for the runtime."""
    rows: int = 0
    """Rows that the floor writes for a message beside its own."""
    checkout: Path = ROOT
    """Where the runtime's code is."""

    def at(self, checkout: Path, name: str) -> Setup:
        """The same at another commit."""
        return replace(self, checkout=checkout, name=f"{self.name}, at {name}")


@dataclass(frozen=True, slots=True)
class Overhead:
    """Milliseconds between a webhook's time and its answer's arrival at Twilio, without the model's."""

    p50: float
    p99: float


@dataclass(frozen=True, slots=True)
class Steady:
    """A rate that was held for a while."""

    rate: int
    overhead: Overhead
    cpu: dict[str, float]
    """Milliseconds of each group of processes for a message."""
    counters: Counters | None
    """For a message; None for SQLite."""
    top: list[tuple[str, float, float]]
    """Statements, with their calls and milliseconds for a message."""


class System:
    """A set-up that runs."""

    def __init__(self, place: Stage, setup: Setup) -> None:
        self._place = place
        self._setup = setup
        self._written = 0
        self._start()

    def overhead(self, rate: int, seconds: float) -> Overhead:
        """Users write for some seconds; raises BenchError when something was refused, lost or doubled. The system is
        another one then."""
        messages = max(round(rate * seconds), 1)
        try:
            self._write(messages, rate)
            seen = self._traffic.answers(messages, PATIENCE_SECONDS)
        except BenchError:
            self.end()
            self._start()
            raise
        return Overhead(seen["p50_ms"], seen["p99_ms"])

    def steady(self, rate: int, seconds: float) -> Steady:
        """The same, with what it took."""
        on_server = None if self._setup.store == "SQLite" else self._database
        messages = round(rate * seconds)
        pids = [server.popen.pid for server in self._servers]
        self.overhead(rate, 2)
        time.sleep(REPORT_SECONDS)
        if on_server:
            postgresql.reset_statements(on_server)
        before = postgresql.counters(on_server) if on_server else None
        cpu = cpu_now(pids, self._traffic.pid, on_server)
        overhead = self.overhead(rate, seconds)
        used = cpu_now(pids, self._traffic.pid, on_server).since(cpu)
        time.sleep(REPORT_SECONDS if on_server else 0)
        counted = postgresql.counters(on_server).per_message(before, messages) if on_server and before else None
        top = postgresql.top_statements(on_server, 12) if on_server else []
        return Steady(
            rate,
            overhead,
            {name: 1000 * value / messages for name, value in used.items()},
            counted,
            [(text, calls / messages, ms / messages) for text, calls, ms in top],
        )

    def end(self) -> None:
        """Kills what it started."""
        for server in self._servers:
            server.end()
        self._traffic.end()

    def _start(self) -> None:
        self._traffic: Traffic = self._place.traffic()
        self._traffic.order(think=THINK_SECONDS)
        self._database = self._place.database(self._setup.store)
        if self._setup.store != "SQLite":
            postgresql.count_statements(self._database)
        self._servers: list[Process] = self._started()
        self.overhead(self._setup.first, 2)

    def _started(self) -> list[Process]:
        setup, place = self._setup, self._place
        if setup.floor:
            return [place.answering_floor(setup.floor, self._database, self._traffic, setup.rows)]
        servers = [place.runtime_of(setup.checkout, self._database, self._traffic) for _ in range(setup.replicas)]
        bots = add_bots(servers[0])
        if setup.has_history:
            history.remember(self._database, bots, PEOPLE)
        return servers

    def _write(self, messages: int, rate: int) -> None:
        people = PEOPLE if self._setup.has_history else STRANGERS
        urls = [server.url for server in self._servers]
        self._traffic.write(urls, messages, rate, people, CONNECTIONS, first=self._written)
        self._written += messages
