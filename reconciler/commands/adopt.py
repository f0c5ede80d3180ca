"""`reconcile adopt ID`: adopt objects created by hand for a client, although they differ from what is declared."""

from __future__ import annotations

import click

from reconciler.commands.completion import client_ids
from reconciler.commands.planning import load_fleet, observed, report_missing_store
from reconciler.errors import Busy, Exit, ReadFailed, ReconcileError
from reconciler.kinds.context import ClientContext
from reconciler.manifest import Fleet, Manifest
from reconciler.model import Plan
from reconciler.observation.live_state import Failed
from reconciler.observation.sources import OBJECTS
from reconciler.planning.desired import desired_client
from reconciler.planning.digest import digest
from reconciler.planning.guards import check_account
from reconciler.planning.requested_adoption import Takeover, take_over_as_it_is
from reconciler.planning.unresolved import damaged_of
from reconciler.settings import Settings
from terminal.questions import can_ask, confirm


@click.command()
@click.argument("client", metavar="ID", shell_complete=client_ids)
@click.option("--yes", is_flag=True, help="Do not ask; needed where there is no terminal.")
@click.pass_context
def adopt(ctx: click.Context, client: str, yes: bool) -> None:
    """Adopt objects that were created by hand for a client, although they differ from its manifest.

    Puts our marker on them and changes nothing else; the next plan shows the differences. Objects with the marker of
    another tool are refused.
    """
    settings, fleet = load_fleet((client,))
    manifest = next(manifest for manifest in fleet.clients if manifest.client.id == client)
    if not (yes or can_ask()):
        raise ReconcileError("There is no terminal to ask on: add --yes to adopt.")
    found = _look(manifest, settings)
    click.echo(_text(client, found), nl=False)
    if not found.adoptions:
        ctx.exit(Exit.OK)
    if not yes:
        confirm(f"Adopt {len(found.adoptions)} objects?")
    ctx.exit(_apply(manifest, settings, digest(found.plan())))


def _look(manifest: Manifest, settings: Settings) -> Takeover:
    live_state = observed(Fleet((manifest,)), settings, only=(manifest.client.id,))
    report_missing_store(live_state, settings)
    if isinstance(live_state.store, Failed):
        raise ReadFailed(live_state.store.message)
    check_account(live_state)
    for engine, read in live_state.objects.items():
        if isinstance(read, Failed) and manifest.client.assistant.engine == engine:
            raise ReadFailed(f"{OBJECTS[engine]}: {read.message}")
    context = ClientContext(desired_client(manifest, settings), live_state, live_state.store, settings)
    for unread in damaged_of(context):
        raise ReadFailed(f"{unread.source}: {unread.failed.message}")
    return take_over_as_it_is(context)


def _apply(manifest: Manifest, settings: Settings, agreed: str) -> Exit:
    """Observe again under the lease, and adopt exactly what was shown."""
    from reconciler.applying.session import apply_under_lease
    from reconciler.render.text import outcomes_text

    def agreed_plan() -> Plan:
        plan = _look(manifest, settings).plan()
        if digest(plan) != agreed:
            raise Busy("Something changed meanwhile, so nothing was adopted; run the command again to see it.")
        return plan

    applied = apply_under_lease(settings, agreed_plan)
    click.echo(outcomes_text(applied.outcomes), nl=False)
    if applied.exit_code is Exit.OK:
        click.echo("`reconcile --dry-run` shows what differs from the manifest.")
    return applied.exit_code


def _text(client: str, found: Takeover) -> str:
    lines = [f"{client} adopts:"] if found.adoptions else [f"{client}: nothing is left to adopt."]
    lines += [f"  {change.kind:<9}  {change.live_id}  ({change.key})" for change in found.adoptions]
    lines += [f"Note: {note}." for note in found.notes]
    return "\n".join(lines) + "\n"
