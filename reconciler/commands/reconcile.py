"""`reconcile`: plan, show, ask, apply."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

import click

from reconciler.commands.planning import load_fleet, plan_fleet
from reconciler.commands.printing import Format, colour_wanted, rendered, write
from reconciler.errors import Busy, Exit, ReconcileError
from reconciler.guards import Limits, check
from reconciler.manifest import Fleet
from reconciler.model import Outcome, Plan
from reconciler.plan import digest
from reconciler.settings import Settings


@dataclass(frozen=True, slots=True)
class Options:
    """The command's options."""

    dry_run: bool
    clients: tuple[str, ...]
    yes: bool
    output: Format
    out: str | None
    detailed_exitcode: bool
    max_deletes: int
    max_changes: int | None
    verbose: bool


def reconcile(options: Options) -> Exit:
    """Run it. The exit code is computed once, from what happened, after everything is shown."""
    settings, fleet = load_fleet(options.clients)
    limits = Limits(options.max_deletes, options.max_changes)
    if options.dry_run:
        return _dry_run(options, settings, fleet, limits)
    if not options.yes and not sys.stdin.isatty():
        raise ReconcileError("There is no terminal to ask on: add --yes to apply, or --dry-run to see the plan only.")
    if options.yes:
        return _apply(options, settings, fleet, limits, expected=None)
    plan = plan_fleet(fleet, settings, options.clients)
    _show(plan, options)
    check(plan, fleet, limits)
    if not plan.changes:
        return _exit_code(plan, ())
    click.confirm(f"Apply {len(plan.changes)} changes?", abort=True, err=True)
    return _apply(options, settings, fleet, limits, expected=plan)


def _dry_run(options: Options, settings: Settings, fleet: Fleet, limits: Limits) -> Exit:
    plan = plan_fleet(fleet, settings, options.clients)
    _show(plan, options)
    check(plan, fleet, limits)
    if plan.errors or plan.unresolved:
        return Exit.ERROR
    return Exit.CHANGES if plan.changes and options.detailed_exitcode else Exit.OK


def _apply(options: Options, settings: Settings, fleet: Fleet, limits: Limits, expected: Plan | None) -> Exit:
    """Take the lease, plan, show, apply. `expected` is the plan that a person said yes to."""
    from reconciler.apply import apply_plan
    from reconciler.history import recorded
    from reconciler.lease import lease
    from reconciler.render.progress import following
    from runtime.store.errors import StoreError
    from runtime.store.writer import open_writer

    stop = threading.Event()
    try:
        with (
            closing(open_writer(settings.bot_store_url, settings.api_token)) as store,
            lease(store, stop=stop) as owner,
            _stopped_by_signals(stop),
        ):
            plan = plan_fleet(fleet, settings, options.clients)
            if expected is None:
                if options.output == "text":
                    _show(plan, options)
                check(plan, fleet, limits)
            elif digest(plan) != digest(expected):
                raise Busy(
                    "Something changed since the plan was shown; nothing was applied. Look at the new plan first."
                )
            with recorded(store, plan, owner) as outcomes:
                for outcome in following(apply_plan(plan, fleet, settings, store, stop=stop), len(plan.changes)):
                    outcomes.append(outcome)
    except StoreError as error:
        raise ReconcileError(str(error)) from error
    _show_outcomes(plan, outcomes, options)
    return _exit_code(plan, outcomes)


def _show(plan: Plan, options: Options) -> None:
    write(rendered(plan, options.output, to_file=options.out is not None, verbose=options.verbose), options.out)


def _show_outcomes(plan: Plan, outcomes: Sequence[Outcome], options: Options) -> None:
    if options.output == "text":
        if plan.changes:
            from reconciler.render.text import outcomes_text

            click.echo(outcomes_text(outcomes, colour=colour_wanted()), nl=False)
        return
    write(rendered(plan, options.output, outcomes), options.out)


def _exit_code(plan: Plan, outcomes: Sequence[Outcome]) -> Exit:
    failed = bool(plan.errors or plan.unresolved) or any(outcome.status != "applied" for outcome in outcomes)
    if not failed:
        return Exit.OK
    return Exit.PARTIAL if any(outcome.status == "applied" for outcome in outcomes) else Exit.ERROR


@contextmanager
def _stopped_by_signals(stop: threading.Event) -> Iterator[None]:
    """The first Ctrl-C or SIGTERM lets calls in flight finish and be recorded; the second ends the program at once."""

    def first(number: int, _frame: object) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)
        click.echo("Stopping: calls in flight are finished and recorded. Once more to stop at once.", err=True)

    former = {number: signal.signal(number, first) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
