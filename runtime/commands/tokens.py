"""`horizonai-whatsapp-bot token`: creates, lists, exchanges and revokes the management API's tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runtime.commands.opening import actor, configured, in_sentences

if TYPE_CHECKING:
    from runtime.store.tokens import TokenRecord

SCOPES = ("read", "write", "messages", "campaigns", "privacy", "metrics")
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
    help="read: lists and plans; write also changes; messages: also what people wrote; campaigns: sends "
    "to lists, and with write marketing templates; privacy: finds, exports, blocks "
    "and erases people; metrics: /metrics only. May be given more than once.",
)
@click.option("--client", "clients", multiple=True, metavar="ID", help="Only this client; may be given more than once.")
@click.option("--days", type=click.IntRange(1, 3650), help="How long it is valid; until it is revoked without this.")
def token_create(name: str, scopes: tuple[str, ...], clients: tuple[str, ...], days: int | None) -> None:
    """Create a token and print it once: only its digest is stored."""
    from runtime.store.audit import Entry, audited
    from runtime.store.database.once import run_once
    from runtime.store.tokens import SCOPES, NewToken, create_token

    new = NewToken(name, [scope for scope in SCOPES if scope in scopes], clients, days)
    entry = Entry("created", "token", name, fields=[*new.scopes, *(f"client {client}" for client in clients)])
    with in_sentences():
        unknown = run_once(configured().database_url, audited, actor(), entry, create_token, new, click.echo)
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
        *([f"former one until {record.former_until}"] if record.has_former else []),
    )


@token.command("rotate", short_help="Exchange a token for a new one; both are valid for a while.")
@click.argument("name")
@click.option(
    "--overlap",
    type=click.IntRange(0, 720),
    default=24,
    show_default=True,
    help="Hours for which the former one is valid too; 0: not any more, as after a theft.",
)
def token_rotate(name: str, overlap: int) -> None:
    """Exchange a token for a new one of the same name, scopes and clients, and print it once. `token list` shows until
    when the former one is valid; exchange it again, or revoke it, to end that at once."""
    from runtime.store.audit import Entry, audited
    from runtime.store.database.once import run_once
    from runtime.store.tokens import rotate_token

    entry = Entry("rotated", "token", name, fields=[f"overlap {overlap}h"])
    seconds = overlap * 3600.0
    with in_sentences():
        until = run_once(configured().database_url, audited, actor(), entry, rotate_token, name, seconds, click.echo)
    former = f"the former one is valid until {until}" if until else "the former one is no longer valid"
    click.echo(f"This is the new token {name!r}; it cannot be shown again. Now {former}.", err=True)


@token.command("revoke")
@click.argument("name")
def token_revoke(name: str) -> None:
    """Revoke a token at once."""
    from runtime.store.audit import Entry, audited
    from runtime.store.database.once import run_once
    from runtime.store.tokens import revoke_token

    with in_sentences():
        run_once(configured().database_url, audited, actor(), Entry("revoked", "token", name), revoke_token, name)
    click.echo(f"The token {name!r} is no longer valid.")
