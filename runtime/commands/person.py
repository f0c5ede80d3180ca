"""`horizonai-whatsapp-bot person`: what is done for a person who asks: find, export, block, erase. Beside a running
service. What each does is recorded in the audit, and ends with a receipt."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from runtime.commands.opening import actor, configured, in_sentences
from terminal.questions import can_ask, confirm

if TYPE_CHECKING:
    from runtime.privacy.erasure import ErasureResult
    from runtime.privacy.people import Elsewhere, People
    from runtime.store.messages.blocking import BlockingDone
    from runtime.store.messages.person_copies import FoundPerson
    from runtime.store.messages.receipts import PersonReceipt

T = TypeVar("T")
IN_PART = 4
"""Exit code: something that should be deleted is left; the command is to be repeated."""
USER = click.argument("user", metavar="USER")
CLIENT = click.option("--client", metavar="ID", help="Only with this client; with all without it.")
FORMAT = click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
_WHAT = {
    "messages": "messages from them",
    "files": "of these with files, at Twilio until deleted",
    "answers": "messages to them",
    "memory": "items of the assistant's memory",
    "turns": "turns",
    "notes": "notes by people",
    "consents": "answers about a model reading their messages",
    "files_to_them": "files that people sent them",
    "addresses": "addresses that lead here",
    "ledger": "rows of the ledger",
    "reads": "reads and acts by people",
}
"""The counts of a conversation, in words."""


@click.group(short_help="A person who asks: find, export, block, erase; requests and receipts.")
def person() -> None:
    """What is done for a person who asks. USER is a number (+56912345678) or WhatsApp's user id (CL.1A2B3C); every
    address of theirs counts. Each command but `find` ends with a receipt."""


def run_with_people(work: Callable[[People], Awaitable[T]]) -> T:
    """Runs something with what is done for people; errors become sentences."""

    async def run() -> T:
        from runtime.app import helping_people

        async with helping_people(configured()) as people:
            return await work(people)

    with in_sentences():
        return asyncio.run(run())


@person.command("find", short_help="What there is about a person, and where; no content.")
@USER
@CLIENT
@click.option("--here", is_flag=True, help="Do not ask Twilio how many messages it keeps.")
@FORMAT
def person_find(user: str, client: str | None, here: bool, form: str) -> None:
    """List what there is about USER and where: in the store, at the desk, at the model's provider, at Twilio. Nothing
    of what was said is shown, and nothing is changed."""

    async def find(people: People) -> tuple[FoundPerson, Elsewhere | None]:
        found = await people.find(user, client)
        return found, None if here else await people.elsewhere(found, client)

    found, elsewhere = run_with_people(find)
    if form == "json":
        document = {**asdict(found), "elsewhere": None if elsewhere is None else asdict(elsewhere)}
        click.echo(json.dumps(document, ensure_ascii=False, indent=2))
        return
    for line in _lines(found, elsewhere):
        click.echo(line)


@person.command("export", short_help="Write what there is about a person, as a package.")
@USER
@CLIENT
@click.option("--out", type=click.Path(path_type=Path), default=Path("person.zip"), show_default=True, help="The file.")
def person_export(user: str, client: str | None, out: Path) -> None:
    """Write what there is about USER, for them: `person.json`, `person.html` and their files, as a ZIP file that only
    its owner may read. The format is in docs/person-export.md. A blocked person's export works, and says so."""
    path = out / "person.zip" if out.is_dir() else out
    try:
        done = run_with_people(lambda people: people.export(user, actor(), path, client))
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror or error}. Check --out.") from error
    missing = f", {done.missing} missing" if done.missing else ""
    click.echo(f"{path}: {done.messages} messages in {done.conversations} conversations, {done.files} files{missing}.")
    if done.is_blocked:
        click.echo("This person is blocked; their own export has everything all the same.")
    say_receipt(done.receipt)


@person.command("block", short_help="Block a person: nothing of them is processed from now on.")
@USER
@CLIENT
def person_block(user: str, client: str | None) -> None:
    """Block USER: they get no answer, no model, desk or notice hears of them, nothing is sent to them, they are in no
    report and no bulk export. Holds within the turn that runs, and also where they have not written yet."""
    _say_blocked("Blocked", run_with_people(lambda people: people.block(user, actor(), client)))


@person.command("unblock", short_help="End a block.")
@USER
@CLIENT
def person_unblock(user: str, client: str | None) -> None:
    """End the block of USER. What they wrote meanwhile stays unanswered, and the assistant does not know of it."""
    _say_blocked("Unblocked", run_with_people(lambda people: people.unblock(user, actor(), client)))


@person.command("rectify", short_help="Rectify how a person is called, or a transcript.")
@USER
@CLIENT
@click.option("--name", help="How they want to be called, whatever WhatsApp sends.")
@click.option("--message", type=int, metavar="N", help="The id of a message with a voice note; needs --transcript.")
@click.option("--transcript", help="What was said in it.")
def person_rectify(
    user: str, client: str | None, name: str | None, message: int | None, transcript: str | None
) -> None:
    """Rectify what is kept about USER: how they are called, or what was heard in a voice note, also in what the
    assistant remembers. What they wrote themselves stays as they wrote it."""
    if (name is None) == (message is None) or (message is None) != (transcript is None):
        raise click.UsageError("Give --name, or --message with --transcript.")
    heard = None if message is None else (message, transcript or "")
    done = run_with_people(lambda people: people.rectify(user, actor(), name, heard, client))
    click.echo(f"Rectified. Conversations: {done.conversations}.")
    say_receipt(done.receipt)


@person.command("erase", short_help="Erase a person for good, everywhere.")
@USER
@CLIENT
@click.option("--dry-run", is_flag=True, help="Only list what would be deleted.")
@click.option("--yes", is_flag=True, help="Do not ask; needed where there is no terminal.")
def person_erase(user: str, client: str | None, dry_run: bool, yes: bool) -> None:
    """Delete for good what there is about USER: in the store, at the model's provider, at the desk and at Twilio. Lists
    it first. In the ledger amounts stay, and lead to no person.

    Blocks and opt-outs still hold, as a keyed hash of each address. Exit 4 when something could not be deleted
    elsewhere: the store is erased all the same, and the service continues with the rest, as the same command does.
    """
    if not (yes or dry_run or can_ask()):
        raise click.ClickException("There is no terminal to ask on: add --yes to delete, or --dry-run to list.")

    async def find(people: People) -> tuple[FoundPerson, Elsewhere]:
        found = await people.find(user, client)
        return found, await people.elsewhere(found, client)

    if dry_run or not yes:
        for line in _lines(*run_with_people(find)):
            click.echo(line)
    if dry_run:
        return
    if not yes:
        confirm(f"All of this will be deleted for good{f' with {client}' if client else ''}. Continue?")
    done = run_with_people(lambda people: people.erase(user, actor(), client))
    _say_erased(done)
    if not done.complete:
        click.echo(
            "Not everything was deleted. The service tries the rest again (`person requests` has when); repeating the "
            "command tries it now.",
            err=True,
        )
        sys.exit(IN_PART)


@person.command("receipts", short_help="Receipts of what was done for people, and whether their chain is whole.")
@click.argument("user", metavar="[USER]", required=False)
@FORMAT
def person_receipts(user: str | None, form: str) -> None:
    """List receipts, of USER or of all, and check that none was changed, left out or put in between: each has the hash
    of the one before. Exit 1 where the chain is broken."""
    from runtime.privacy.erasure import address_of
    from runtime.store.database.once import run_once
    from runtime.store.messages import person_copies, receipts

    with in_sentences():
        url = configured().database_url
        found = (
            run_once(url, receipts.list_receipts)
            if user is None
            else run_once(url, person_copies.find, address_of(user)).receipts
        )
        broken = run_once(url, receipts.first_break)
    if form == "json":
        click.echo(json.dumps([asdict(receipt) for receipt in found], ensure_ascii=False, indent=2))
    else:
        for receipt in found:
            document = receipt.document
            cells = (receipt.number, receipt.at, document["action"], document["client"] or "all clients")
            click.echo("\t".join(map(str, (*cells, document["by"], receipt.hash))))
    if broken is not None:
        raise click.ClickException(f"The chain is broken at receipt {broken}: it is not as it was issued.")
    click.echo("The chain of receipts is whole.", err=True)


def say_receipt(receipt: PersonReceipt) -> None:
    """Prints what a receipt says remains, and its number and hash."""
    for item in receipt.document.get("left", ()):
        click.echo(f"Left at {item['where']}: {item['why']}", err=True)
    for sentence in receipt.document["remains"]:
        click.echo(f"Remains. {sentence}")
    click.echo(f"Receipt {receipt.number} of {receipt.at}: {receipt.hash}")


def _say_blocked(what: str, done: BlockingDone) -> None:
    click.echo(f"{what}. Conversations: {done.conversations}.")
    say_receipt(done.receipt)


def _say_erased(done: ErasureResult) -> None:
    click.echo(f"Erased. Conversations: {done.conversations}, messages: {done.messages}.")
    for item in done.receipt.document["done"]:
        click.echo(f"Deleted. {item['where']}: {item['count']} {item['what']}")
    say_receipt(done.receipt)


def _lines(found: FoundPerson, elsewhere: Elsewhere | None) -> list[str]:
    from runtime.privacy.people import shown_addresses

    lines = [f"addresses: {', '.join(shown_addresses(found))}"]
    for one in found.conversations:
        states = [f"blocked since {one.blocked_at}"] if one.blocked_at else []
        states += [f"opted out since {one.opted_out_at}"] if one.opted_out_at else []
        states += ["erased here, left elsewhere"] if one.is_erased else []
        wrote = f"{one.first_at} to {one.last_at}" if one.first_at else "never wrote"
        lines.append(f"{one.client}, conversation {one.id}: {'; '.join([wrote, *states])}")
        lines += [f"  {count:>6} {_WHAT[name]}" for name, count in one.counts.items() if count]
        lines += ["  a conversation at the desk"] if one.is_at_desk else []
        lines += ["  a session or thread at the model's provider"] if one.is_at_model else []
    lines += [f"lists of sends: {found.lists}"] if found.lists else []
    lines += [f"messages to them outside of conversations: {found.notices}"] if found.notices else []
    for mark in found.marks:
        what = "blocked" if mark.kind == "blocked" else f"opted out of {mark.detail}"
        lines.append(f"kept as keyed hashes: {what} since {mark.at}, {mark.client or 'all clients'}")
    lines += [f"request {one.id}: {one.kind}, {one.client}, due {one.due_at}" for one in found.requests]
    lines += [f"receipt {one.number}: {one.document['action']}, {one.at}" for one in found.receipts]
    lines += [
        f"erasure of receipt {one.receipt}: left elsewhere, tried again at {one.next_at}" for one in found.unfinished
    ]
    if elsewhere is not None:
        lines.append(f"messages at Twilio: {elsewhere.twilio}")
        lines += [f"not known in full: {reason}" for reason in elsewhere.unknown]
    return lines
