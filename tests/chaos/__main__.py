"""`python -m tests.chaos [--seed N] [--store sqlite|postgresql] [--keep FOLDER]`: the long form.

Exit code 1 on any violation. A run is repeated with its seed: the same messages, faults and times of the kills. What
the machine makes of them in between is its own.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.chaos.fleet import REPLICAS, NotStarted, fleet
from tests.chaos.report import stories, table
from tests.chaos.scenario import LONG, scenario
from tests.chaos.storm import Outcome, Storm
from tests.runtime.stores import SERVER, postgresql_answers
from tests.sandbox_process import start_sandbox


def main() -> int:
    """Runs the long form on the stores asked for and prints what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="of an earlier run, to repeat it")
    parser.add_argument("--store", choices=REPLICAS, action="append", help="only this one")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave ledgers, logs and the SQLite store there")
    arguments = parser.parse_args()
    seed = secrets.randbelow(1_000_000) if arguments.seed is None else arguments.seed
    outcomes: list[Outcome] = []
    skipped: list[str] = []
    broken = False
    for store in arguments.store or REPLICAS:
        if store == "postgresql" and not postgresql_answers():
            skipped.append(f"{store}: skipped, no server answers at {SERVER}; set TEST_POSTGRESQL_URL to one")
            continue
        try:
            outcomes.append(_run(store, seed, arguments.keep))
        except NotStarted as error:
            skipped.append(f"{store}: not played, {error}")
            broken = True
    print(table(outcomes, skipped))
    broken = broken or any(outcome.verdict.violations or any(outcome.exit_codes) for outcome in outcomes)
    return 1 if broken else 0


def _run(store: str, seed: int, keep: Path | None) -> Outcome:
    plan = scenario(LONG, seed, REPLICAS[store])
    kills = ", ".join(f"{kill.moment:.1f}" for kill in plan.kills)
    print(f"{store}: seed {seed}, kills at {kills} s", file=sys.stderr)
    with ExitStack() as cleanup:
        parent = keep or Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="chaos-")))
        folder = parent.resolve() / f"{store}-{seed}"
        sandbox = start_sandbox(folder / "sandbox")
        cleanup.callback(sandbox.stop)
        runtimes = cleanup.enter_context(fleet(folder / "runtime", sandbox, store, seed))
        outcome = Storm(plan, sandbox, runtimes, loud=True).play()
        print(file=sys.stderr)
        if outcome.verdict.violations:
            print(stories(outcome))
        return outcome


if __name__ == "__main__":
    sys.exit(main())
