"""The sandbox's commands: `serve` and `phone`. Each imports what it needs when it runs, so that both start at once."""

import sys
from pathlib import Path
from typing import Any

import click

_ACCOUNT_SID = "AC00000000000000000000000000005a4d"
_AUTH_TOKEN = "sandbox-token"  # noqa: S105 - public, and valid for a sandbox only
_API_KEY = "sk-sandbox"
_ADMIN_KEY = "sk-admin-sandbox"


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
    """Stand-ins for OpenAI, Twilio and Chatwoot, and a phone to write to them."""


def _address(_: click.Context, __: click.Parameter, value: str | None) -> tuple[str, int] | None:
    if value is None:
        return None
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
    "--media",
    callback=_address,
    metavar="HOST:PORT",
    help="Where the content of media is served; by default on Twilio's host, on any free port.",
)
@click.option(
    "--chatwoot",
    callback=_address,
    metavar="HOST:PORT",
    help="Where Chatwoot listens; by default on Twilio's host, on any free port.",
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
    "--admin-key",
    envvar="OPENAI_ADMIN_KEY",
    default=_ADMIN_KEY,
    show_default=True,
    help="The admin key that the OpenAI stand-in accepts for the organization's costs.",
)
@click.option(
    "--assistants-gone",
    is_flag=True,
    help="Answer 404 under /assistants and /threads, as OpenAI does since 2026-08-26.",
)
def serve(
    openai: tuple[str, int],
    twilio: tuple[str, int],
    media: tuple[str, int] | None,
    chatwoot: tuple[str, int] | None,
    state: Path,
    senders_from: Path | None,
    account_sid: str,
    auth_token: str,
    api_key: str,
    admin_key: str,
    assistants_gone: bool,
) -> None:
    """Serve all stand-ins until SIGTERM or Ctrl-C."""
    from sandbox.serve import Listen, open_state, run
    from sandbox.settings import Values
    from sandbox.state import Credentials
    from sandbox.storage import StorageInUseError

    settings = Values(assistants_api="gone" if assistants_gone else "compatible")
    try:
        opened = open_state(state, Credentials(account_sid, auth_token, api_key, admin_key), settings, senders_from)
    except StorageInUseError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{state} cannot be written: {error.strerror}. Name another --state.") from None
    try:
        further = (Listen(*(address or (twilio[0], 0))) for address in (media, chatwoot))
        run(opened, Listen(*openai), Listen(*twilio), *further)
    except OSError as error:
        raise click.ClickException(
            f"cannot listen: {error.strerror or error}. Is another sandbox running? Port 0 takes any free one."
        ) from None


def _place(_: click.Context, __: click.Parameter, value: str | None) -> dict[str, Any] | None:
    from sandbox.phone import place

    try:
        return None if value is None else place(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is not LATITUDE,LONGITUDE or LATITUDE,LONGITUDE,LABEL") from None


_FILE = click.Path(path_type=Path)


@main.command(short_help="Write to a client as a WhatsApp user.")
@click.argument("client")
@click.argument("text", default="")
@click.option("--from", "origin", default="+56912345678", show_default=True, help="The user's number.")
@click.option("--voice", type=_FILE, help="Send a voice note or other audio.")
@click.option("--image", type=_FILE, help="Send a picture, with TEXT below it; WebP is a sticker.")
@click.option("--document", type=_FILE, help="Send a document, with TEXT below it.")
@click.option("--button", metavar="N|TITLE", help="Tap a button of the last message that has any.")
@click.option("--list", "row", metavar="N|TITLE", help="Choose a row of the last list.")
@click.option("--stop-promotions", metavar="es|en|pt", help="Tap WhatsApp's own button below a marketing template.")
@click.option("--location", callback=_place, metavar="LAT,LON[,LABEL]", help="Send a location.")
@click.option("--reaction", metavar="EMOJI", help="React to the message of --reply-to, else to the last one.")
@click.option("--reply-to", metavar="SID", help="Quote a message: its SID, or `last`.")
@click.option(
    "--twilio",
    envvar="TWILIO_BASE_URL",
    default="http://127.0.0.1:8102",
    show_default=True,
    help="Where the sandbox's Twilio listens.",
)
@click.option("--timeout", default=30.0, show_default=True, help="Seconds to wait for an answer.")
@click.option("--ad", is_flag=True, help="The user comes from an ad that they clicked on.")
@click.option("--human", is_flag=True, help="A person may answer, later: print both sides of the chat so far.")
def phone(client: str, text: str, origin: str, twilio: str, timeout: float, ad: bool, human: bool, **sent: Any) -> None:
    """Write TEXT to CLIENT (its id, name or number) as a WhatsApp user and print the answer.

    Besides TEXT, or in its place, one thing can be sent: a file, a tap, a location or a reaction. With --human nothing
    need be sent.
    """
    from sandbox.phone import AD, PhoneError, PhoneMessage, both_sides, say

    parts = _parts(**sent)
    is_message = bool(text or parts.keys() - {"reply_to"})
    if not is_message and not human:
        raise click.UsageError("Missing argument 'TEXT', or one of the options that send something else.")
    try:
        message = PhoneMessage(twilio, client, origin, text, timeout, 0.3, AD if ad else {}, parts, human)
        answers = say(message) if is_message else []
        if human:
            answers = ["\n".join(both_sides(twilio, client, origin))]
    except PhoneError as error:
        raise click.ClickException(str(error)) from None
    if answers:
        click.echo("\n\n".join(answers))


def _parts(*, reply_to: str | None, location: dict[str, Any] | None, **given: Any) -> dict[str, Any]:
    """What a message has besides words. `given` are --voice, --image, --document, --button, --list, --reaction."""
    from sandbox.phone import attached

    said = {name: value for name, value in given.items() if value is not None}
    if len(said) + (location is not None) > 1:
        raise click.UsageError("A message has one file, tap, location or reaction; send the others after it.")
    parts = location or {}
    for name, value in said.items():
        try:
            parts = attached(value) if isinstance(value, Path) else {"list" if name == "row" else name: value}
        except OSError as error:
            raise click.ClickException(f"{value} cannot be read: {error.strerror}.") from None
    if "reaction" in said:
        reply_to = reply_to or "last"
    return {**parts, **({"reply_to": reply_to} if reply_to else {})}
