"""`horizonai-whatsapp-bot dead-letters`: turns that failed for good."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from runtime.commands.opening import actor, configured, in_sentences
from schemas.addresses import number_of


@click.group("dead-letters", short_help="Turns that failed for good.")
def dead_letters() -> None:
    """Turns that failed for good: their users got the fallback message."""


@dead_letters.command("list", short_help="List dead letters, with the reason.")
@click.option("--client", help="Only this client's.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def dead_letters_list(client: str | None, form: str) -> None:
    """List dead letters: id, when it failed, client, user, messages, when a later message of the user was answered,
    error."""
    from runtime.store.database.once import run_once
    from runtime.store.messages.dead_letters import listed_by

    with in_sentences():
        letters = run_once(configured().database_url, listed_by, actor(), clients=[client] if client else None)
    if form == "json":
        click.echo(json.dumps([asdict(letter) for letter in letters], ensure_ascii=False, indent=2))
        return
    if not letters:
        click.echo("No dead letters.", err=True)
    for letter in letters:
        users = ", ".join(sorted({number_of(message.sender) for message in letter.messages}))
        since = f"answered since: {letter.answered_since}" if letter.answered_since else "unanswered since"
        notice = f"; the notice to the user reached no phone: {letter.undelivered}" if letter.undelivered else ""
        error = f"{letter.error}{notice}"
        cells = (letter.id, letter.failed_at, letter.client, users, len(letter.messages), since, error)
        click.echo("\t".join(str(cell) for cell in cells))


@dead_letters.command("retry", short_help="Retry dead letters: their messages are answered after all.")
@click.argument("ids", nargs=-1, required=True, type=int, metavar="ID…")
@click.option("--force", is_flag=True, help="Also those whose user wrote again and was answered.")
def dead_letters_retry(ids: tuple[int, ...], force: bool) -> None:
    """Retry dead letters: their messages are answered after all, without a function being called again. A running
    service begins within seconds, another one when it starts. Refused once a user's later messages were answered."""
    from runtime.store.database.once import run_once
    from runtime.store.messages.dead_letters import force_retry, leave_all, retry

    with in_sentences():
        run_once(configured().database_url, leave_all, force_retry if force else retry, ids, actor())
    click.echo(f"To be answered again: {len(set(ids))}.")


@dead_letters.command("drop", short_help="Drop dead letters: their messages stay unanswered.")
@click.argument("ids", nargs=-1, required=True, type=int, metavar="ID…")
def dead_letters_drop(ids: tuple[int, ...]) -> None:
    """Drop dead letters: their messages stay unanswered. Who did it, and when, is recorded."""
    from runtime.store.database.once import run_once
    from runtime.store.messages.dead_letters import drop, leave_all

    with in_sentences():
        run_once(configured().database_url, leave_all, drop, ids, actor())
    click.echo(f"Dropped: {len(set(ids))}.")
