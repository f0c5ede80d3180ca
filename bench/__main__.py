"""`python -m bench [SECTION …]`: measures and prints a report; with --keep it becomes part of bench/RESULTS.md."""

from __future__ import annotations

import argparse
import compileall
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial

from bench import console, encryption, latency, month, plan, retention, saturation, trying, turns, voice, webhook
from bench.installation import Installations
from bench.measure import BenchError, progress
from bench.peers import section as peers
from bench.report import RESULTS, Measured, Section, markdown, write_results
from bench.sandbox import ROOT

SECTIONS: Mapping[str, Callable[[Installations], Section]] = {
    "plan": plan.section,
    "peers": peers.section,
    "latency": latency.plan_section,
    "apply": latency.apply_section,
    "webhook": webhook.section,
    "turns": turns.section,
    "saturation": saturation.section,
    "encryption": encryption.section,
    "voice": voice.section,
    "report": month.section,
    "trying": trying.section,
    "retention": retention.section,
    "console": console.section,
}
ROOMS = ("schemas", "reconciler", "runtime", "sandbox", "bench")


def main() -> int:
    """Measures the sections that were named, all without a name."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"any of: {', '.join(SECTIONS)}")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="saturation, retention and console in a few minutes: fewer steps, less in the store",
    )
    parser.add_argument(
        "--keep", action="store_true", help=f"write what was found into {RESULTS.relative_to(ROOT)}; not with --quick"
    )
    parser.add_argument("--beside", metavar="COMMIT", help="saturation of that commit, too, in turns with this one")
    arguments = parser.parse_args()
    saturated = partial(saturation.section, quick=arguments.quick, beside=arguments.beside)
    deleting = partial(retention.section, old=retention.QUICK if arguments.quick else retention.OLD)
    sections: dict[str, Callable[[Installations], Section]] = {
        **SECTIONS,
        "saturation": saturated,
        "retention": deleting,
        "console": partial(console.section, messages=console.QUICK if arguments.quick else console.MESSAGES),
    }
    chosen = arguments.sections or list(SECTIONS)
    for name in chosen:
        if name not in SECTIONS:
            parser.error(f"no section {name!r}; there are: {', '.join(SECTIONS)}")
    # Without bytecode on disk the first command of each would pay for the compiler.
    for room in ROOMS:
        compileall.compile_dir(ROOT / room, quiet=2)
    # Ended by a signal as by Ctrl-C: everything that was started is stopped.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    if arguments.keep and (arguments.quick or arguments.beside):
        parser.error("--keep is for the full form of this commit: leave --quick and --beside out")
    try:
        with ExitStack() as cleanup:
            installations = Installations(cleanup)
            for name in chosen:
                started = time.monotonic()
                measured = Measured.now(sections[name](installations), time.monotonic() - started)
                print(markdown([measured]), flush=True)
                if arguments.keep:
                    # At once: the next section may fail, after up to half an hour.
                    measured.keep(name)
                    write_results(list(SECTIONS))
                    progress(f"{name}: written to {RESULTS.relative_to(ROOT)}")
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
