"""`horizonai-whatsapp-bot person requests`: the register of what people ask for under the law."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, cast

import click

from runtime.commands.opening import actor, configured, in_sentences
from runtime.commands.person import CLIENT, FORMAT, run_with_people

if TYPE_CHECKING:
    from runtime.privacy.people import People
    from runtime.store.messages.privacy_requests import Outcome, PrivacyRequest, RequestKind
    from runtime.store.messages.unfinished_erasures import UnfinishedErasure

KINDS = ("access", "rectification", "erasure", "objection", "blocking", "portability", "review")
OUTCOMES = ("granted", "granted_in_part", "refused", "withdrawn")
"""Those of `runtime.store.messages.privacy_requests`, without importing it for a help text."""
RECEIVED = ("%Y-%m-%d", "%Y-%m-%dT%H:%M")


@click.command("requests", short_help="The register of what people ask for, with what the law allows.")
@click.argument("user", metavar="[USER]", required=False)
@CLIENT
@click.option(
    "--register",
    "kind",
    type=click.Choice(KINDS),
    metavar="KIND",
    help=f"Register a request of USER; needs --client. KIND: {', '.join(KINDS)}.",
)
@click.option(
    "--received",
    type=click.DateTime(RECEIVED),
    metavar="DATE",
    help="When it was received, as 2026-12-01 or 2026-12-01T10:30 by the client's clock; now without it.",
)
@click.option("--acknowledge", type=int, metavar="N", help="Request N: its receipt was confirmed to the person.")
@click.option("--extend", type=int, metavar="N", help="Request N gets 30 days more, once; needs --because.")
@click.option("--because", help="Why it takes longer: a reference, no content.")
@click.option("--answer", type=int, metavar="N", help="Request N was answered; needs --outcome and --proof.")
@click.option(
    "--outcome", type=click.Choice(OUTCOMES), metavar="WORD", help=f"How it was answered: {', '.join(OUTCOMES)}."
)
@click.option("--proof", help="A reference to what was sent: a ticket, the hash of the letter. No content.")
@click.option("--receipt", type=int, help="The number of the receipt of what was done.")
@FORMAT
def person_requests(
    user: str | None,
    client: str | None,
    kind: str | None,
    received: datetime | None,
    acknowledge: int | None,
    extend: int | None,
    because: str | None,
    answer: int | None,
    outcome: str | None,
    proof: str | None,
    receipt: int | None,
    form: str,
) -> None:
    """List what USER asked for, or all people: id, client, kind, received, due by law, state, acknowledged, answered,
    proof. Below are erasures of which something is left elsewhere, and when it is tried again. One option registers a
    request or records what was done about one.

    The law (Ley 19.628 as reformed by Ley 21.719, in force from 2026-12-01 unless postponed) allows 30 calendar days,
    once 30 more, and 2 working days for a block. Reminders come 7 days, 2 days and on the day before it is due, by
    ALERT_NOTIFY.
    """
    if kind is not None:
        _show([_registered(user, client, kind, received)], form)
    elif acknowledge is not None or extend is not None or answer is not None:
        _show([_changed(acknowledge, extend, because, answer, outcome, proof, receipt)], form)
    else:
        found, unfinished = run_with_people(lambda people: _listed(people, user, client))
        if not found:
            click.echo("No requests.", err=True)
        _show(found, form)
        for erasure in unfinished:
            click.echo(_line(erasure), err=form == "json")


async def _listed(
    people: People, user: str | None, client: str | None
) -> tuple[Sequence[PrivacyRequest], Sequence[UnfinishedErasure]]:
    return await people.requests(user, client), await people.unfinished(user, client)


def _line(erasure: UnfinishedErasure) -> str:
    """An erasure of which something is left."""
    why = "; ".join(f"{item['where']}: {item['why']}" for item in erasure.left)
    return (
        f"Erasure of receipt {erasure.receipt}, {erasure.client or 'all clients'}, since {erasure.since}: attempt"
        f" {erasure.attempts + 1} at {erasure.next_at}; left at {why}"
    )


def _registered(user: str | None, client: str | None, kind: str, received: datetime | None) -> PrivacyRequest:
    if user is None or client is None:
        raise click.UsageError("--register needs USER and --client: whose request, and to whom.")
    asked = cast("RequestKind", kind)
    return run_with_people(lambda people: people.register(user, actor(), asked, client, received))


def _changed(
    acknowledge: int | None,
    extend: int | None,
    because: str | None,
    answer: int | None,
    outcome: str | None,
    proof: str | None,
    receipt: int | None,
) -> PrivacyRequest:
    """Records what was done about a request."""
    from runtime.store.database.once import run_once
    from runtime.store.messages import privacy_requests

    with in_sentences():
        url, by = configured().database_url, actor()
        if acknowledge is not None:
            return run_once(url, privacy_requests.acknowledge, acknowledge, by)
        if extend is not None:
            return run_once(url, privacy_requests.extend, extend, _reference(because, "--extend needs --because."), by)
        assert answer is not None, "one of the three is given"
        if outcome is None:
            raise click.UsageError("--answer needs --outcome and --proof.")
        proved = _reference(proof, "--answer needs --outcome and --proof.")
        return run_once(url, privacy_requests.answer, answer, cast("Outcome", outcome), proved, by, receipt)


def _reference(text: str | None, missing: str) -> str:
    """A text that leads to a document and has no content."""
    from runtime.store.messages.privacy_requests import NO_CONTENT, is_content

    if not text:
        raise click.UsageError(missing)
    if is_content(text):
        raise click.UsageError(f"{text!r}: {NO_CONTENT}.")
    return text


def _show(found: Sequence[PrivacyRequest], form: str) -> None:
    from runtime.store.database.times import timestamp

    if form == "json":
        click.echo(json.dumps([asdict(one) for one in found], ensure_ascii=False, indent=2))
        return
    for one in found:
        state = one.state(timestamp())
        cells = (one.id, one.client, one.kind, one.received_at, one.due_at, state)
        rest = (one.acknowledged_at or "not acknowledged", one.answered_at or "not answered", one.proof or "")
        click.echo("\t".join(map(str, (*cells, *rest))))
