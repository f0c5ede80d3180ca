"""The progress of an apply: a bar on a terminal, otherwise a log line every ten seconds and one for each failure.
Always on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator

from reconciler.model import Outcome
from reconciler.render.wording import visible

LINE_EVERY_SECONDS = 10.0


def following(outcomes: Iterable[Outcome], total: int, *, verbose: bool = False) -> Iterator[Outcome]:
    """Pass the outcomes through and show them as they come. `verbose` shows tracebacks on a terminal, too."""
    if total == 0:
        yield from outcomes
    elif sys.stderr.isatty():
        yield from _bar(outcomes, total, verbose)
    else:
        yield from _logged(outcomes, total)


def _bar(outcomes: Iterable[Outcome], total: int, verbose: bool) -> Iterator[Outcome]:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Applying", total=total)
        for outcome in outcomes:
            progress.update(task, advance=1, description=f"Applying {outcome.change.client}")
            if verbose and outcome.trace:
                progress.console.print(visible(outcome.trace), markup=False, highlight=False)
            yield outcome


def _logged(outcomes: Iterable[Outcome], total: int) -> Iterator[Outcome]:
    from reconciler.logs import logger

    log = logger()
    told = time.monotonic()
    is_heard = True
    for done, outcome in enumerate(outcomes, start=1):
        is_due = time.monotonic() - told >= LINE_EVERY_SECONDS or done == total
        try:
            if is_heard and outcome.status != "applied":
                log.warning(outcome.status, **_said_of(outcome))
            if is_heard and is_due:
                told = time.monotonic()
                log.info("applying", done=done, of=total)
        except OSError:
            # A log on a full disk, or on a closed pipe, must not interrupt an apply that succeeds.
            is_heard = False
        yield outcome


def _said_of(outcome: Outcome) -> dict[str, str]:
    change = outcome.change
    said = {"client": change.client, "kind": change.kind, "action": change.action, "error": outcome.error or ""}
    return {**said, "traceback": outcome.trace} if outcome.trace else said
