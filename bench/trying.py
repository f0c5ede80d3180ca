"""`reconcile test`: the cases of many clients asked of the model, and replayed from their recordings."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bench.installation import Installation, Installations
from bench.measure import measure, progress, run_once
from bench.report import TIMING_HEAD, Section, Table, at_most, timing

CLIENTS: Final = 40
CASES: Final = 5
"""Of each client."""
SECONDS: Final = 0.2
CONCURRENCY: Final = 8
"""Calls in flight, the default of `--concurrency`."""
ROUNDS: Final = 3

_TEXT = """\
200 cases of 40 clients, one question each, with 200 ms a call. Recording is bounded by the calls in flight, eight by
default; a replay makes no call and reads 200 recordings. Both hold every answer against three expectations."""

_CASE = """\
  caso-{number}:
    conversation:
      - say: "Hola, ¿me ayudas con la consulta número {number}?"
        expect: {{language: es, max_chars: 1000, not_contains: "tarjeta de crédito"}}
"""


def section(installations: Installations) -> Section:
    """One recording run of everything, then replays."""
    fleet = installations.empty(CLIENTS)
    _declare(fleet)
    fleet.sandbox.latency(SECONDS)
    progress(f"recording {CLIENTS * CASES} cases with {SECONDS * 1000:.0f} ms a call")
    says = f"{CLIENTS * CASES} cases: {CLIENTS * CASES} green"
    recorded = run_once(fleet.reconcile("test", "--record", says=says))
    fleet.sandbox.latency(0)
    replayed = measure([fleet.reconcile("test", name="replay", says=says)], ROUNDS)["replay"]
    bound = CLIENTS * CASES * SECONDS / CONCURRENCY
    rows = [
        [
            "reconcile test --record",
            f"{recorded.seconds:.2f}",
            f"{recorded.seconds:.2f}",
            f"{recorded.cpu_seconds:.2f}",
            f"{recorded.peak_mb:.0f}",
            f"{bound:.1f}",
        ],
        timing("reconcile test", replayed, "0"),
    ]
    targets = [
        at_most("trying 200 cases with 200 ms a call, over the bound,", recorded.seconds / bound, 1.3, "×"),
        at_most("replaying 200 cases", replayed.best, 2.0, "s"),
    ]
    return Section("Trying test cases", _TEXT, Table((*TIMING_HEAD, "bound s"), rows), targets)


def _declare(fleet: Installation) -> None:
    cases = "tests:\n" + "".join(_CASE.format(number=number) for number in range(CASES))
    for manifest in sorted(Path(fleet.folder, "clients.d").glob("*.yaml")):
        manifest.write_text(manifest.read_text(encoding="utf-8") + cases, encoding="utf-8")
