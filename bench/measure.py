"""Runs programs and takes their time, CPU time and peak memory.

Each round runs every case once, so that whatever else the machine does falls on all of them alike. A run that fails, or
says something else than it should, is an error and never a measurement.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

STOPWATCH = Path(__file__).with_name("stopwatch.py")


class BenchError(Exception):
    """Something could not be measured; the text says what and why."""


@dataclass(frozen=True, slots=True)
class Case:
    """A program to measure."""

    name: str
    command: Sequence[str | Path]
    folder: Path
    """Where it runs."""
    environment: Mapping[str, str] = field(default_factory=dict)
    says: str = ""
    """What it must say, on stdout or stderr, for the run to count."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a case."""

    seconds: float
    cpu_seconds: float
    peak_mb: float
    """Peak resident memory in units of 1,000,000 bytes."""


@dataclass(frozen=True, slots=True)
class Runs:
    """All runs of a case. Whole results compare by their best, which other work on the machine disturbs least."""

    runs: Sequence[Run]

    @property
    def best(self) -> float:
        """Seconds of the fastest run."""
        return min(run.seconds for run in self.runs)

    @property
    def median(self) -> float:
        """Median of the seconds."""
        return statistics.median(run.seconds for run in self.runs)

    @property
    def cpu(self) -> float:
        """Least CPU seconds."""
        return min(run.cpu_seconds for run in self.runs)

    @property
    def peak_mb(self) -> float:
        """Median peak memory."""
        return statistics.median(run.peak_mb for run in self.runs)


def measure(cases: Sequence[Case], rounds: int) -> dict[str, Runs]:
    """Runs all cases `rounds` times, in turns, after one run of each that does not count."""
    for case in cases:
        run_once(case)
    taken: dict[str, list[Run]] = {case.name: [] for case in cases}
    for number in range(rounds):
        for case in cases:
            taken[case.name].append(run_once(case))
        progress(f"round {number + 1} of {rounds}: " + ", ".join(f"{n} {r[-1].seconds:.2f}" for n, r in taken.items()))
    return {name: Runs(runs) for name, runs in taken.items()}


def run_once(case: Case) -> Run:
    """One run. Raises `BenchError` when it fails or does not say what it should."""
    with tempfile.TemporaryDirectory() as folder:
        report, output = Path(folder, "report"), Path(folder, "output")
        with output.open("wb") as out:
            subprocess.run(
                [sys.executable, "-I", "-S", STOPWATCH, report, *case.command],
                cwd=case.folder,
                env=environment(case.environment),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                check=True,
            )
        taken = json.loads(report.read_text(encoding="utf-8"))
        said = output.read_text(encoding="utf-8", errors="replace")
    code = taken.pop("exit_code")
    if code != 0 or case.says not in said:
        raise BenchError(_explained(case, code, said))
    return Run(**taken)


def environment(own: Mapping[str, str]) -> dict[str, str]:
    """What a measured program finds: the bare necessities and its own settings, nothing of the user who runs the
    bench."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TZ") if name in os.environ}
    return {**kept, "PYTHONUTF8": "1", **own}


def progress(text: str) -> None:
    """Reports progress on stderr; stdout is the result."""
    print(text, file=sys.stderr, flush=True)


def _explained(case: Case, code: int, said: str) -> str:
    expected = f" and it should say {case.says!r}" if case.says else ""
    end = "\n".join(f"  {line}" for line in said.splitlines()[-12:])
    return f"{case.name}: exit code {code}, which should be 0{expected}. The end of its output:\n{end}"
