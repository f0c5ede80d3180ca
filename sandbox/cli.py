"""The sandbox's commands: `serve` and `phone`. Each imports what it needs when it runs, so that both start at once."""

import sys
from pathlib import Path
from typing import Any

import click

_ACCOUNT_SID = "AC00000000000000000000000000005a4d"
_AUTH_TOKEN = "sandbox-token"  # noqa: S105 - public, and valid for a sandbox only
_API_KEY = "sk-sandbox"


class SandboxCommands(click.Group):
    """A group whose errors have the prefix that they have in the product's programs."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run, and exit."""
        try:
            code = super().main(*args, **{**kwargs, "standalone_mode": False})
        except click.ClickException as error:
            if isinstance(error, click.UsageError) and error.ctx is not None:
                click.echo(f"{error.ctx.get_usage()}\n", err=True)
            click.echo(f"error: {error.format_message()}", err=True)
            sys.exit(error.exit_code)
        except click.Abort:
            click.echo("Stopped.", err=True)
            sys.exit(1)
        sys.exit(code if isinstance(code, int) else 0)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. Ctrl-C ends it without the blank line that Click prints first."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise click.Abort from None


@click.group(cls=SandboxCommands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Stand-ins for OpenAI and Twilio, and a phone to write to them."""


def _address(_: click.Context, __: click.Parameter, value: str) -> tuple[str, int]:
    host, colon, port = value.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65_535:
        raise click.BadParameter(f"{value!r} is not HOST:PORT")
    return host, int(port)


@main.command()
@click.option(
    "--openai",
    default="127.0.0.1:8101",
    callback=_address,
    metavar="HOST:PORT",
    show_default=True,
    help="Where OpenAI listens; port 0 is any.",
)
@click.option(
    "--twilio",
    default="127.0.0.1:8102",
    callback=_address,
    metavar="HOST:PORT",
    show_default=True,
    help="Where Twilio listens; port 0 is any.",
)
@click.option(
    "--state",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder that keeps all state between runs.",
)
@click.option(
    "--senders-from",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Register a sender for each manifest here.",
)
@click.option(
    "--account-sid",
    envvar="TWILIO_ACCOUNT_SID",
    default=_ACCOUNT_SID,
    show_default=True,
    help="SID of the Twilio account to simulate.",
)
@click.option(
    "--auth-token",
    envvar="TWILIO_AUTH_TOKEN",
    default=_AUTH_TOKEN,
    show_default=True,
    help="Auth token that signs the webhooks.",
)
@click.option(
    "--api-key",
    envvar="OPENAI_API_KEY",
    default=_API_KEY,
    show_default=True,
    help="The API key that the OpenAI stand-in accepts.",
)
@click.option(
    "--assistants-gone",
    is_flag=True,
    help="Answer 404 under /assistants and /threads, as OpenAI does since 2026-08-26.",
)
def serve(
    openai: tuple[str, int],
    twilio: tuple[str, int],
    state: Path,
    senders_from: Path | None,
    account_sid: str,
    auth_token: str,
    api_key: str,
    assistants_gone: bool,
) -> None:
    """Serve both stand-ins until SIGTERM or Ctrl-C."""
    from sandbox.serve import Listen, open_state, run
    from sandbox.settings import Values
    from sandbox.state import Credentials
    from sandbox.storage import StorageInUseError

    settings = Values(assistants_api="gone" if assistants_gone else "compatible")
    try:
        opened = open_state(state, Credentials(account_sid, auth_token, api_key), settings, senders_from)
    except StorageInUseError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{state} cannot be written: {error.strerror}. Name another --state.") from None
    try:
        run(opened, Listen(*openai), Listen(*twilio))
    except OSError as error:
        raise click.ClickException(
            f"cannot listen: {error.strerror or error}. Is another sandbox running? Port 0 takes any free one."
        ) from None


@main.command(short_help="Write to a client as a WhatsApp user.")
@click.argument("client")
@click.argument("text")
@click.option("--from", "origin", default="+56912345678", show_default=True, help="The user's number.")
@click.option(
    "--twilio",
    envvar="TWILIO_BASE_URL",
    default="http://127.0.0.1:8102",
    show_default=True,
    help="Where the sandbox's Twilio listens.",
)
@click.option("--timeout", default=30.0, show_default=True, help="Seconds to wait for an answer.")
def phone(client: str, text: str, origin: str, twilio: str, timeout: float) -> None:
    """Write TEXT to CLIENT (its id, name or number) as a WhatsApp user and print the answer."""
    from sandbox.phone import PhoneError, PhoneMessage, say

    try:
        answers = say(PhoneMessage(twilio, client, origin, text, timeout, settle=0.3))
    except PhoneError as error:
        raise click.ClickException(str(error)) from None
    click.echo("\n\n".join(answers))
