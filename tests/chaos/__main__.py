"""`python -m tests.chaos [--seed N | --seeds N] [--store sqlite|postgresql] [--keep FOLDER]`: the long form.

Three seeds in a row, so that one of them plays without a pause (DEBOUNCE_SECONDS=0). Exit code 1 on any violation. A
run is repeated with its seed: the same messages, faults, times of the kills, and silences of replicas. What the machine
makes of them in between is its own.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.chaos.fleet import REPLICAS, NotStarted, fleet
from tests.chaos.people import SECRETS
from tests.chaos.report import stories, table
from tests.chaos.scenario import LONG, scenario
from tests.chaos.storm import Outcome, Storm
from tests.runtime.stores import SERVER, postgresql_answers
from tests.sandbox_process import start_sandbox


def main() -> int:
    """Runs the long form on the stores asked for and prints what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="of an earlier run, to repeat it")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="number of seeds, where none is given")
    parser.add_argument("--store", choices=REPLICAS, action="append", help="only this one")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave ledgers, logs and the SQLite store there")
    arguments = parser.parse_args()
    first = secrets.randbelow(1_000_000)
    seeds = range(first, first + arguments.seeds) if arguments.seed is None else [arguments.seed]
    outcomes: list[Outcome] = []
    skipped: list[str] = []
    broken = False
    for store in arguments.store or REPLICAS:
        if store == "postgresql" and not postgresql_answers():
            skipped.append(f"{store}: skipped, no server answers at {SERVER}; set TEST_POSTGRESQL_URL to one")
            continue
        for seed in seeds:
            try:
                outcomes.append(_run(store, seed, arguments.keep))
            except NotStarted as error:
                skipped.append(f"{store}: seed {seed} not played, {error}")
                broken = True
    print(table(outcomes, skipped))
    return 1 if broken or any(map(_is_broken, outcomes)) else 0


def _is_broken(outcome: Outcome) -> bool:
    found = (outcome.verdict.violations, outcome.people, outcome.proactive, outcome.miscounted)
    return any(found) or any(outcome.exit_codes)


def _run(store: str, seed: int, keep: Path | None) -> Outcome:
    plan = scenario(LONG, seed, REPLICAS[store])
    kills = ", ".join(f"{kill.moment:.1f}" for kill in plan.kills)
    print(f"{store}: seed {seed}, DEBOUNCE_SECONDS={plan.pause}, kills at {kills} s", file=sys.stderr)
    with ExitStack() as cleanup:
        parent = keep or Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="chaos-")))
        folder = parent.resolve() / f"{store}-{seed}"
        sandbox = start_sandbox(folder / "sandbox")
        cleanup.callback(sandbox.stop)
        settings = {"DEBOUNCE_SECONDS": plan.pause, **SECRETS}
        runtimes = cleanup.enter_context(fleet(folder / "runtime", sandbox, store, seed, **settings))
        outcome = Storm(plan, sandbox, runtimes, loud=True).play()
        print(file=sys.stderr)
        if outcome.verdict.violations:
            print(stories(outcome))
        for line in outcome.people:
            print(f"people: {line}")
        for line in outcome.proactive:
            print(f"proactive: {line}")
        for line in outcome.miscounted:
            print(f"miscounted: {line}")
        return outcome


if __name__ == "__main__":
    sys.exit(main())
