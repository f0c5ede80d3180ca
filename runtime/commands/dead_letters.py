"""`horizonai-whatsapp-bot dead-letters`: messages that no answer could be made for."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from runtime.commands.opening import actor_name, opened_store
from schemas.addresses import number_of

if TYPE_CHECKING:
    from sqlalchemy import Connection


@click.group("dead-letters", short_help="Messages that no answer could be made for.")
def dead_letters() -> None:
    """Messages that no answer could be made for: their users got the fallback message."""


@dead_letters.command("list", short_help="List them, with the reason.")
@click.option("--client", help="Only this client's.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def dead_letters_list(client: str | None, form: str) -> None:
    """List dead letters: id, when it failed, client, user, messages, error."""
    from runtime.store.messages.dead_letters import list_dead_letters

    with opened_store() as connection:
        letters = list_dead_letters(connection, client=client)
    if form == "json":
        click.echo(json.dumps([asdict(letter) for letter in letters], ensure_ascii=False, indent=2))
        return
    if not letters:
        click.echo("No dead letters.", err=True)
    for letter in letters:
        users = ", ".join(sorted({number_of(message.sender) for message in letter.messages}))
        cells = (letter.id, letter.failed_at, letter.client, users, len(letter.messages), letter.error)
        click.echo("\t".join(str(cell) for cell in cells))


@dead_letters.command("retry", short_help="Answer their messages after all.")
@click.argument("ids", nargs=-1, required=True, type=int, metavar="ID…")
def dead_letters_retry(ids: tuple[int, ...]) -> None:
    """Answer their messages after all. A running service begins within seconds, another one when it starts."""
    from runtime.store.messages.dead_letters import retry

    _leave(ids, retry)
    click.echo(f"To be answered again: {len(set(ids))}.")


@dead_letters.command("drop", short_help="Let them go unanswered.")
@click.argument("ids", nargs=-1, required=True, type=int, metavar="ID…")
def dead_letters_drop(ids: tuple[int, ...]) -> None:
    """Let them go: their messages stay unanswered. Who did it, and when, is kept."""
    from runtime.store.messages.dead_letters import drop

    _leave(ids, drop)
    click.echo(f"Dropped: {len(set(ids))}.")


def _leave(ids: tuple[int, ...], way: Callable[[Connection, int, str], bool]) -> None:
    """Retries or drops dead letters, all of them or none."""
    actor = actor_name()
    with opened_store() as connection:
        unknown = [str(turn_id) for turn_id in dict.fromkeys(ids) if not way(connection, turn_id, actor)]
        if unknown:
            raise click.ClickException(
                f"No dead letter: {', '.join(unknown)}. Nothing was changed; "
                "see `horizonai-whatsapp-bot dead-letters list`."
            )
