"""`horizonai-whatsapp-bot restored`: settles a store that comes from a backup, before it is served."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from runtime.commands.opening import actor, configured, in_sentences

if TYPE_CHECKING:
    from runtime.inbound.restored import Settled
    from runtime.settings import Settings


@click.command(short_help="Settle a restored backup, before it is served.")
def restored() -> None:
    """Ask Twilio which messages were answered since the backup from which the store was restored, so that no user is
    answered twice. Before `serve`, and while nothing serves the store. It may be repeated."""
    from runtime.store.audit import Entry, record
    from runtime.store.database.once import run_once

    with in_sentences():
        settings = configured()
        run_once(settings.database_url, record, actor(), Entry("settled", "store", "backup"))
        done = asyncio.run(_settle(settings))
    click.echo(
        f"Settled. Answered since the backup: {done.closed} messages that it has as unanswered, {done.stored} that it "
        f"does not have. Unanswered: {done.waiting}, which are answered once the store is served."
    )


async def _settle(settings: Settings) -> Settled:
    from runtime.app import restoring

    async with restoring(settings) as after_restore:
        return await after_restore.settle()
