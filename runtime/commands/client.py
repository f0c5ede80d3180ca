"""`horizonai-whatsapp-bot client`: a client's data, given back and erased at the end."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runtime.commands.opening import actor, configured, in_sentences
from runtime.commands.person import IN_PART, say_receipt
from terminal.questions import can_ask, confirm

if TYPE_CHECKING:
    from runtime.privacy.client_erasure import ErasedClient
    from runtime.privacy.client_export import ExportedClient


@click.group(short_help="A client's data, given back and erased at the end.")
def client() -> None:
    """A client's data, given back and erased at the end of the service."""


@client.command("export", short_help="Write all that there is of a client, as a package.")
@click.argument("client_id", metavar="ID")
@click.option("--out", type=click.Path(path_type=Path), help="The file; ID.zip without it.")
@click.option("--no-media", is_flag=True, help="Without the files that people sent, which Twilio has.")
def client_export(client_id: str, out: Path | None, no_media: bool) -> None:
    """Write all that there is of the client ID, to give it back: conversations, usage, audit, campaigns, requests,
    receipts, files, as a ZIP file that only its owner may read. Blocked people are left out and counted. It works
    beside a running service; pause the client first for a package to which nothing is added any more."""
    path = Path(f"{client_id}.zip") if out is None else out / f"{client_id}.zip" if out.is_dir() else out
    try:
        with in_sentences():
            done = asyncio.run(_export(client_id, path, media=not no_media))
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror or error}. Check --out.") from error
    missing = f", {done.missing} missing" if done.missing else ""
    click.echo(f"{path}: {done.conversations} conversations, {done.files} files{missing}.")
    say_receipt(done.receipt)


@client.command("erase", short_help="Erase a client for good at the end of the service, everywhere.")
@click.argument("client_id", metavar="ID")
@click.option("--dry-run", is_flag=True, help="Only list what would be deleted.")
@click.option("--without-export", is_flag=True, help="The client wants nothing back: it was not exported.")
@click.option("--yes", is_flag=True, help="Do not ask; needed where there is no terminal.")
def client_erase(client_id: str, dry_run: bool, without_export: bool, yes: bool) -> None:
    """Delete for good what there is of the client ID, after `client export ID` and `state: absent`: conversations of
    all people, lists, files, in the store, at the model's provider, at the desk and at Twilio. Lists it first, and ends
    with a receipt, which has what remains and why.

    Refused while the client has a bot. Exit 4 when something could not be deleted elsewhere: the service continues with
    that.
    """
    if not (yes or dry_run or can_ask()):
        raise click.ClickException("There is no terminal to ask on: add --yes to delete, or --dry-run to list.")
    with in_sentences():
        asyncio.run(_list(client_id, without_export=without_export, only=dry_run))
    if dry_run:
        return
    if not yes:
        confirm(f"All of this will be deleted for good, of all people of {client_id}. Continue?")
    with in_sentences():
        done = asyncio.run(_erase(client_id, without_export=without_export))
    for item in done.receipt.document["done"]:
        click.echo(f"Deleted. {item['where']}: {item['count']} {item['what']}")
    say_receipt(done.receipt)
    if not done.is_complete:
        click.echo(
            "Not everything was deleted. The service tries the rest again (`person requests` has when).", err=True
        )
        sys.exit(IN_PART)


async def _list(client_id: str, *, without_export: bool, only: bool) -> None:
    """Prints what would be deleted; raises ClientStays where that is not possible, after the list."""
    from runtime.app import ending_clients
    from runtime.privacy.client_erasure import check

    async with ending_clients(configured()) as erasures:
        found = await erasures.contents(client_id)
    exported = f"receipt {found.exported.number} of {found.exported.at}" if found.exported else "never"
    click.echo(f"{client_id}, exported: {exported}")
    for name, count in found.counts.items():
        click.echo(f"  {count:>6} {name}")
    click.echo("  at Twilio, at the desk, at the model's provider: all of these conversations")
    if not only:
        check(found, is_without_export=without_export)


async def _erase(client_id: str, *, without_export: bool) -> ErasedClient:
    from runtime.app import ending_clients

    def tell(count: int) -> None:
        if count % 1000 == 0:
            click.echo(f"{count} conversations …", err=True)

    async with ending_clients(configured()) as erasures:
        return await erasures.erase(client_id, actor(), is_without_export=without_export, tell=tell)


async def _export(client_id: str, path: Path, *, media: bool) -> ExportedClient:
    from runtime.app import handing_back

    async with handing_back(configured()) as exports:
        return await exports.write(client_id, actor(), path, media=media)
