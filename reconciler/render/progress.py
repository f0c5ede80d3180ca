"""The progress of reading, on a terminal only, and of an apply: a bar on a terminal, otherwise a line every ten seconds
and one for each failure. Always on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol

import click

from reconciler.model import Outcome
from reconciler.render.wording import visible

LINE_EVERY_SECONDS = 10.0


@contextmanager
def reading() -> Iterator[None]:
    """Show that sources are being read, and for how long; nothing where stderr is not a terminal, no trace later."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        progress.add_task("Reading the bot store, OpenAI and Twilio", total=None)
        yield


def following(
    outcomes: Iterable[Outcome], total: int, *, verbose: bool = False, as_json: bool = False
) -> Iterator[Outcome]:
    """Pass the outcomes through and show them as they come. `verbose` shows tracebacks on a terminal, too; `as_json`
    writes JSON where there is none: a program reads the result, and the log stands beside no text for people."""
    if total == 0:
        yield from outcomes
    elif sys.stderr.isatty():
        yield from _bar(outcomes, total, verbose)
    else:
        yield from _logged(outcomes, total, _JsonLog() if as_json else _TextLog())


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


class _Log(Protocol):
    """Where progress is written to line by line."""

    def failed(self, outcome: Outcome) -> None:
        """Write down a change that was not applied."""

    def applying(self, done: int, total: int) -> None:
        """Write down how far it got."""


class _TextLog:
    """For people."""

    def failed(self, outcome: Outcome) -> None:
        from reconciler.render.text import outcome_text

        click.echo(outcome_text(outcome), err=True)
        if outcome.trace:
            click.echo(visible(outcome.trace).rstrip("\n"), err=True)

    def applying(self, done: int, total: int) -> None:
        click.echo(f"applying: {done} of {total} changes are done.", err=True)


class _JsonLog:
    """For programs."""

    def failed(self, outcome: Outcome) -> None:
        from reconciler.logs import logger

        log = logger()
        log.warning(outcome.status, **_said_of(outcome))

    def applying(self, done: int, total: int) -> None:
        from reconciler.logs import logger

        log = logger()
        log.info("applying", done=done, of=total)


def _logged(outcomes: Iterable[Outcome], total: int, log: _Log) -> Iterator[Outcome]:
    told = time.monotonic()
    is_heard = True
    for done, outcome in enumerate(outcomes, start=1):
        is_due = time.monotonic() - told >= LINE_EVERY_SECONDS or done == total
        try:
            if is_heard and outcome.status != "applied":
                log.failed(outcome)
            if is_heard and is_due:
                told = time.monotonic()
                log.applying(done, total)
        except OSError:
            # A log on a full disk, or on a closed pipe, must not interrupt an apply that succeeds.
            is_heard = False
        yield outcome


def _said_of(outcome: Outcome) -> dict[str, str]:
    change = outcome.change
    said = {"client": change.client, "kind": change.kind, "action": change.action, "error": outcome.error or ""}
    return {**said, "traceback": outcome.trace} if outcome.trace else said
