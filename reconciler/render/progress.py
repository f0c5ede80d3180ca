"""How far an apply is: a bar on a terminal, otherwise a log line every ten seconds and one for each failure. Always on
stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator

from reconciler.model import Outcome

LINE_EVERY_SECONDS = 10.0


def following(outcomes: Iterable[Outcome], total: int) -> Iterator[Outcome]:
    """Pass the outcomes through and show them as they come."""
    if total == 0:
        yield from outcomes
    elif sys.stderr.isatty():
        yield from _bar(outcomes, total)
    else:
        yield from _logged(outcomes, total)


def _bar(outcomes: Iterable[Outcome], total: int) -> Iterator[Outcome]:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Applying", total=total)
        for outcome in outcomes:
            progress.update(task, advance=1, description=f"Applying {outcome.change.client}")
            yield outcome


def _logged(outcomes: Iterable[Outcome], total: int) -> Iterator[Outcome]:
    from reconciler.logs import logger

    log = logger()
    told = time.monotonic()
    for done, outcome in enumerate(outcomes, start=1):
        if outcome.status != "applied":
            change = outcome.change
            log.warning(
                outcome.status, client=change.client, kind=change.kind, action=change.action, error=outcome.error
            )
        if time.monotonic() - told >= LINE_EVERY_SECONDS or done == total:
            told = time.monotonic()
            log.info("applying", done=done, of=total)
        yield outcome
