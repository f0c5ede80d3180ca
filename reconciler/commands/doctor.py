"""`reconcile doctor ID`: why a client does not answer. Read-only."""

from __future__ import annotations

from collections.abc import Sequence

import click

from reconciler.commands.completion import client_ids
from reconciler.commands.planning import load_fleet, observed
from reconciler.commands.printing import colour_wanted
from reconciler.doctor.chain import Patient, examine
from reconciler.doctor.link import Link
from reconciler.errors import Exit, ReadFailed
from reconciler.manifest import Fleet
from reconciler.observation.live_state import Failed
from reconciler.render.wording import visible
from reconciler.settings import Settings
from reconciler.status.budget import budget_status
from reconciler.status.facts import bot_of
from runtime.store.activity_records import ActivityRecord, SpentRecord
from runtime.store.client.history import read_activity, read_spent
from runtime.store.errors import StoreError
from terminal.language import label, said


@click.command()
@click.argument("client", metavar="ID", shell_complete=client_ids)
@click.option("--report", is_flag=True, help="Record the result in the bot store, for the console.")
@click.pass_context
def doctor(ctx: click.Context, client: str, report: bool) -> None:
    """Check each link of the chain from a user's phone to the answer, and name the first broken one with its fix.

    Exit 0 when every link is intact, 1 when one is broken. Nothing is changed and no message is sent.
    """
    settings, fleet = load_fleet((client,), only_valid=True)
    manifest = next(manifest for manifest in fleet.clients if manifest.client.id == client)
    live_state = observed(Fleet((manifest,)), settings, only=(client,), whole_senders=True)
    if isinstance(live_state.store, Failed):
        raise ReadFailed(f"✗ store: {live_state.store.message}")
    bot = bot_of(manifest, live_state.store)
    activity = _activity(settings, bot.id) if bot else None
    links: list[Link] = []
    budget = budget_status(fleet, manifest, _spent(settings, client)) if manifest.client.budget is not None else None
    for link in examine(Patient(manifest, live_state, live_state.store, activity, settings, budget)):
        links.append(link)
        click.echo(_line(link))
    click.echo(_verdict(client, links))
    if report:
        from reconciler.commands.recording import record_links

        record_links(settings, client, links)
    ctx.exit(Exit.ERROR if any(link.ok is False for link in links) else Exit.OK)


def _activity(settings: Settings, bot_id: str) -> ActivityRecord | None:
    try:
        activity = read_activity(settings.bot_store_url, settings.api_token, settings.timeout)
    except StoreError as error:
        raise ReadFailed(f"✗ store: {error}") from error
    return next((item for item in activity if item.bot_id == bot_id), None)


def _spent(settings: Settings, client: str) -> SpentRecord | None:
    try:
        spent = read_spent(settings.bot_store_url, settings.api_token, settings.timeout)
    except StoreError as error:
        raise ReadFailed(f"✗ store: {error}") from error
    return next((item for item in spent if item.client == client), None)


def _line(link: Link) -> str:
    sign, colour = {True: ("ok", "green"), False: ("✗ ", "red"), None: ("– ", None)}[link.ok]
    shown = click.style(sign, fg=colour) if colour_wanted() and colour else sign
    return f"{shown}  {_name(link)}: {said(visible(link.says)).rstrip('.')}."


def _verdict(client: str, links: Sequence[Link]) -> str:
    broken = next((link for link in links if link.ok is False), None)
    if broken is None:
        return said(f"\nEvery link is intact: a message to {client} gets an answer.")
    return said(f"\nThe first broken link is `{_name(broken)}`: {visible(broken.says).rstrip('.')}. {broken.fix}")


def _name(link: Link) -> str:
    """Its name in the language of the operator; a function's has the function's own in it."""
    return said(label(link.name))
