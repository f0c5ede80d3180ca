"""`horizonai-whatsapp-bot operator`: who may sign in to the console."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runtime.commands.opening import actor, configured, in_sentences

if TYPE_CHECKING:
    from runtime.store.console.accounts import Operator, Role

ROLES = ("viewer", "operator", "privacy", "admin", "client")
"""Those of `runtime.store.console.accounts`, without importing it for a help text."""
EMAIL = click.argument("email")


@click.group(short_help="Operators: who may sign in to the console.")
def operator() -> None:
    """Operators: who may sign in to the console at /console, which is served once the first one was invited."""


@operator.command("invite", short_help="Invite someone to the console.")
@EMAIL
@click.option("--name", required=True, help="As others see it, also those who read a conversation.")
@click.option(
    "--role",
    type=click.Choice(ROLES),
    default="operator",
    show_default=True,
    help="viewer reads; operator also answers; privacy reads, the audit too; admin may do all of it; client is for the "
    "client's own people, who see that client's report and conversations only.",
)
@click.option("--client", "clients", multiple=True, metavar="ID", help="Only this client; may be given more than once.")
def operator_invite(email: str, name: str, role: Role, clients: tuple[str, ...]) -> None:
    """Invite someone and print the link with which they choose a password and set up the second factor, once and
    within three days. Send it on a way that only they read."""
    from runtime.console.passwords import new_secret
    from runtime.store.console.accounts import NewOperator
    from runtime.store.console.signing_in import invite
    from runtime.store.database.once import run_once

    if role == "client" and len(set(clients)) != 1:
        raise click.UsageError("--role client needs --client ID, once: the client whose own account it is.")
    new = NewOperator(_checked(email), _named(name), role, clients)
    with in_sentences():
        token = run_once(configured().database_url, invite, actor(), new, new_secret())
    _print_link(token, new.email)


@operator.command("list")
def operator_list() -> None:
    """List operators: address, name, role, state, clients, when they last signed in."""
    from runtime.store.console.accounts import list_operators
    from runtime.store.database.once import run_once

    with in_sentences():
        found = run_once(configured().database_url, list_operators)
    if not found:
        click.echo("There is no operator yet; `horizonai-whatsapp-bot operator invite EMAIL` invites one.", err=True)
    for one in found:
        click.echo("\t".join(_cells(one)))


@operator.command("reset", short_help="Invite an operator again.")
@EMAIL
def operator_reset(email: str) -> None:
    """Invite an operator again, who lost the password or the telephone, or was disabled. The password, the second
    factor and all sessions end at once."""
    from runtime.console.passwords import new_secret
    from runtime.store.console.signing_in import reset
    from runtime.store.database.once import run_once

    with in_sentences():
        token = run_once(configured().database_url, reset, actor(), _checked(email), new_secret())
    _print_link(token, _checked(email))


@operator.command("disable")
@EMAIL
def operator_disable(email: str) -> None:
    """End an operator's sessions at once, and let them begin no other."""
    from runtime.store.console.signing_in import disable
    from runtime.store.database.once import run_once

    with in_sentences():
        run_once(configured().database_url, disable, actor(), _checked(email))
    click.echo(f"{_checked(email)} may not sign in any more.")


@operator.command("link", short_help="Make a link to a client's report.")
@click.argument("client_id", metavar="ID")
@click.option("--for", "label", required=True, help="Whom it is for, as the list of links names it.")
@click.option(
    "--days", type=click.IntRange(1, 365), default=30, show_default=True, help="For how many days it is valid."
)
def operator_link(client_id: str, label: str, days: int) -> None:
    """Make a link that shows the report of the client ID, without an account, and print it once. Who has it sees the
    report only, until it expires or `operator unlink` revokes it."""
    from runtime.console.page import HOME
    from runtime.store.console.accounts import any_operator
    from runtime.store.console.report_links import create
    from runtime.store.database.once import run_once

    with in_sentences():
        token = run_once(configured().database_url, create, actor(), client_id, _named(label, "--for"), days)
        is_served = run_once(configured().database_url, any_operator)
    click.echo(f"{_address()}{HOME}/report/{token}")
    click.echo(f"This is the link to the report of {client_id}, for {days} days; it cannot be shown again.", err=True)
    if not is_served:
        click.echo("It opens once the console is served: invite the first operator.", err=True)
    _warn_of_address()


@operator.command("links")
@click.option("--client", "client_id", metavar="ID", help="Only those of this client.")
def operator_links(client_id: str | None) -> None:
    """List links to reports: number, client, for whom, state, who made it, until when, when it was last opened."""
    from runtime.store.console.report_links import list_links
    from runtime.store.database.once import run_once

    with in_sentences():
        found = run_once(configured().database_url, list_links, None if client_id is None else [client_id])
    if not found:
        click.echo("There is no link yet; `horizonai-whatsapp-bot operator link ID` makes one.", err=True)
    for one in found:
        state = "revoked" if one.revoked_at else "expired" if one.is_expired else "valid"
        opened = f"opened {one.opened_at}" if one.opened_at else "never opened"
        cells = (str(one.id), one.client, one.label, state, one.created_by, f"until {one.expires_at}", opened)
        click.echo("\t".join(cells))


@operator.command("unlink")
@click.argument("number", type=click.IntRange(min=1))
def operator_unlink(number: int) -> None:
    """Revoke a link to a report, by its number in `operator links`; it shows nothing from then on."""
    from runtime.store.console.report_links import revoke
    from runtime.store.database.once import run_once

    with in_sentences():
        run_once(configured().database_url, revoke, actor(), number)
    click.echo(f"The link {number} is not valid any more.")


def _print_link(token: str, email: str) -> None:
    from runtime.console.page import HOME
    from runtime.store.console.accounts import INVITED_DAYS

    click.echo(f"{_address()}{HOME}/invitation/{token}")
    click.echo(f"This is the invitation for {email}, for {INVITED_DAYS} days; it cannot be shown again.", err=True)
    _warn_of_address()


def _address() -> str:
    return configured().public_url or "http://127.0.0.1:8080"


def _warn_of_address() -> None:
    if configured().public_url is None:
        click.echo("PUBLIC_URL is not set: replace the address by the one that the service is reached at.", err=True)


def _cells(one: Operator) -> tuple[str, ...]:
    state = "disabled" if one.disabled_at else "invited" if one.invited_until else "active"
    return (
        one.email,
        one.name,
        one.role,
        state,
        "all clients" if one.clients is None else " ".join(one.clients),
        f"signed in {one.signed_in_at}" if one.signed_in_at else "never signed in",
    )


def _checked(email: str) -> str:
    name, at, host = email.strip().lower().partition("@")
    if not (name and at and "." in host) or len(email) > 254 or not email.strip().isprintable() or " " in email.strip():
        raise click.UsageError(f"{email!r} is not an address of mail.")
    return f"{name}@{host}"


def _named(name: str, option: str = "--name") -> str:
    shown = " ".join(name.split())
    if not 1 <= len(shown) <= 80 or not shown.isprintable():
        raise click.UsageError(f"{option} has from 1 to 80 characters.")
    return shown
