"""The command `horizonai-whatsapp-bot`: serve, migrate, restored, send, campaigns, token, operator, conversations,
dead-letters, person, client, forget, costs, report, store-key, audit, incident. Each imports only what it needs."""

from __future__ import annotations

import click

from runtime.commands.audit import audit
from runtime.commands.campaigns import campaigns
from runtime.commands.client import client
from runtime.commands.conversations import conversations
from runtime.commands.costs import costs
from runtime.commands.dead_letters import dead_letters
from runtime.commands.forget import forget
from runtime.commands.incident import incident
from runtime.commands.opening import configured, in_sentences
from runtime.commands.operators import operator
from runtime.commands.opt_outs import opt_outs
from runtime.commands.person import person
from runtime.commands.person_requests import person_requests
from runtime.commands.program import FULL, Program
from runtime.commands.report import report
from runtime.commands.restored import restored
from runtime.commands.sending import send
from runtime.commands.serving import serve_until_stopped
from runtime.commands.store_key import store_key
from runtime.commands.tokens import token


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="horizonai-reconciler", prog_name="horizonai-whatsapp-bot")
def main() -> None:
    """Answer WhatsApp messages for many clients from one place."""


@main.command(short_help="Serve webhooks and the management API.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="Port to listen on; 0 takes a free one and prints it.",
)
def serve(host: str, port: int) -> None:
    """Serve webhooks and the management API until SIGTERM or Ctrl-C."""
    with in_sentences():
        settings = configured()
        try:
            serve_until_stopped(settings, host, port)
        except OSError as error:
            if error.errno in FULL:
                raise
            raise click.ClickException(f"{error.strerror or error}: check --host and --port.") from error


@main.command()
@click.option(
    "--compact",
    is_flag=True,
    help="Also rewrite a SQLite file, once, so that it shrinks as rows are deleted; while no service runs.",
)
def migrate(compact: bool) -> None:
    """Bring the store's schema up to date, and create the store where there is none. `serve` does so by itself."""
    from runtime.store.database.engine import open_engine, store_errors
    from runtime.store.database.migrate import migrate as migrate_store

    with in_sentences():
        settings = configured()
        engine = open_engine(settings.database_url)
        try:
            with store_errors(settings.database_url):
                click.echo(f"The store has the schema {migrate_store(engine)}.")
        finally:
            engine.dispose()
        if compact:
            _compact(settings.database_url)


def _compact(url: str) -> None:
    from runtime.store.database.compact import MEGABYTE
    from runtime.store.database.compact import compact as compact_store
    from runtime.store.database.url import is_sqlite

    if not is_sqlite(url):
        click.echo("PostgreSQL gives the space of deleted rows to new ones by itself (autovacuum); nothing was done.")
        return
    sizes = compact_store(url)
    click.echo(
        f"The file was rewritten: {sizes.before / MEGABYTE:,.1f} MB before, {sizes.after / MEGABYTE:,.1f} MB now."
        " From here on it shrinks as rows are deleted."
    )


main.add_command(send)
main.add_command(token)
main.add_command(campaigns)
main.add_command(dead_letters)
main.add_command(conversations)
main.add_command(forget)
person.add_command(person_requests)
main.add_command(person)
main.add_command(client)
main.add_command(operator)
main.add_command(opt_outs)
main.add_command(restored)
main.add_command(costs)
main.add_command(report)
main.add_command(store_key)
main.add_command(audit)
main.add_command(incident)
