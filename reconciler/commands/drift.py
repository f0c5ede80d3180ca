"""`reconcile drift`: what was changed live, behind git's back. Quiet when nothing was; repairs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import click

from reconciler.commands.planning import load_fleet, tell_of_missing_store
from reconciler.commands.printing import FORMATS, Format, rendered, write
from reconciler.drift.edits import with_edits
from reconciler.errors import Exit, ReconcileError
from reconciler.model import Plan
from reconciler.observation.observe import observe
from reconciler.planning.plan import Scope, make_plan
from reconciler.settings import Settings


@dataclass(frozen=True, slots=True)
class DriftOptions:
    """The command's options."""

    clients: tuple[str, ...]
    output: Format | Literal["prometheus"]
    out: str | None
    notify: tuple[str, ...]
    pushgateway: str | None


@click.command()
@click.option("--client", "clients", multiple=True, metavar="ID", help="Look at this client only; may be repeated.")
@click.option(
    "--format", "output", type=click.Choice([*FORMATS, "prometheus"]), default="text", help="How it is shown."
)
@click.option("--out", type=click.Path(dir_okay=False, writable=True), help="Write it to this file instead.")
@click.option("--notify", multiple=True, metavar="URL", help="Tell this address (Apprise) what is news; repeatable.")
@click.option("--pushgateway", metavar="URL", help="Push the metrics to this Prometheus Pushgateway as well.")
@click.pass_context
def drift(ctx: click.Context, /, **options: Any) -> None:
    """Say what was changed live, behind git's back; exit 2 when something was.

    Changes that git made and nobody has applied yet are not drift: `reconcile --dry-run` shows them.
    """
    ctx.exit(_drift(DriftOptions(**options)))


def _drift(options: DriftOptions) -> Exit:
    """What was found is shown before anything else can fail."""
    settings, fleet = load_fleet(options.clients, is_quiet=True)
    channels = [*settings.drift_notify, *options.notify]
    if channels:
        from reconciler.drift.notify import check_channels

        check_channels(channels)
    live_state = observe(fleet, settings, only=options.clients)
    tell_of_missing_store(live_state, settings)
    found = with_edits(
        drifted(make_plan(fleet, live_state, settings, Scope(only=options.clients))), live_state, settings
    )
    _show(found, options)
    problems = [*_push(found, options), *_notify(found, channels, options, settings)]
    for problem in problems:
        click.echo(problem, err=True)
    if problems or found.errors or found.unresolved:
        return Exit.ERROR
    return Exit.CHANGES if found.changes else Exit.OK


def drifted(plan: Plan) -> Plan:
    """The plan's part that somebody else's hand made necessary."""
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
