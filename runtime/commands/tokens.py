"""`horizonai-whatsapp-bot token`: creates, lists and revokes the management API's tokens."""

from __future__ import annotations

import click

from runtime.commands.opening import configured, in_sentences


@click.group()
def token() -> None:
    """Tokens of the management API."""


@token.command("create")
@click.argument("name")
@click.option(
    "--scope",
    type=click.Choice(["read", "write"]),
    default="read",
    show_default=True,
    help="read: lists and plans; write also changes.",
)
def token_create(name: str, scope: str) -> None:
    """Create a token and print it once: only its digest is stored."""
    from runtime.store.database.once import run_once
    from runtime.store.tokens import create_token

    with in_sentences():
        run_once(configured().database_url, create_token, name, "write" if scope == "write" else "read", click.echo)
    click.echo(f"This is the token {name!r} ({scope}); it cannot be shown again.", err=True)


@token.command("list")
def token_list() -> None:
    """List tokens: name, scope, when created, whether revoked."""
    from runtime.store.database.once import run_once
    from runtime.store.tokens import list_tokens

    with in_sentences():
        found = run_once(configured().database_url, list_tokens)
    if not found:
        click.echo("There is no token yet; `horizonai-whatsapp-bot token create NAME` creates one.", err=True)
    for record in found:
        click.echo(f"{record.name}\t{record.scope}\t{record.created_at}\t{record.revoked_at or 'valid'}")


@token.command("revoke")
@click.argument("name")
def token_revoke(name: str) -> None:
    """Revoke a token at once."""
    from runtime.store.database.once import run_once
    from runtime.store.tokens import revoke_token

    with in_sentences():
        run_once(configured().database_url, revoke_token, name)
    click.echo(f"The token {name!r} is no longer valid.")
