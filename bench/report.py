"""What was measured, as Markdown: the machine, the targets with what was reached, a table for each section."""

from __future__ import annotations

import platform
import sqlite3
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from os import SCHED_OTHER, cpu_count, getloadavg, sched_getscheduler
from pathlib import Path

from bench.measure import Runs
from bench.sandbox import ROOT

_PACKAGES = ("pydantic", "PyYAML", "openai", "twilio", "SQLAlchemy", "aiohttp")


@dataclass(frozen=True, slots=True)
class Target:
    """Something that was promised, and whether it held in this run."""

    promise: str
    measured: str
    held: bool


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under a head."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Section:
    """One section's results."""

    title: str
    text: str
    """How it was measured, and what the reader must know to compare."""
    table: Table
    targets: Sequence[Target] = ()
    further: Sequence[tuple[str, Table]] = ()
    """More tables, each after what the reader must know."""


def at_most(promise: str, measured: float, limit: float, unit: str) -> Target:
    """A target that holds when the measured value is not above the limit."""
    return Target(f"{promise} ≤ {limit:g} {unit}", f"{measured:.3g} {unit}", measured <= limit)


def at_least(promise: str, measured: float, limit: float, unit: str) -> Target:
    """A target that holds when the measured value is not below the limit."""
    return Target(f"{promise} ≥ {limit:g}{unit}", f"{measured:.3g}{unit}", measured >= limit)


def timing(name: str, runs: Runs, *more: str) -> list[str]:
    """A row with the usual columns: name, best, median, CPU, peak memory."""
    return [name, f"{runs.best:.2f}", f"{runs.median:.2f}", f"{runs.cpu:.2f}", f"{runs.peak_mb:.0f}", *more]


TIMING_HEAD = ("", "best s", "median s", "CPU s", "peak MB")


def markdown(sections: Sequence[Section], seconds: float) -> str:
    """The whole report."""
    lines = ["# Measured", "", *_machine(seconds), ""]
    targets = [target for section in sections for target in section.targets]
    if targets:
        rows = [[target.promise, target.measured, "yes" if target.held else "**no**"] for target in targets]
        lines += ["## Targets", "", *_table(Table(("target", "measured", "held"), rows)), ""]
    for section in sections:
        for text, table in ((section.text, section.table), *section.further):
            heading = [f"## {section.title}", ""] if table is section.table else []
            lines += [*heading, text, "", *_table(table), ""]
    return "\n".join(lines).rstrip() + "\n"


def _machine(seconds: float) -> Iterator[str]:
    now = datetime.now(tz=UTC)
    yield (
        f"{now:%Y-%m-%d %H:%M} UTC, commit {_commit()}, one run of {seconds / 60:.0f} min, written by `make bench`. "
        f"{_processor()}, {cpu_count()} cores, Linux {platform.release().partition('-')[0]}, load at the end "
        f"{getloadavg()[0]:.1f}{_priority()}."
    )
    yield ""
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    yield f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {packages}."
    yield ""
    yield (
        "Whole processes over loopback, providers and bot store in processes and files of their own. Cases of a table "
        "run in turns, after one run of each that does not count; results compare by the best run. Peak memory is the "
        "kernel's count of resident bytes, in MB of 1,000,000."
    )


def _table(table: Table) -> Iterator[str]:
    yield f"| {' | '.join(table.head)} |"
    yield f"|{'|'.join('---' if index == 0 else '---:' for index in range(len(table.head)))}|"
    for row in table.rows:
        yield f"| {' | '.join(row)} |"


def _commit() -> str:
    asked = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() or "unknown"


def _priority() -> str:
    return "" if sched_getscheduler(0) == SCHED_OTHER else "; at real-time priority, since other work was running"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
