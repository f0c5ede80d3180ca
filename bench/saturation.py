"""How much one machine carries, and what a message costs there: on SQLite, and on PostgreSQL beside its floors."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from bench import postgresql
from bench.beside import checkout
from bench.cpu import BACKENDS, REPLICAS, SERVER, USERS
from bench.installation import Installations
from bench.measure import BenchError, progress
from bench.ramp import Ramp, sustained
from bench.report import Section, Table, Target, at_least, at_most
from bench.service import Stage, stage
from bench.system import Setup, Steady, System

SERVED_MS, SATURATED_MS = 100.0, 250.0
"""p99 of the overhead up to which users are served well, and beyond which a set-up is saturated."""
STEADY_RATES = (80, 300)
SETUPS = (
    Setup("SQLite", "SQLite", 300),
    Setup("SQLite, history", "SQLite", 200, has_history=True),
    Setup("PostgreSQL, one replica", "PostgreSQL", 60),
    Setup("PostgreSQL, one replica, history", "PostgreSQL", 60, has_history=True),
    Setup("PostgreSQL, two replicas", "PostgreSQL", 60, replicas=2),
    Setup("PostgreSQL, two replicas, history", "PostgreSQL", 60, replicas=2, has_history=True),
)
JOBS_FLOOR = Setup("floor: procrastinate alone, as many row writes", "PostgreSQL", 60, floor="procrastinate")
INBOX_FLOORS = (
    Setup("floor: bare inbox on SQLite, group commit", "SQLite", 300, floor="inbox"),
    Setup("floor: bare inbox on PostgreSQL, group commit", "PostgreSQL", 200, floor="inbox"),
)
COUNTED = "PostgreSQL, one replica"
"""The set-up whose row writes the floor makes."""


@dataclass(frozen=True, slots=True)
class Form:
    """How thoroughly it is measured."""

    step_seconds: float
    steady_seconds: float
    growth: float
    precision: float
    tries: int
    ramp_seconds: float
    """After that a search ends with what it knows."""


FULL = Form(step_seconds=5, steady_seconds=10, growth=1.5, precision=1.1, tries=2, ramp_seconds=150)
QUICK = Form(step_seconds=2, steady_seconds=4, growth=2, precision=1.6, tries=1, ramp_seconds=20)

_TEXT = f"""\
The rate is raised until p99 of the overhead passes {SATURATED_MS:.0f} ms, then halved in between; a limit is passed
when two measurements pass it. The model takes 200 ms, answers go out over REST (`DEBOUNCE_SECONDS=0`,
`REPLY_WITHIN_SECONDS=0`). Without history each message is a new user's; with it, of one of 6,000 people with 60 items.
Providers and users are one process; two cores carry them all. Floors do a part of the work: procrastinate with a job
for each message and as many row writes as the runtime with one replica; an inbox without jobs, whose process commits
whatever waits together."""
_CPU_TEXT = f"""\
CPU per message in ms at a steady rate, by process: the replicas; PostgreSQL's backends; its other processes (WAL
writer, checkpointer); users and providers. Where p99 is beyond {SATURATED_MS:.0f} ms the rate is more than the set-up
carries."""
_COST_TEXT = """\
What PostgreSQL does for a message at {rate}/s: statements with those that begin and end transactions
(`pg_stat_statements`), transactions, rows inserted, updated or deleted (`pg_stat_database`), bytes of WAL. It is
{server}."""
_TOP_TEXT = "The statements of {name} at {rate}/s that are executed most, per message."


def section(_installations: Installations, *, quick: bool = False, beside: str | None = None) -> Section:
    """Everything; `beside` is a commit that is measured in turns with this one."""
    form = QUICK if quick else FULL
    with ExitStack() as cleanup:
        url, server = cleanup.enter_context(postgresql.server())
        place = cleanup.enter_context(stage())
        place.server = url
        setups: list[Setup] = []
        if beside is not None:
            other = cleanup.enter_context(checkout(beside, place.folder))
        for setup in SETUPS:
            setups += [setup] if beside is None else [setup.at(other, beside), setup]
        found = [_measured(place, setup, form) for setup in setups]
        counted = next(one for one in found if one.setup.name == COUNTED).slowest.counters
        rows = counted.rows if counted is not None else 0.0
        floors = [_with_rows(place, floor, rows, form) for floor in (JOBS_FLOOR, *INBOX_FLOORS)]
        found += [_measured(place, floor, form) for floor in floors]
    return _section(found, server, [] if quick else _targets(found))


@dataclass(frozen=True, slots=True)
class Found:
    """The results of a set-up."""

    setup: Setup
    served: int
    """Messages a second."""
    saturation: int
    is_bounded: bool
    """Whether the search ended for lack of time, so that it may carry more."""
    steady: Sequence[Steady]

    @property
    def slowest(self) -> Steady:
        """At the lowest rate that it carried; raises BenchError where it carried none."""
        if not self.steady:
            raise BenchError(f"{self.setup.name} does not carry {STEADY_RATES[0]}/s on this machine, as busy as it is")
        return self.steady[0]


def _measured(place: Stage, setup: Setup, form: Form) -> Found:
    system = System(place, setup)
    try:
        steady = [found for rate in STEADY_RATES if (found := _steady(system, setup, rate, form)) is not None]
        taken, is_bounded = _raised(system, setup, form)
    finally:
        system.end()
    served, saturation = sustained(taken, SERVED_MS), sustained(taken, SATURATED_MS)
    progress(f"{setup.name}: p99 within {SERVED_MS:.0f} ms up to {served}/s, saturated beyond {saturation}/s")
    return Found(setup, served, saturation, is_bounded, steady)


def _steady(system: System, setup: Setup, rate: int, form: Form) -> Steady | None:
    try:
        found = system.steady(rate, form.steady_seconds)
    except BenchError as error:
        progress(f"{setup.name}: {rate}/s not carried: {error}")
        return None
    cpu = " + ".join(f"{found.cpu[group]:.2f}" for group in (REPLICAS, BACKENDS, SERVER, USERS))
    progress(f"{setup.name}: {rate}/s, p99 {found.overhead.p99:.0f} ms, CPU {cpu} ms")
    return found


def _raised(system: System, setup: Setup, form: Form) -> tuple[dict[int, list[float]], bool]:
    """p99 by rate, and whether the time ended the search."""
    ramp = Ramp(setup.first, (SERVED_MS, SATURATED_MS), form.growth, form.precision, form.tries)
    taken: dict[int, list[float]] = {}
    began = time.monotonic()
    while (rate := ramp.next_rate(taken)) is not None:
        if time.monotonic() - began > form.ramp_seconds:
            return taken, True
        try:
            p99 = system.overhead(rate, form.step_seconds).p99
        except BenchError as error:
            progress(f"{setup.name}: {rate}/s: {error}")
            p99 = math.inf
        taken.setdefault(rate, []).append(p99)
        progress(f"{setup.name}: {rate}/s, p99 {p99:.0f} ms")
    return taken, False


def _with_rows(place: Stage, floor: Setup, rows: float, form: Form) -> Setup:
    """The floor with the rows that it lacks."""
    if floor.floor != JOBS_FLOOR.floor:
        return floor
    system = System(place, floor)
    try:
        alone = _steady(system, floor, STEADY_RATES[0], form)
    finally:
        system.end()
    own = alone.counters.rows if alone is not None and alone.counters is not None else 0.0
    return replace(floor, rows=max(round(rows - own), 0))


def _section(found: Sequence[Found], server: str, targets: Sequence[Target]) -> Section:
    rates = [
        [one.setup.name, f"{one.served}/s", f"{'≥ ' if one.is_bounded else ''}{one.saturation}/s"] for one in found
    ]
    table = Table(("", f"p99 ≤ {SERVED_MS:.0f} ms up to", f"p99 ≤ {SATURATED_MS:.0f} ms up to"), rates)
    cpu_head = ("", "p50 ms", "p99 ms", "replicas", "backends", "other processes", "users")
    cpu = [_cpu_row(one.setup, steady) for one in found for steady in one.steady]
    costs = [row for one in found if (row := _cost_row(one)) is not None]
    cost_head = ("", "statements", "transactions", "rows", "WAL bytes")
    further = [
        (_CPU_TEXT, Table(cpu_head, cpu)),
        (_COST_TEXT.format(rate=STEADY_RATES[0], server=server), Table(cost_head, costs)),
    ]
    slowest = next(one for one in found if one.setup.name == COUNTED).slowest
    if slowest.top:
        rows = [[f"`{text}`", f"{calls:.2f}", f"{ms:.3f}"] for text, calls, ms in slowest.top]
        text = _TOP_TEXT.format(name=COUNTED, rate=slowest.rate)
        further.append((text, Table(("", "calls", "ms"), rows)))
    return Section("Saturation", _TEXT, table, targets, further)


def _cpu_row(setup: Setup, steady: Steady) -> list[str]:
    cpu = [f"{steady.cpu[group]:.2f}" for group in (REPLICAS, BACKENDS, SERVER, USERS)]
    overhead = steady.overhead
    return [f"{setup.name}, {steady.rate}/s", f"{overhead.p50:.1f}", f"{overhead.p99:.1f}", *cpu]


def _cost_row(found: Found) -> list[str] | None:
    counted = next((one.counters for one in found.steady if one.rate == STEADY_RATES[0]), None)
    if counted is None:
        return None
    statements = "not counted" if counted.statements is None else f"{counted.statements:.1f}"
    return [
        found.setup.name,
        statements,
        f"{counted.transactions:.1f}",
        f"{counted.rows:.1f}",
        f"{counted.wal_bytes:,.0f}",
    ]


def _targets(found: Sequence[Found]) -> list[Target]:
    by_name = {one.setup.name: one for one in found}
    sqlite, one, two = (by_name[name] for name in ("SQLite", "PostgreSQL, one replica", "PostgreSQL, two replicas"))
    targets = [
        at_least("PostgreSQL, two replicas, p99 ≤ 100 ms up to", two.served, 250, "/s"),
        at_least("PostgreSQL, one replica, saturation", one.saturation, 220, "/s"),
        at_least("SQLite, saturation", sqlite.saturation, 900, "/s"),
    ]
    low, high = STEADY_RATES
    for steady in (steady for steady in two.steady if steady.rate == low):
        targets += [
            at_most(f"PostgreSQL, two replicas, {low}/s, CPU of the replicas", steady.cpu[REPLICAS], 3.5, "ms"),
            at_most(f"PostgreSQL, two replicas, {low}/s, CPU of the backends", steady.cpu[BACKENDS], 2.0, "ms"),
        ]
    for steady in (steady for steady in sqlite.steady if steady.rate == high):
        targets.append(at_most(f"SQLite, {high}/s, CPU", steady.cpu[REPLICAS], 1.7, "ms"))
    for steady in (steady for steady in by_name["SQLite, history"].steady if steady.rate == high):
        targets += [
            at_most(f"SQLite, {high}/s, history, overhead p50", steady.overhead.p50, 12, "ms"),
            at_most(f"SQLite, {high}/s, history, overhead p99", steady.overhead.p99, 60, "ms"),
        ]
    return targets
