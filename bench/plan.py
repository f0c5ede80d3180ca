"""`reconcile validate` and `reconcile --dry-run` with nothing to change: start-up, cost of a client, memory."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from bench.installation import Installation, Installations
from bench.measure import Case, Runs, measure
from bench.report import TIMING_HEAD, Section, Table, Target, at_most, timing

ROUNDS: Mapping[int, int] = {3: 9, 1_000: 7, 10_000: 3}
"""Clients → rounds; a short run needs more of them to be distinguished from noise."""

_TEXT = """\
Manifests of about 51 lines with a 1–3 KB prompt, a function tool, a profile, metadata, and the leave for each recipient
of people's data: a check of them has no warning. The plan reads every manifest, the models and senders of the sandbox
(pages of 1,000) and the bot store in SQLite, and says that nothing changes. The lean script is the floor: the same
reads in 180 lines, every declared value compared with what is live and with what was applied last, without what makes a
tool. It is one process; reconcile reads a folder of 500 manifests or more with one for each processor, four at most:
CPU is the sum of them, and peak memory the largest one's."""


def section(installations: Installations) -> Section:
    """Measures every size."""
    taken = {count: _measure(installations.primed(count)) for count in ROUNDS}
    rows = [
        timing(f"{count:,} clients: {name}", runs) for count, results in taken.items() for name, runs in results.items()
    ]
    return Section("Validating and planning", _TEXT, Table(TIMING_HEAD, rows), _targets(taken))


def _measure(installation: Installation) -> dict[str, Runs]:
    cases = [installation.validate(), installation.plan(), installation.lean()]
    if installation.count == min(ROUNDS):
        cases.append(Case("python -c pass", [sys.executable, "-c", "pass"], installation.folder))
    return measure(cases, ROUNDS[installation.count])


def _targets(taken: Mapping[int, Mapping[str, Runs]]) -> list[Target]:
    def seconds(command: str, count: int, limit: float) -> Target:
        return at_most(f"`{command}`, {count:,} clients", taken[count][command].best, limit, "s")

    def megabytes(count: int, limit: float) -> Target:
        peak = taken[count]["reconcile --dry-run"].peak_mb
        return at_most(f"`reconcile --dry-run`, {count:,} clients, peak", peak, limit, "MB")

    def over_the_floor(count: int) -> Target:
        ratio = taken[count]["reconcile --dry-run"].best / taken[count]["lean script (floor)"].best
        return at_most(f"`reconcile --dry-run`, {count:,} clients, over the lean script", ratio, 1.2, "×")

    plan = {count: results["reconcile --dry-run"] for count, results in taken.items()}
    growth = plan[1_000].peak_mb - plan[3].peak_mb
    return [
        seconds("reconcile validate", 3, 0.25),
        seconds("reconcile validate", 1_000, 0.6),
        seconds("reconcile --dry-run", 3, 0.3),
        seconds("reconcile --dry-run", 1_000, 0.8),
        seconds("reconcile --dry-run", 10_000, 7.0),
        over_the_floor(1_000),
        over_the_floor(10_000),
        megabytes(1_000, 100),
        megabytes(10_000, 320),
        at_most("memory for 1,000 clients over a run with three", growth, 60, "MB"),
    ]
