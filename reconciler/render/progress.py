"""How far an apply is: a bar on a terminal, otherwise a log line for each change that is done. Always on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from reconciler.model import Outcome


def following(outcomes: Iterable[Outcome], total: int) -> Iterator[Outcome]:
    """Pass the outcomes through and show them as they come."""
    if total == 0:
        yield from outcomes
    elif sys.stderr.isatty():
        yield from _bar(outcomes, total)
    else:
        yield from _logged(outcomes)


def _bar(outcomes: Iterable[Outcome], total: int) -> Iterator[Outcome]:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Applying", total=total)
        for outcome in outcomes:
            progress.update(task, advance=1, description=f"Applying {outcome.change.client}")
            yield outcome


def _logged(outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
    from reconciler.logs import logger

    log = logger()
    for outcome in outcomes:
        change = outcome.change
        log.info(
            outcome.status,
            client=change.client,
            kind=change.kind,
            action=change.action,
            key=change.key,
            live_id=outcome.live_id,
            error=outcome.error,
        )
        yield outcome
