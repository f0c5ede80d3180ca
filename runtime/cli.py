"""The command `horizonai-whatsapp-bot`: serve, migrate, send, token, dead-letters, forget. Each imports only what it
needs."""

from __future__ import annotations

import asyncio
import gc
import getpass
import json
import os
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from runtime.settings import Settings


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
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
    with _sentences():
        settings = _settings()
        with asyncio.Runner(loop_factory=_fast_loop()) as runner:
            runner.run(_serve(settings, host, port))


@main.command()
def migrate() -> None:
    """Bring the store's schema up to date. `serve` does so by itself."""
    from runtime.store.engine import open_engine, store_errors
    from runtime.store.migrate import migrate as migrate_store

    with _sentences():
        settings = _settings()
        engine = open_engine(settings.database_url)
        with store_errors(settings.database_url):
            click.echo(f"The store has the schema {migrate_store(engine)}.")
        engine.dispose()


@main.command(short_help="Send a proactive message.")
@click.argument("to")
@click.argument("body")
@click.option("--bot", "bot_id", help="Send from this bot's number.")
@click.option("--from", "number", help="Send from this number; TWILIO_WHATSAPP_FROM without it or --bot.")
def send(to: str, body: str, bot_id: str | None, number: str | None) -> None:
    """Send BODY to the number TO (+56912345678) as a proactive message."""
    with _sentences():
        settings = _settings()
        asyncio.run(_send(settings, to, body, bot_id, number))


@main.group()
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
    """Make a token and print it, this once: only its digest is kept."""
    from runtime.store.tokens import create_token

    with _store() as connection:
        made = create_token(connection, name, "write" if scope == "write" else "read")
    click.echo(made)
    click.echo(f"This is the token {name!r} ({scope}); it cannot be shown again.", err=True)


@token.command("list")
def token_list() -> None:
    """List tokens: name, scope, when made, whether revoked."""
    from runtime.store.tokens import list_tokens

    with _store() as connection:
        found = list_tokens(connection)
    if not found:
        click.echo("There is no token yet; `horizonai-whatsapp-bot token create NAME` makes one.", err=True)
    for record in found:
        click.echo(f"{record.name}\t{record.scope}\t{record.created_at}\t{record.revoked_at or 'valid'}")


@token.command("revoke")
@click.argument("name")
def token_revoke(name: str) -> None:
    """End a token's validity at once."""
    from runtime.store.tokens import revoke_token

    with _store() as connection:
        revoke_token(connection, name)
    click.echo(f"The token {name!r} is no longer valid.")


@main.group("dead-letters", short_help="Messages that no answer could be made for.")
def dead_letters() -> None:
    """Messages that no answer could be made for: their users got the fallback message."""


@dead_letters.command("list", short_help="List them, with the reason.")
@click.option("--client", help="Only this client's.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def dead_letters_list(client: str | None, form: str) -> None:
    """List dead letters: id, when it failed, client, user, messages, error."""
    from runtime.store.dead_letters import list_dead_letters

    with _store() as connection:
        letters = list_dead_letters(connection, client=client)
    if form == "json":
        click.echo(json.dumps([asdict(letter) for letter in letters], ensure_ascii=False, indent=2))
        return
    if not letters:
        click.echo("No dead letters.", err=True)
    for letter in letters:
        users = ", ".join(sorted({message.sender.removeprefix("whatsapp:") for message in letter.messages}))
        cells = (letter.id, letter.failed_at, letter.client, users, len(letter.messages), letter.error)
        click.echo("\t".join(str(cell) for cell in cells))


@dead_letters.command("retry", short_help="Answer their messages after all.")
@click.argument("ids", nargs=-1, required=True, type=int, metavar="ID…")
def dead_letters_retry(ids: tuple[int, ...]) -> None:
    """Answer their messages after all. A running service begins within seconds, another one when it starts."""
    from runtime.store.dead_letters import retry

    _leave(ids, retry)
    click.echo(f"To be answered again: {len(set(ids))}.")


@dead_letters.command("drop", short_help="Let them go unanswered.")
@click.argument("ids", nargs=-1, required=True, type=int, metavar="ID…")
def dead_letters_drop(ids: tuple[int, ...]) -> None:
    """Let them go: their messages stay unanswered. Who did it, and when, is kept."""
    from runtime.store.dead_letters import drop

    _leave(ids, drop)
    click.echo(f"Dropped: {len(set(ids))}.")


@main.command()
@click.argument("user")
@click.option("--yes", is_flag=True, help="Do not ask.")
def forget(user: str, yes: bool) -> None:
    """Delete for good what is kept of USER (+56912345678, or WhatsApp's user id): messages, answers, addresses.

    Holds for all bots, also while the service runs. What the providers keep is named, not deleted.
    """
    from runtime.store.erasure import forget as forget_user

    if not yes:
        click.confirm(f"Everything that {user} wrote and was answered will be gone. Go on?", abort=True)
    with _store() as connection:
        found = forget_user(connection, f"whatsapp:{user.removeprefix('whatsapp:')}", _actor())
    if not found:
        raise click.ClickException(f"Nobody is known as {user}; write a number with its country, as +56912345678.")
    click.echo(f"Forgotten. Conversations: {len(found)}, messages: {sum(item.messages for item in found)}.")
    for item in found:
        if item.thread_id is not None:
            click.echo(f"Still at the model's provider: {item.thread_id} (bot {item.bot_id}).")
    click.echo("Still at Twilio: its own copies of the messages. Still in backups: what was there when they were made.")


def _leave(ids: tuple[int, ...], way: Callable[[Connection, int, str], bool]) -> None:
    """Retries or drops dead letters, all of them or none."""
    actor = _actor()
    with _store() as connection:
        unknown = [str(turn_id) for turn_id in dict.fromkeys(ids) if not way(connection, turn_id, actor)]
        if unknown:
            raise click.ClickException(
                f"No dead letter: {', '.join(unknown)}. Nothing was changed; "
                "see `horizonai-whatsapp-bot dead-letters list`."
            )


def _actor() -> str:
    """Who runs the command, as the audit names them."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


async def _serve(settings: Settings, host: str, port: int) -> None:
    from runtime.app import Service
    from runtime.tracing import start_tracing, stop_tracing

    # Each conversation that waits for its model holds a connection, and the usual soft limit is 1,024 of them.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    start_tracing()
    try:
        async with Service(settings, host, port) as address:
            _collect_rarely()
            click.echo(f"runtime  {address.url}")
            await stop.wait()
    finally:
        stop_tracing()


def _collect_rarely() -> None:
    """Has Python look for cyclic garbage less often, and not among what the start has left.

    With its own thresholds it stops the service for a hundred milliseconds and more, again and again, to walk through
    the conversations under way. Reference counts free nearly everything that a message leaves.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's event loop where there is one (not on Windows), else None for Python's own."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _send(settings: Settings, to: str, body: str, bot_id: str | None, number: str | None) -> None:
    from runtime.app import proactive_sender

    async with proactive_sender(settings) as proactive:
        message = await proactive.send(to=_number(to), body=body, bot_id=bot_id, number=number)
    click.echo(f"{message.message_sid}\t{message.status}\tfrom {message.sender}")
    if message.warning:
        click.echo(f"Warning: {message.warning}", err=True)


def _number(value: str) -> str:
    from runtime.api.models import checked_number

    try:
        return checked_number(value)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="TO") from error


def _settings() -> Settings:
    from runtime.logs import configure_logs
    from runtime.settings import read_settings

    settings = read_settings()
    configure_logs(settings.log_format, settings.log_level)
    return settings


@contextmanager
def _store() -> Iterator[Connection]:
    """A transaction on the store, which may be in use by a serving process."""
    from runtime.store.engine import open_engine, store_errors
    from runtime.store.migrate import migrate as migrate_store

    with _sentences():
        url = _settings().database_url
        engine = open_engine(url)
        with store_errors(url):
            migrate_store(engine)
            with engine.begin() as connection:
                yield connection
        engine.dispose()


@contextmanager
def _sentences() -> Iterator[None]:
    """Turns what a user can mend into one sentence on stderr and exit code 1."""
    from runtime.errors import OperatorError
    from runtime.store.errors import StoreError

    try:
        yield
    except (OperatorError, StoreError) as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{error.strerror or error}: check --host and --port.") from error
