"""What was measured, as Markdown: the targets with what was reached, then each section with when and where it was.

Measuring everything takes more than an hour, so sections can be measured one by one. Each is kept as a file of
`results/` with the commit, day and machine of its run, and RESULTS.md is written from all of them.
"""

from __future__ import annotations

import json
import platform
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from os import SCHED_OTHER, cpu_count, getloadavg, sched_getscheduler
from pathlib import Path
from typing import Any

from bench.measure import Runs
from bench.sandbox import ROOT

KEPT = Path(__file__).with_name("results")
"""A section's name → its newest results."""
RESULTS = Path(__file__).with_name("RESULTS.md")
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


_HEAD = """\
# Measured

Each section was measured in a run of its own, on the machine and at the commit that stand below its title; `make bench`
measures all of them, `make bench SECTION=plan` one. Whole processes over loopback, providers and bot store in processes
and files of their own. Cases of a table run in turns, after one run of each that does not count; results compare by the
best run. Peak memory is the kernel's count of resident bytes, in MB of 1,000,000."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A section's results, with where they come from."""

    section: Section
    origin: str
    """Day, commit and machine of the run."""

    @classmethod
    def now(cls, section: Section, seconds: float) -> Measured:
        """What a run of some seconds has just found."""
        return cls(section, _origin(seconds))

    def keep(self, name: str) -> None:
        """Writes it as the newest results of the section with this name."""
        KEPT.mkdir(exist_ok=True)
        text = json.dumps(asdict(self), ensure_ascii=False, indent=1)
        (KEPT / f"{name}.json").write_text(f"{text}\n", encoding="utf-8")

    @classmethod
    def kept(cls, name: str) -> Measured | None:
        """The newest results of a section; None where it was never measured."""
        try:
            found = json.loads((KEPT / f"{name}.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return cls(_section(found["section"]), found["origin"])


def write_results(names: Sequence[str]) -> None:
    """Writes RESULTS.md from what is kept of the sections."""
    kept = [found for name in names if (found := Measured.kept(name)) is not None]
    RESULTS.write_text(markdown(kept), encoding="utf-8")


def markdown(measured: Sequence[Measured]) -> str:
    """The report of some sections."""
    lines = [_HEAD, ""]
    targets = [target for one in measured for target in one.section.targets]
    if targets:
        rows = [[target.promise, target.measured, "yes" if target.held else "**no**"] for target in targets]
        lines += ["## Targets", "", *_table(Table(("target", "measured", "held"), rows)), ""]
    for one in measured:
        lines += [f"## {one.section.title}", "", one.origin, ""]
        for text, table in ((one.section.text, one.section.table), *one.section.further):
            lines += [text, "", *_table(table), ""]
    return "\n".join(lines).rstrip() + "\n"


def _section(found: Mapping[str, Any]) -> Section:
    further = [(text, Table(**table)) for text, table in found["further"]]
    targets = [Target(**target) for target in found["targets"]]
    return Section(found["title"], found["text"], Table(**found["table"]), targets, further)


def _origin(seconds: float) -> str:
    now = datetime.now(tz=UTC)
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return (
        f"*{now:%Y-%m-%d %H:%M} UTC, commit {_commit()}, {seconds / 60:.0f} min. {_processor()}, {cpu_count()} cores,"
        f" Linux {platform.release().partition('-')[0]}, load at the end {getloadavg()[0]:.1f}{_priority()}. Python"
        f" {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {packages}.*"
    )


def _table(table: Table) -> Iterator[str]:
    yield f"| {' | '.join(table.head)} |"
    yield f"|{'|'.join('---' if index == 0 else '---:' for index in range(len(table.head)))}|"
    for row in table.rows:
        yield f"| {' | '.join(row)} |"


def _commit() -> str:
    """Its name, and whether anything but results has changed since."""
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!bench/RESULTS.md", ":!bench/results")
    return (_git("rev-parse", "--short", "HEAD") or "unknown") + ("-dirty" if changed else "")


def _git(*arguments: str) -> str:
    asked = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return asked.stdout.strip()


def _priority() -> str:
    return "" if sched_getscheduler(0) == SCHED_OTHER else "; at real-time priority, since other work was running"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
