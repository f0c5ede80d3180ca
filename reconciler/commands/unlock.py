"""`reconcile unlock`: releases the lease of a run that is known to have crashed."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime

import click

from reconciler.commands.planning import say_store_is_missing
from reconciler.errors import ReconcileError
from reconciler.observation.sources import store_exists
from reconciler.settings import Settings, load_settings
from runtime.store.client.history import read_lease
from runtime.store.errors import StoreError
from runtime.store.history_records import Lease
from terminal.questions import can_ask, confirm


@click.command()
@click.option("--yes", is_flag=True, help="Release it without asking; needed where there is no terminal.")
def unlock(yes: bool) -> None:
    """Release the lease of a run that is known to have crashed.

    A lease expires a minute after its run has ended. A run that still works stops when it notices.
    """
    settings = load_settings()
    try:
        held = read_lease(settings.bot_store_url, settings.api_token)
        if held is None and not store_exists(settings):
            say_store_is_missing(settings)
            return
        if held is None:
            click.echo("No lease is held.")
            return
        click.echo(_sentence(held))
        if not yes and not can_ask():
            raise ReconcileError("There is no terminal to ask on: add --yes to release it.")
        if not yes:
            confirm("Release it?")
        _release(held, settings)
    except StoreError as error:
        raise ReconcileError(str(error)) from error


def _release(held: Lease, settings: Settings) -> None:
    """Release that owner's lease only: one that was acquired since was not confirmed."""
    from runtime.store.client.writer import open_writer

    with closing(open_writer(settings.bot_store_url, settings.api_token)) as store:
        store.release_lease(held.owner)
        now = read_lease(settings.bot_store_url, settings.api_token)
    if now is not None:
        raise ReconcileError(f"Another run has acquired the lease since. {_sentence(now)}")
    click.echo("The lease is free.")


def _sentence(held: Lease) -> str:
    ended = datetime.fromisoformat(held.expires_at) <= datetime.now(tz=UTC)
    until = (
        f"expired at {held.expires_at}, so the next run may acquire it anyway" if ended else f"until {held.expires_at}"
    )
    return f"{held.owner} holds the lease since {held.acquired_at}, {until}."
