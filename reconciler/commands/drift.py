"""`reconcile drift`: live changes that were made outside of git. Prints nothing when there are none; repairs
nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import click

from reconciler.commands.completion import client_ids
from reconciler.commands.planning import load_fleet, observed, report_missing_store
from reconciler.commands.printing import FORMATS, Format, rendered, write
from reconciler.drift.edits import with_edits
from reconciler.errors import Exit, ReconcileError
from reconciler.model import Plan
from reconciler.planning.guards import check_account
from reconciler.planning.plan import Scope, make_plan
from reconciler.settings import Settings
from reconciler.streams import print_error


@dataclass(frozen=True, slots=True)
class DriftOptions:
    """The command's options."""

    clients: tuple[str, ...]
    output: Format | Literal["prometheus"]
    out: str | None
    notify: tuple[str, ...]
    pushgateway: str | None


@click.command()
@click.option(
    "--client",
    "clients",
    multiple=True,
    metavar="ID",
    shell_complete=client_ids,
    help="Only this client; may be repeated.",
)
@click.option("--format", "output", type=click.Choice([*FORMATS, "prometheus"]), default="text", help="Output format.")
@click.option("--out", type=click.Path(dir_okay=False, writable=True), help="Write it to this file instead.")
@click.option(
    "--notify", multiple=True, metavar="URL", help="Notify this address (Apprise) of what is new; may be repeated."
)
@click.option("--pushgateway", metavar="URL", help="Push the metrics to this Prometheus Pushgateway as well.")
@click.pass_context
def drift(ctx: click.Context, /, **options: Any) -> None:
    """Report live changes that were made outside of git; exit 2 when there are any.

    Changes in git that are not applied yet are not drift: `reconcile --dry-run` shows them.
    """
    ctx.exit(_drift(DriftOptions(**options)))


def _drift(options: DriftOptions) -> Exit:
    """The findings are printed before anything else can fail."""
    settings, fleet = load_fleet(options.clients, is_quiet=True)
    channels = [*settings.drift_notify, *options.notify]
    if channels:
        from reconciler.drift.notify import check_channels

        check_channels(channels)
    live_state = observed(fleet, settings, only=options.clients)
    report_missing_store(live_state, settings)
    check_account(live_state)
    found = with_edits(
        drifted(make_plan(fleet, live_state, settings, Scope(only=options.clients))), live_state, settings
    )
    _show(found, options)
    problems = [*_push(found, options), *_notify(found, channels, options, settings)]
    for problem in problems:
        print_error(problem)
    if problems or found.errors or found.unresolved:
        return Exit.ERROR
    return Exit.CHANGES if found.changes else Exit.OK


def drifted(plan: Plan) -> Plan:
    """The part of the plan that undoes changes made outside of `reconcile`."""
    found = [change for change in plan.changes if change.reason in ("drift", "both")]
    return replace(plan, changes=found, adoptions=())


def _show(found: Plan, options: DriftOptions) -> None:
    if options.output == "prometheus":
        from reconciler.drift.metrics import metrics, text, write_textfile

        if options.out is None:
            write(text(metrics(found)))
        else:
            write_textfile(metrics(found), options.out)
    elif options.output != "text" or options.out or found.changes or found.errors or found.unresolved:
        write(rendered(found, options.output, to_file=options.out is not None), options.out)


def _push(found: Plan, options: DriftOptions) -> Sequence[str]:
    if options.pushgateway is None:
        return ()
    from reconciler.drift.metrics import metrics, push

    try:
        push(metrics(found), options.pushgateway)
    except ReconcileError as error:
        return (str(error),)
    return ()


def _notify(found: Plan, channels: Sequence[str], options: DriftOptions, settings: Settings) -> Sequence[str]:
    if not channels:
        return ()
    from reconciler.drift.notify import notify

    try:
        return notify(found, channels, options.clients, settings)
    except ReconcileError as error:
        return (str(error),)
