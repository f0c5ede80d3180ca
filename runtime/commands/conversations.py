"""`horizonai-whatsapp-bot conversations`: people read conversations, and answer in them. Beside a running service,
which sends what they write."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runtime.commands.opening import actor, configured, in_sentences
from schemas.addresses import number_of

if TYPE_CHECKING:
    from runtime.delivery.operators import HumanOperators
    from runtime.store.messages.outbound_content import OutboundContent
    from runtime.store.messages.threads import ConversationSummary, ThreadMessage

ID = click.argument("conversation_id", metavar="ID", type=int)
FORCE = click.option("--force", is_flag=True, help="Also where another person has it.")
FORMAT = click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)


@click.group(short_help="Conversations: who waits, what was said; answer instead of the assistant.")
def conversations() -> None:
    """Conversations: who waits, what was said, and answers by a person instead of the assistant. What you do, and what
    you read, is recorded in the audit."""


@conversations.command("list", short_help="List conversations, the newest message first.")
@click.option("--client", help="Only this client's.")
@click.option("--state", type=click.Choice(["assistant", "human", "closed"]), help="Only those in this state.")
@click.option("--waiting", is_flag=True, help="Only those that people have and have not answered.")
@click.option("--unread", is_flag=True, help="Only those with a message that no person has read.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="Page size.")
@click.option("--after", type=int, help="The last cell of the last line of the previous page.")
@FORMAT
def conversations_list(
    client: str | None, state: str | None, waiting: bool, unread: bool, limit: int, after: int | None, form: str
) -> None:
    """List conversations, the newest message first: id, client, user, name, state, who has it, when the user last
    wrote, unread messages, and what --after continues from."""
    from runtime.store.database.once import run_once
    from runtime.store.messages.threads import LAST, listed_by

    filters: dict[str, Any] = {"clients": [client] if client else None, "state": state, "limit": limit}
    with in_sentences():
        found = run_once(
            configured().database_url,
            listed_by,
            actor(),
            waiting=waiting,
            unread=unread,
            before=LAST if after is None else after,
            **filters,
        )
    if form == "json":
        click.echo(json.dumps([asdict(conversation) for conversation in found], ensure_ascii=False, indent=2))
        return
    if not found:
        click.echo("No conversations.", err=True)
    for conversation in found:
        click.echo("\t".join(_cells(conversation)))


@conversations.command("show", short_help="Show a conversation. It counts as read then.")
@ID
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="Messages, the newest ones.")
@FORMAT
def conversations_show(conversation_id: int, limit: int, form: str) -> None:
    """Show a conversation: who has it, its messages with their delivery, calls of functions, notes, what it cost."""
    from runtime.store.database.once import run_once
    from runtime.store.errors import NoConversation
    from runtime.store.messages.threads import read_by

    with in_sentences():
        thread = run_once(configured().database_url, read_by, actor(), conversation_id, limit=limit)
        if thread is None:
            raise NoConversation(conversation_id)
    if form == "json":
        click.echo(json.dumps(asdict(thread), ensure_ascii=False, indent=2))
        return
    click.echo("\t".join(_cells(thread.conversation)))
    if thread.conversation.consent:
        click.echo(f"consent: {thread.conversation.consent}")
    if thread.conversation.summary:
        click.echo(f"summary: {' '.join(thread.conversation.summary.split())}")
    until = thread.conversation.window_until or "no time, until the person writes"
    click.echo(f"free text is delivered until: {until}")
    click.echo(f"cost of these messages: {thread.cost_nano_usd / 1e9:.4f} USD")
    click.echo()
    for message in thread.messages:
        click.echo(_line(message))
    for call in thread.calls:
        click.echo(f"{call.at}  function {call.name}({call.arguments}) → {call.output}")
    for note in thread.notes:
        click.echo(f"{note.at}  note by {note.author}: {note.body}")


@conversations.command("take", short_help="Take a conversation: the assistant is silent.")
@ID
@FORCE
def conversations_take(conversation_id: int, force: bool) -> None:
    """Take a conversation: the assistant is silent until you release or close it, or have written nothing for as long
    as `handoff.resume_after` says."""
    _act(lambda people: people.take(conversation_id, actor(), force=force))
    click.echo(f"{actor().name} has conversation {conversation_id}.")


@conversations.command("release", short_help="Give a conversation back to the assistant.")
@ID
@FORCE
def conversations_release(conversation_id: int, force: bool) -> None:
    """Give a conversation back to the assistant, which answers what no person has, in one turn."""
    turns: list[int] = []

    async def release(people: HumanOperators) -> None:
        turns.append(await people.release(conversation_id, actor(), force=force))

    _act(release)
    answered = "; it answers what was left" if turns[0] else ""
    click.echo(f"The assistant has conversation {conversation_id}{answered}.")


@conversations.command("close", short_help="Close a conversation until its user writes again.")
@ID
@FORCE
def conversations_close(conversation_id: int, force: bool) -> None:
    """Close a conversation: no answer is due until its user writes again, which the assistant then answers."""
    _act(lambda people: people.close(conversation_id, actor(), force=force))
    click.echo(f"Conversation {conversation_id} is closed.")


@conversations.command("reply", short_help="Answer in a conversation.")
@ID
@click.argument("text", default="")
@click.option(
    "--file",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A document (PDF, DOCX, XLSX, PPTX; without TEXT) or a picture (JPEG, PNG).",
)
@FORCE
def conversations_reply(conversation_id: int, text: str, path: Path | None, force: bool) -> None:
    """Answer in a conversation as a person; takes it where no person has it. The running service sends it within
    seconds."""
    if not text.strip() and path is None:
        raise click.UsageError("Write a TEXT, or name a --file.")

    async def reply(people: HumanOperators) -> None:
        content = await _content(people, conversation_id, text, path)
        await people.reply(conversation_id, actor(), content, force=force)

    _act(reply)
    click.echo("Queued; `conversations show` tells whether it was delivered.")


@conversations.command("note", short_help="Note something for other people.")
@ID
@click.argument("text")
def conversations_note(conversation_id: int, text: str) -> None:
    """Note something about a conversation, for other people. Its user never sees it."""
    from runtime.store.database.once import run_once
    from runtime.store.messages.operators import add_note

    with in_sentences():
        run_once(configured().database_url, add_note, conversation_id, actor(), text)
    click.echo("Noted.")


@conversations.command("test", short_help="Write a test case of a turn, for a pull request.")
@ID
@click.option(
    "--turn", type=int, metavar="N", help="The turn's id, as logs and `show` have it; else the newest answered."
)
@click.option("--name", default="caso", show_default=True, help="The case's name.")
@click.option("--contains", multiple=True, metavar="TEXT", help="What a right answer has; may be repeated.")
@click.option("--not-contains", multiple=True, metavar="TEXT", help="What it does not have; may be repeated.")
@click.option("--judge", metavar="TEXT", help="What a model must find true of it, in words.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write it to this file instead.")
def conversations_test(conversation_id: int, out: Path | None, **options: Any) -> None:
    """Write the test case of a real turn: the question, what came before, what functions answered. Names, numbers and
    addresses are other ones; you read it on the terminal and confirm before it is written. Not for a client with
    sensitive data."""
    from runtime.store.database.once import run_once
    from runtime.store.messages.case_text import case_text
    from runtime.store.messages.replayed_case import case_of
    from runtime.store.messages.replays import turn_for
    from terminal.questions import can_ask, confirm

    if not can_ask():
        raise click.UsageError("A person reads the case before it is written: run this on a terminal.")
    settings = configured()
    with in_sentences():
        turn = run_once(settings.database_url, turn_for, actor(), conversation_id, options["turn"])
    expected = {key: value for key in ("contains", "not_contains") if (value := list(options[key]))}
    expected |= {"judge": options["judge"]} if options["judge"] else {}
    try:
        text = case_text(options["name"], turn, case_of(turn, settings.timezone, expected))
    except ValueError as error:
        raise click.ClickException(f"The turn makes no valid case: {error}") from error
    click.echo(text, err=True)
    confirm("Is there nothing of a person in it, such as a name, a number or an address?")
    if out is not None:
        _write(out, text)
    elif not sys.stdout.isatty():
        click.echo(text, nl=False)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}.") from error


def _act(act: Callable[[HumanOperators], Awaitable[object]]) -> None:
    from runtime.app import operating

    async def run() -> None:
        async with operating(configured()) as people:
            await act(people)

    with in_sentences():
        asyncio.run(run())


async def _content(people: HumanOperators, conversation_id: int, text: str, path: Path | None) -> OutboundContent:
    """What is sent; a file is stored first."""
    from runtime.delivery.file_links import path_of_file
    from runtime.store import files
    from runtime.store.files import Receiving
    from runtime.store.messages import reply_files
    from runtime.store.messages.outbound_content import OutboundMedia, OutboundText
    from schemas.media_types import BY_SUFFIX, type_of_name

    if path is None:
        return OutboundText(text)
    try:
        kind, content = type_of_name(path.name), await asyncio.to_thread(path.read_bytes)
    except OSError as error:
        raise click.UsageError(f"{path} cannot be read: {error.strerror}.") from error
    if kind is None or not kind.is_type_of(content):
        raise click.UsageError(f"{path} is not one of {', '.join(BY_SUFFIX)} by its name and its content.")
    if len(content) > kind.max_bytes:
        raise click.UsageError(f"{path} has {len(content)} bytes; WhatsApp takes {kind.max_bytes}.")
    if text and not kind.is_image:
        raise click.UsageError("WhatsApp shows no text with a document; send the text as a message of its own.")
    await people.conversation(conversation_id)
    receiving = Receiving(sha256(content).hexdigest())
    for number, piece in [*receiving.pieces(content), *receiving.last()]:
        await people.database.write(files.add_piece, receiving.upload, number, piece)
    await people.database.write(reply_files.finish, receiving, conversation_id)
    return OutboundMedia(path_of_file(receiving.sha256, path.name), text)


def _cells(conversation: ConversationSummary) -> list[str]:
    state = conversation.state if conversation.reason is None else f"{conversation.state} ({conversation.reason})"
    return [
        str(conversation.id),
        conversation.client,
        number_of(conversation.user),
        conversation.name or "-",
        state,
        conversation.operator or ("waiting for a person" if conversation.is_waiting else "-"),
        conversation.last_inbound or "-",
        str(conversation.unread),
        str(conversation.newest),
    ]


def _line(message: ThreadMessage) -> str:
    """A message; a turn's id is what `conversations test` is given."""
    state = message.status or message.state
    why = f": {message.error_code or message.reason}" if message.error_code or message.reason else ""
    turn = f", turn {message.turn}" if message.turn is not None else ""
    return f"{message.at}  {message.author} [{state}{why}{turn}]  {message.text}"
