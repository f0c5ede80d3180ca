"""All peers beside `reconcile --dry-run`, in the same rounds, with nothing to change."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.installation import WORK, Installations
from bench.measure import Case, Runs, measure, progress
from bench.peers.kubectl import kubectl
from bench.peers.octodns import octodns
from bench.peers.packages import Unobtainable
from bench.peers.terraform import terraform
from bench.report import TIMING_HEAD, Section, Table, Target, at_least, timing

COUNT = 1_000
ROUNDS = 3
OURS = "reconcile --dry-run"


@dataclass(frozen=True, slots=True)
class Peer:
    """A program to compare with, and what it does differently."""

    name: str
    prepare: Callable[[Path, int], AbstractContextManager[list[Case]]]
    work: str
    promises: Sequence[float]
    """How many times faster than each of its cases we promise to be."""


PEERS = (
    Peer("octodns-sync", octodns, "zone files; both sides are YAML files, no call", (6, 1)),
    Peer("kubectl diff", kubectl, "config maps; one GET for each, eight at once, from a stand-in's memory", (1,)),
    Peer("terraform plan", terraform, "`terraform_data` resources; the live side is its own state file, no call", (1,)),
)

_TEXT = """\
Each program plans 1,000 unchanged things, each in a file of its own of about 2.8 KB. None does exactly this work, so a
ratio says how long one waits for a plan of a thousand, not whose code is better. What each one reads here:

- reconcile: 1,000 manifests; models and senders over HTTP, bots, assistants and last applied values from SQLite."""


def section(installations: Installations) -> Section:
    """Measures every peer that can be had."""
    ours = installations.primed(COUNT)
    missing: list[str] = []
    cases: dict[str, Sequence[Case]] = {}
    with ExitStack() as cleanup:
        folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(dir=WORK)))
        for peer in PEERS:
            progress(f"preparing {peer.name}")
            try:
                cases[peer.name] = cleanup.enter_context(peer.prepare(folder / peer.name, COUNT))
            except Unobtainable as error:
                missing.append(f"- {peer.name} is missing: {error}.")
        everything = [ours.plan(OURS), ours.lean(), *(case for several in cases.values() for case in several)]
        taken = measure(everything, ROUNDS)
    work = [f"- {peer.name}: {peer.work}." for peer in PEERS if peer.name in cases]
    rows = [timing(name, runs, f"{runs.best / taken[OURS].best:.2f}×") for name, runs in taken.items()]
    table = Table((*TIMING_HEAD, "time, ours = 1"), rows)
    return Section("Beside its peers", "\n".join([_TEXT, *work, *missing]), table, _targets(cases, taken))


def _targets(cases: Mapping[str, Sequence[Case]], taken: Mapping[str, Runs]) -> list[Target]:
    return [
        at_least(f"no-change plan of 1,000, faster than {case.name},", ratio, promise, "×")
        for peer in PEERS
        for case, promise in zip(cases.get(peer.name, ()), peer.promises, strict=False)
        for ratio in (taken[case.name].best / taken[OURS].best,)
    ]
