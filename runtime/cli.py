"""The command `horizonai-whatsapp-bot`: serve, migrate, restored, send, token, dead-letters, forget. Each imports only
what it needs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from runtime.commands.dead_letters import dead_letters
from runtime.commands.forget import forget
from runtime.commands.opening import configured, in_sentences
from runtime.commands.program import FULL, Program
from runtime.commands.restored import restored
from runtime.commands.serving import serve_until_stopped
from runtime.commands.tokens import token

if TYPE_CHECKING:
    from runtime.settings import Settings


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
def migrate() -> None:
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


@main.command(short_help="Send a proactive message.")
@click.argument("to")
@click.argument("body")
@click.option("--bot", "bot_id", help="Send from this bot's number.")
@click.option("--from", "number", help="Send from this number; TWILIO_WHATSAPP_FROM without it or --bot.")
def send(to: str, body: str, bot_id: str | None, number: str | None) -> None:
    """Send BODY to TO, a number (+56912345678) or WhatsApp's user id (CL.1A2B3C), as a proactive message."""
    with in_sentences():
        settings = configured()
        asyncio.run(_send(settings, to, body, bot_id, number))


async def _send(settings: Settings, to: str, body: str, bot_id: str | None, number: str | None) -> None:
    from runtime.app import proactive_sender
    from runtime.store.messages.outbound_content import OutboundText

    async with proactive_sender(settings) as proactive:
        message = await proactive.send(to=_user(to), content=OutboundText(body), bot_id=bot_id, number=number)
    click.echo(f"{message.message_sid}\t{message.status}\tfrom {message.sender}")
    if message.warning:
        click.echo(f"warning: {message.warning}", err=True)


def _user(value: str) -> str:
    from runtime.api.models import checked_user

    try:
        return checked_user(value)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="TO") from error


main.add_command(token)
main.add_command(dead_letters)
main.add_command(forget)
main.add_command(restored)
