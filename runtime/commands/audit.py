"""`horizonai-whatsapp-bot audit`: who read what people wrote, and who changed what."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import asdict, fields
from typing import TYPE_CHECKING

import click

from runtime.commands.moments import MomentType
from runtime.commands.opening import configured, in_sentences

if TYPE_CHECKING:
    from runtime.store.audit_reading import AuditEntry


@click.command(short_help="Who read what people wrote, and who changed what.")
@click.option("--client", help="Only this client's.")
@click.option("--since", type=MomentType(), metavar="TIME", help="From then on, such as 7d or 2026-11-30T14:00 (UTC).")
@click.option("--until", type=MomentType(), metavar="TIME", help="Before then.")
@click.option("--actor", help="Only what this token, operator or user did.")
@click.option("--format", "form", type=click.Choice(["text", "csv", "json"]), default="text", show_default=True)
def audit(client: str | None, since: str | None, until: str | None, actor: str | None, form: str) -> None:
    """List the audit: when, client, who, by which way, from where, what was done, to what, how many conversations it
    concerns, details. Nothing of what people wrote is in it."""
    from runtime.store.audit_reading import AuditFilter, every_entry
    from runtime.store.database.once import run_once

    wanted = AuditFilter([client] if client else None, since, until, actor)
    with in_sentences():
        entries = run_once(configured().database_url, every_entry, wanted)
    if form == "json":
        click.echo(json.dumps([asdict(entry) for entry in entries], ensure_ascii=False, indent=2))
    elif form == "csv":
        _write_csv([asdict(entry) for entry in entries])
    else:
        for entry in entries:
            click.echo("\t".join(_cells(entry)))
        if not entries:
            click.echo("The audit has nothing of that.", err=True)


def _write_csv(entries: list[dict[str, object]]) -> None:
    from runtime.store.audit_reading import AuditEntry

    table = csv.DictWriter(sys.stdout, [field.name for field in fields(AuditEntry)], lineterminator="\n")
    table.writeheader()
    for entry in entries:
        lists = {name: " ".join(map(str, value)) for name, value in entry.items() if isinstance(value, list | tuple)}
        table.writerow(entry | lists)


def _cells(entry: AuditEntry) -> tuple[str, ...]:
    people = "-" if entry.conversations is None else f"{len(entry.conversations)} conversations"
    details = [*entry.fields, *([f"overrides {entry.overridden}"] if entry.overridden else [])]
    return (
        entry.at,
        entry.client or "-",
        entry.actor,
        entry.via or "-",
        entry.address or "-",
        entry.action,
        f"{entry.kind} {entry.object_id}",
        people,
        ", ".join(details) or "-",
    )
