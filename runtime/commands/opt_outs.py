"""`horizonai-whatsapp-bot opt-outs`: who wants no more proactive messages."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import asdict, fields
from typing import TYPE_CHECKING

import click

from runtime.commands.opening import actor, configured, in_sentences

if TYPE_CHECKING:
    from runtime.store.messages.opt_outs import OptOutRecord

PAGE = 1000


@click.command("opt-outs", short_help="Who wants no more proactive messages.")
@click.option("--client", help="Only this client's.")
@click.option("--format", "form", type=click.Choice(["csv", "json"]), default="csv", show_default=True)
def opt_outs(client: str | None, form: str) -> None:
    """List who wants no marketing, or no proactive message at all: client, user, list, since when and by what.

    `by`: word, button (WhatsApp's own), twilio, or the code with which a message was refused.
    """
    from runtime.store.messages.opt_outs import OptOutRecord

    with in_sentences():
        records = _all(configured().database_url, client)
    if form == "json":
        click.echo(json.dumps([asdict(record) for record in records], ensure_ascii=False, indent=2))
        return
    names = [field.name for field in fields(OptOutRecord)]
    table = csv.DictWriter(sys.stdout, names, lineterminator="\n")
    table.writeheader()
    table.writerows(asdict(record) for record in records)


def _all(database_url: str, client: str | None) -> list[OptOutRecord]:
    from runtime.store.database.once import run_once
    from runtime.store.messages.opt_outs import listed_by

    found: list[OptOutRecord] = []
    by = actor()
    while True:
        after = found[-1].id if found else 0
        clients = [client] if client else None
        page = run_once(database_url, listed_by, by, clients=clients, limit=PAGE, after=after)
        found += page
        if len(page) < PAGE:
            return found
