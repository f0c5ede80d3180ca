"""`reconcile drift`: what was changed live, behind git's back. Read-only, quiet when nothing was."""

from __future__ import annotations

from dataclasses import replace

import click

from reconciler.commands.planning import load_fleet, plan_fleet
from reconciler.commands.printing import FORMATS, Format, rendered, write
from reconciler.errors import Exit
from reconciler.model import Plan
from reconciler.plan import Scope


@click.command()
@click.option("--client", "clients", multiple=True, metavar="ID", help="Look at this client only; may be repeated.")
@click.option("--format", "output", type=click.Choice(FORMATS), default="text", help="How it is shown.")
@click.pass_context
def drift(ctx: click.Context, clients: tuple[str, ...], output: Format) -> None:
    """Say what was changed live, behind git's back; exit 2 when something was.

    Changes that git made and nobody has applied yet are not drift: `reconcile --dry-run` shows them.
    """
    settings, fleet = load_fleet(clients)
    found = drifted(plan_fleet(fleet, settings, Scope(only=clients)))
    if output != "text" or found.changes or found.errors or found.unresolved:
        write(rendered(found, output))
    if found.errors or found.unresolved:
        ctx.exit(Exit.ERROR)
    ctx.exit(Exit.CHANGES if found.changes else Exit.OK)


def drifted(plan: Plan) -> Plan:
    """The plan's part that somebody else's hand made necessary."""
    return replace(plan, changes=[change for change in plan.changes if change.reason in ("drift", "both")])
