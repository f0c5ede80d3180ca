"""`reconcile`: plan, show, ask, apply."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import click

from reconciler.commands.planning import begin_reading, checked_fleet, observed, report_missing_store
from reconciler.commands.printing import Format, colour_wanted, rendered, write
from reconciler.drift.edits import with_edits
from reconciler.errors import Busy, Exit, ReconcileError
from reconciler.manifest import Fleet, Manifest
from reconciler.model import Outcome, Plan
from reconciler.observation.live_state import LiveState
from reconciler.observation.observe import Begun, begin
from reconciler.observation.sources import read_store, store_exists
from reconciler.planning.digest import digest
from reconciler.planning.guards import Limits, check
from reconciler.planning.plan import Scope, make_plan
from reconciler.settings import Settings, load_settings
from reconciler.streams import print_error
from runtime.store.errors import StoreError


@dataclass(frozen=True, slots=True)
class ReconcileOptions:
    """The command's options."""

    dry_run: bool
    yes: bool
    expect: str | None
    output: Format
    out: str | None
    html: str | None
    """A file that also gets the plan, as HTML and never cut."""
    report: bool
    """Whether the result is recorded for the console."""
    detailed_exitcode: bool
    verbose: bool
    deadline: int
    """Seconds after which no further change is begun."""
    scope: Scope
    limits: Limits


@dataclass(frozen=True, slots=True)
class Looked:
    """The declared and the live state at one time, and the plan that follows from them."""

    fleet: Fleet
    live_state: LiveState
    plan: Plan


def reconcile(options: ReconcileOptions) -> Exit:
    """Run it. The exit code is computed once, from what happened, after everything is shown."""
    _check_usage(options)
    at_once = not options.dry_run and (options.yes or options.expect is not None)
    with _failure_shown(options):
        settings = load_settings()
        with begin_reading(settings) as reading:
            # A plan that is applied without asking is made under the lease, from what is read under it. No PUBLIC_URL,
            # no call.
            begun = None if at_once or settings.public_url is None else begin(settings)
            fleet = checked_fleet(reading.fleet(), settings, options.scope.only)
    if options.dry_run:
        return _dry_run(options, settings, fleet, begun)
    # Without a store, the plan is checked before one is created: this may be the wrong folder.
    if at_once and _store_exists(settings):
        return _apply(options, settings, fleet, agreed=None)
    looked = _look(fleet, settings, options, begun)
    if not at_once:
        looked = _with_estimates(looked, settings)
    if not at_once or options.output == "text":
        _show(looked.plan, options)
    _check_expected(looked.plan, options)
    check(looked.plan, fleet, looked.live_state, options.limits)
    if not looked.plan.work:
        if at_once:
            _show_outcomes(looked.plan, (), options)
        return Exit.ERROR if looked.plan.errors or looked.plan.unresolved else Exit.OK
    if not at_once:
        from terminal.questions import confirm

        confirm(_question(looked.plan))
    return _apply(options, settings, fleet, agreed=looked.plan, before=looked if at_once else None)


def _check_usage(options: ReconcileOptions) -> None:
    if options.detailed_exitcode and not options.dry_run:
        raise click.UsageError("--detailed-exitcode goes with --dry-run.")
    if options.html is not None and not options.dry_run:
        raise click.UsageError("--html goes with --dry-run.")
    if options.scope.prune and options.scope.only:
        raise click.UsageError("--prune concerns all clients; leave --client out.")
    if options.expect is not None and not re.fullmatch(r"[0-9a-f]{64}", options.expect):
        raise Busy("--expect takes the 64 hex digits that a plan prints as its digest; nothing was applied.")
    if options.dry_run or options.yes or options.expect:
        return
    from terminal.questions import can_ask  # for a run that asks

    if not can_ask():
        raise ReconcileError("There is no terminal to ask on: add --yes to apply, or --dry-run to see the plan only.")


def _store_exists(settings: Settings) -> bool:
    try:
        return store_exists(settings)
    except StoreError as error:
        raise ReconcileError(str(error)) from error


def _dry_run(options: ReconcileOptions, settings: Settings, fleet: Fleet, begun: Begun | None) -> Exit:
    with _failure_shown(options):
        looked = _with_estimates(_look(fleet, settings, options, begun), settings)
    _show(looked.plan, options)
    if options.html is not None:
        write(rendered(looked.plan, "html"), options.html)
    if options.report:
        from reconciler.commands.recording import record_plan

        chosen, is_all = _chosen(fleet, options), not options.scope.only
        record_plan("plan", settings, looked.plan, chosen, live_state=looked.live_state, is_whole_run=is_all)
    _check_expected(looked.plan, options)
    check(looked.plan, fleet, looked.live_state, options.limits)
    if looked.plan.errors or looked.plan.unresolved:
        return Exit.ERROR
    return Exit.CHANGES if options.detailed_exitcode and _is_pending(looked) else Exit.OK


def _is_pending(looked: Looked) -> bool:
    """Whether anything is left to do, or waited for. That a paused client is not ready is known: it need not answer."""
    paused = {manifest.client.id for manifest in looked.fleet.clients if manifest.client.state == "paused"}
    return bool(looked.plan.changes or set(looked.plan.withheld) - paused)


def _apply(
    options: ReconcileOptions, settings: Settings, fleet: Fleet, agreed: Plan | None, before: Looked | None = None
) -> Exit:
    """Observe again under the lease, and apply. `agreed` is the plan that was shown, `before` what this run observed
    when there was no store yet.
    """
    from reconciler.applying.session import apply_under_lease

    def agreed_plan() -> Plan:
        looked = _look_into_new_store(before, settings, options) if before else _look(fleet, settings, options)
        plan = looked.plan
        if agreed is None and options.output == "text":
            _show(plan, options)
        if agreed is not None and digest(plan) != digest(agreed):
            raise Busy("Something changed since the plan was shown, so nothing was applied; review the new plan.")
        _check_expected(plan, options)
        check(plan, fleet, looked.live_state, options.limits)
        return plan

    applied = apply_under_lease(
        settings,
        agreed_plan,
        deadline=options.deadline,
        verbose=options.verbose,
        as_json=options.output == "json",
    )
    _show_outcomes(applied.plan, applied.outcomes, options)
    if options.report:
        from reconciler.commands.recording import record_plan

        chosen, run = _chosen(fleet, options), applied.run_id if applied.plan.work else None
        record_plan("apply", settings, applied.plan, chosen, outcomes=applied.outcomes, run=run, is_whole_run=bool(run))
    return applied.exit_code


def _chosen(fleet: Fleet, options: ReconcileOptions) -> list[Manifest]:
    only = options.scope.only
    return [manifest for manifest in fleet.clients if not only or manifest.client.id in only]


def _look(fleet: Fleet, settings: Settings, options: ReconcileOptions, begun: Begun | None = None) -> Looked:
    live_state = observed(fleet, settings, only=options.scope.only, begun=begun)
    report_missing_store(live_state, settings)
    return Looked(
        fleet, live_state, with_edits(make_plan(fleet, live_state, settings, options.scope), live_state, settings)
    )


def _with_estimates(looked: Looked, settings: Settings) -> Looked:
    if not looked.plan.changes:
        return looked
    from reconciler.commands.estimating import with_estimates
    from reconciler.commands.shortening import with_deletions

    plan = with_estimates(looked.plan, looked.fleet, looked.live_state, settings)
    return replace(looked, plan=with_deletions(plan, looked.live_state, settings))


def _look_into_new_store(before: Looked, settings: Settings, options: ReconcileOptions) -> Looked:
    """The observation from just before the store was created. While the new store is empty, nothing was applied through
    it since, so the providers are not asked again about each sender of an entirely new fleet."""
    store = read_store(settings)
    if store.clients:
        return _look(before.fleet, settings, options)
    live_state = replace(before.live_state, store=store)
    plan = with_edits(make_plan(before.fleet, live_state, settings, options.scope), live_state, settings)
    return Looked(before.fleet, live_state, plan)


def _check_expected(plan: Plan, options: ReconcileOptions) -> None:
    """An empty plan has a digest too: when it is not the expected one, another plan was approved."""
    if options.expect is not None and digest(plan) != options.expect:
        raise Busy(
            f"The plan is not the expected one: its digest is {digest(plan)}, expected was {options.expect}. "
            "Nothing was applied; review the new plan first."
        )


def _question(plan: Plan) -> str:
    adopted = f"record {len(plan.adoptions)} objects that were created by hand" if plan.adoptions else ""
    if not plan.changes:
        return f"{adopted.capitalize()}?"
    return f"Apply {len(plan.changes)} changes" + (f" and {adopted}?" if adopted else "?")


@contextmanager
def _failure_shown(options: ReconcileOptions) -> Iterator[None]:
    """Where no plan can be made, the document for the pull request says why."""
    try:
        yield
    except ReconcileError as error:
        if options.dry_run and options.output == "markdown":
            from reconciler.render.markdown import failure_markdown

            write(failure_markdown(str(error)), options.out)
        raise


def _show(plan: Plan, options: ReconcileOptions) -> None:
    write(rendered(plan, options.output, to_file=options.out is not None, verbose=options.verbose), options.out)


def _show_outcomes(plan: Plan, outcomes: Sequence[Outcome], options: ReconcileOptions) -> None:
    try:
        if options.output != "text":
            write(rendered(plan, options.output, outcomes), options.out)
        elif plan.work:
            from reconciler.render.text import outcomes_text

            click.echo(outcomes_text(outcomes, colour=colour_wanted()), nl=False)
    except (OSError, ReconcileError) as error:
        if plan.work and not isinstance(error, BrokenPipeError):
            print_error("The changes were applied and their outcomes cannot be shown; `reconcile history` lists them.")
        raise
