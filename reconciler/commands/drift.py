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
from reconciler.drift.model_ends import LAST_DAYS, ClientModelEnd, model_ends
from reconciler.errors import Exit, ReconcileError
from reconciler.model import Plan
from reconciler.planning.guards import check_account
from reconciler.planning.plan import Scope, make_plan
from reconciler.render.wording import finding_text
from reconciler.settings import Settings
from reconciler.streams import print_error, print_notice


@dataclass(frozen=True, slots=True)
class DriftOptions:
    """The command's options."""

    clients: tuple[str, ...]
    output: Format | Literal["prometheus"]
    out: str | None
    notify: tuple[str, ...]
    pushgateway: str | None
    report: bool


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
@click.option("--report", is_flag=True, help="Record the result in the bot store, for the console.")
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
    ends = model_ends(fleet, live_state, options.clients)
    _show(found, ends, options)
    for finding in found.reminders:
        print_notice(f"warning: {finding_text(finding)}")
    for one in ends:
        if one.end.days <= LAST_DAYS:
            print_notice(f"warning: {one.text}")
    if options.report:
        from reconciler.commands.recording import record_plan

        only = options.clients
        chosen = [manifest for manifest in fleet.clients if not only or manifest.client.id in only]
        record_plan("drift", settings, found, chosen, live_state=live_state)
    problems = [*_push(found, ends, options), *_notify(found, ends, channels, options, settings)]
    for problem in problems:
        print_error(problem)
    if problems or found.errors or found.unresolved:
        return Exit.ERROR
    return Exit.CHANGES if found.changes or found.lasting_drift else Exit.OK


def drifted(plan: Plan) -> Plan:
    """The part of the plan that undoes changes made outside of `reconcile`."""
    found = [change for change in plan.changes if change.reason in ("drift", "both")]
    return replace(plan, changes=found, adoptions=())


def _show(found: Plan, ends: Sequence[ClientModelEnd], options: DriftOptions) -> None:
    if options.output == "prometheus":
        from reconciler.drift.metrics import metrics, text, write_textfile

        if options.out is None:
            write(text(metrics(found, ends=ends)))
        else:
            write_textfile(metrics(found, ends=ends), options.out)
    elif options.output != "text" or options.out or _is_any(found):
        write(rendered(found, options.output, to_file=options.out is not None), options.out)


def _is_any(found: Plan) -> bool:
    """Whether there is anything to print."""
    return bool(found.changes or found.errors or found.unresolved or found.lasting_drift)


def _push(found: Plan, ends: Sequence[ClientModelEnd], options: DriftOptions) -> Sequence[str]:
    if options.pushgateway is None:
        return ()
    from reconciler.drift.metrics import metrics, push

    try:
        push(metrics(found, ends=ends), options.pushgateway)
    except ReconcileError as error:
        return (str(error),)
    return ()


def _notify(
    found: Plan,
    ends: Sequence[ClientModelEnd],
    channels: Sequence[str],
    options: DriftOptions,
    settings: Settings,
) -> Sequence[str]:
    if not channels:
        return ()
    from reconciler.drift.notify import notify

    try:
        return notify(found, ends, channels, options.clients, settings)
    except ReconcileError as error:
        return (str(error),)
