"""`horizonai-whatsapp-bot forget`: deletes a person's data, here and at the providers where possible."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import click

from runtime.commands.opening import actor, configured, in_sentences
from terminal.questions import can_ask, confirm

if TYPE_CHECKING:
    from runtime.privacy.erasure import AtProvider, ErasureResult
    from runtime.privacy.twilio_messages import AtTwilio
    from runtime.settings import Settings

IN_PART = 4
"""Exit code: something is left at a provider; the command is to be repeated."""


@click.command()
@click.argument("user")
@click.option("--at-twilio", is_flag=True, help="Delete Twilio's own copies of the messages too, in all accounts.")
@click.option("--yes", is_flag=True, help="Do not ask; needed where there is no terminal.")
def forget(user: str, at_twilio: bool, yes: bool) -> None:
    """Delete for good the data of USER (+56912345678, or WhatsApp's user id): messages, answers, addresses.

    For all bots, also while the service runs, and for the conversations at the model's provider. Exit 4 when something
    could not be deleted there: the store is erased all the same, and the same command continues with the rest.

    Use `person erase` instead: this ends with the next release.
    """
    if not (yes or can_ask()):
        raise click.ClickException("There is no terminal to ask on: add --yes to delete.")
    if not yes:
        confirm(f"All messages from {user} and their answers will be deleted for good. Continue?")
    click.echo("`forget` ends with the next release: use `horizonai-whatsapp-bot person erase USER`.", err=True)
    with in_sentences():
        done = asyncio.run(_forget(configured(), user, at_twilio))
    click.echo(f"Erased. Conversations: {done.conversations}, messages: {done.messages}.")
    for item in done.provider:
        _say_provider(item)
    if done.twilio is not None:
        _say_twilio(done.twilio)
    for sentence in done.remains:
        click.echo(f"Not deleted. {sentence}")
    if not done.complete:
        click.echo("Not everything was deleted: repeat the command once the problems above are solved.", err=True)
        sys.exit(IN_PART)


async def _forget(settings: Settings, user: str, at_twilio: bool) -> ErasureResult:
    from runtime.app import forgetting

    async with forgetting(settings) as forgetter:
        return await forgetter.forget(user, actor(), at_twilio=at_twilio)


def _say_provider(item: AtProvider) -> None:
    what = f"{item.id or 'further sessions'} (bot {item.bot_id})"
    if item.state == "left":
        click.echo(f"Left at the model's provider: {what}: {item.reason}", err=True)
    else:
        how = "Deleted at" if item.state == "deleted" else "Not found at"
        click.echo(f"{how} the model's provider: {what}.")


def _say_twilio(twilio: AtTwilio) -> None:
    click.echo(f"Deleted at Twilio: {twilio.deleted} messages; left: {twilio.left}.")
    for reason in twilio.reasons:
        click.echo(f"Left at Twilio: {reason}", err=True)
