"""`horizonai-whatsapp-bot send`: a proactive message to one person."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runtime.commands.opening import actor, configured, in_sentences

if TYPE_CHECKING:
    from runtime.delivery.proactive import ProactiveMessage
    from runtime.settings import Settings


@click.command(short_help="Send a proactive message, or a template to a list of people.")
@click.argument("to", required=False)
@click.argument("body", required=False)
@click.option("--template", metavar="NAME", help="Send this template of the client, in place of BODY.")
@click.option(
    "--var", "variables", multiple=True, metavar="NAME=VALUE", help="A variable of the template; may be repeated."
)
@click.option("--bot", "bot_id", help="Send from this bot's number.")
@click.option("--from", "number", help="Send from this number; TWILIO_WHATSAPP_FROM without it or --bot.")
@click.option(
    "--to-file",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="In place of TO: a CSV with the column `to` and one for each variable.",
)
@click.option("--basis", help="With --to-file: why these people may be written to; kept with the campaign.")
@click.option("--name", help="With --to-file: what the campaign is called; the same name again continues it.")
@click.option("--any-hour", is_flag=True, help="With --to-file: also from 21:00 to 9:00 in the client's zone.")
@click.option("--dry-run", is_flag=True, help="With --to-file: only check it, and show what it costs.")
@click.option("--yes", is_flag=True, help="With --to-file: send without asking.")
def send(to: str | None, body: str | None, template: str | None, variables: Sequence[str], **options: Any) -> None:
    """Send BODY, or a template, to TO: a number (+56912345678) or WhatsApp's user id (CL.1A2B3C).

    With --to-file a template goes to everybody in a CSV, each once: what was interrupted is continued by the same
    command.
    """
    if options["file"] is not None:
        _to_list(to, template, variables, options)
        return
    if to is None or (body is None) == (template is None):
        raise click.UsageError("Give TO, and either BODY or --template; or --to-file.")
    if variables and template is None:
        raise click.UsageError("--var goes with --template.")
    values, person = named_values(variables), user_of(to)
    with in_sentences():
        sending = _sent(configured(), person, body, template, values, options["bot_id"], options["number"])
        message = asyncio.run(sending)
    click.echo(f"{message.message_sid or message.id}\t{message.status}\tfrom {message.sender}")
    if message.waits_until:
        click.echo(f"It waits until {message.waits_until}; the service sends it when they write.", err=True)
    if message.warning:
        click.echo(f"warning: {message.warning}", err=True)


def _to_list(to: str | None, template: str | None, variables: Sequence[str], options: Mapping[str, Any]) -> None:
    from runtime.commands.campaign import ListOptions, send_to_list

    if to is not None or variables:
        raise click.UsageError("With --to-file the people and the variables are in the file.")
    if template is None or options["bot_id"] is None or not options["basis"]:
        raise click.UsageError('--to-file needs --template, --bot and --basis, such as --basis "pidieron avisos".')
    wanted = ListOptions(
        path=options["file"],
        template=template,
        bot_id=options["bot_id"],
        basis=options["basis"],
        name=options["name"],
        any_hour=options["any_hour"],
        dry_run=options["dry_run"],
        yes=options["yes"],
    )
    with in_sentences():
        send_to_list(wanted)


async def _sent(
    settings: Settings,
    to: str,
    body: str | None,
    template: str | None,
    values: Mapping[str, str],
    bot_id: str | None,
    number: str | None,
) -> ProactiveMessage:
    from runtime.app import proactive_sender
    from runtime.store.messages.outbound_content import OutboundText

    async with proactive_sender(settings) as proactive:
        if template is None:
            return await proactive.send(
                by=actor(), to=to, content=OutboundText(str(body)), bot_id=bot_id, number=number
            )
        return await proactive.send_template(
            by=actor(), to=to, name=template, variables=values, bot_id=bot_id, number=number, may_campaign=True
        )


def named_values(variables: Sequence[str]) -> dict[str, str]:
    """The values of `--var NAME=VALUE`."""
    values: dict[str, str] = {}
    for given in variables:
        name, equals, value = given.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{given!r} is not NAME=VALUE, such as nombre=Ana", param_hint="--var")
        if name in values:
            raise click.BadParameter(f"{name} is given twice", param_hint="--var")
        values[name] = value
    return values


def user_of(value: str) -> str:
    """A number in E.164 or WhatsApp's id of a user."""
    from runtime.api.models import checked_user

    try:
        return checked_user(value)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="TO") from error
