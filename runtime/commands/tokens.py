"""`horizonai-whatsapp-bot token`: creates, lists and revokes the management API's tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runtime.commands.opening import configured, in_sentences

if TYPE_CHECKING:
    from runtime.store.tokens import TokenRecord

SCOPES = ("read", "write", "messages", "metrics")
"""Those of `runtime.store.tokens`, without importing it for a help text."""


@click.group()
def token() -> None:
    """Tokens of the management API."""


@token.command("create")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(SCOPES),
    multiple=True,
    default=["read"],
    show_default="read",
    help="read: lists and plans; write also changes; messages: also what people wrote; metrics: /metrics only. May be "
    "given more than once.",
)
@click.option("--client", "clients", multiple=True, metavar="ID", help="Only this client; may be given more than once.")
@click.option("--days", type=click.IntRange(1, 3650), help="How long it is valid; until it is revoked without this.")
def token_create(name: str, scopes: tuple[str, ...], clients: tuple[str, ...], days: int | None) -> None:
    """Create a token and print it once: only its digest is stored."""
    from runtime.store.database.once import run_once
    from runtime.store.tokens import SCOPES, NewToken, create_token

    new = NewToken(name, [scope for scope in SCOPES if scope in scopes], clients, days)
    with in_sentences():
        unknown = run_once(configured().database_url, create_token, new, click.echo)
    reach = f", only for {', '.join(clients)}" if clients else ""
    until = "" if days is None else f", for {days} days"
    click.echo(f"This is the token {name!r} ({', '.join(scopes)}{reach}{until}); it cannot be shown again.", err=True)
    if unknown:
        click.echo(f"No bot belongs to {', '.join(unknown)} so far; is the id right?", err=True)


@token.command("list")
def token_list() -> None:
    """List tokens: name, scope, when created, whether valid, clients, when last used (to ten minutes), when it ends."""
    from runtime.store.database.once import run_once
    from runtime.store.tokens import list_tokens

    with in_sentences():
        found = run_once(configured().database_url, list_tokens)
    if not found:
        click.echo("There is no token yet; `horizonai-whatsapp-bot token create NAME` creates one.", err=True)
    for record in found:
        click.echo("\t".join(_cells(record)))


def _cells(record: TokenRecord) -> tuple[str, ...]:
    return (
        record.name,
        " ".join(record.scopes),
        record.created_at,
        record.revoked_at or ("expired" if record.is_expired else "valid"),
        "all clients" if record.clients is None else " ".join(record.clients),
        f"used {record.last_used_at}" if record.last_used_at else "not used",
        f"until {record.expires_at}" if record.expires_at else "no expiry",
    )


@token.command("revoke")
@click.argument("name")
def token_revoke(name: str) -> None:
    """Revoke a token at once."""
    from runtime.store.database.once import run_once
    from runtime.store.tokens import revoke_token

    with in_sentences():
        run_once(configured().database_url, revoke_token, name)
    click.echo(f"The token {name!r} is no longer valid.")
