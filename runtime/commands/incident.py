"""`horizonai-whatsapp-bot incident`: whose data an incident has touched, which, and by whom."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime

import click

from runtime.commands.moments import MomentType
from runtime.commands.opening import actor, configured, in_sentences


@click.group(short_help="Whose data an incident has touched.")
def incident() -> None:
    """Incidents: whose data were touched, which, and by whom, as far as the audit has it."""


@incident.command("report", short_help="Draft the report of an incident, in Spanish.")
@click.option(
    "--since", type=MomentType(), metavar="TIME", required=True, help="Such as 36h or 2026-11-30T14:00 (UTC)."
)
@click.option("--until", type=MomentType(), metavar="TIME", help="Until then; now without it.")
@click.option("--token", metavar="NAME", help="Only what this token, operator or user did.")
@click.option("--client", help="Only this client's.")
@click.option("--format", "form", type=click.Choice(["markdown", "json"]), default="markdown", show_default=True)
def incident_report(since: str, until: str | None, token: str | None, client: str | None, form: str) -> None:
    """Draft what the agency and each client need to report an incident: how many people, which categories of data, who
    read and changed what, and from where. In Spanish, to be completed and checked by a lawyer."""
    from runtime.privacy.incident_report import incident_markdown
    from runtime.store.audit import Entry, record
    from runtime.store.database.once import run_once
    from runtime.store.incidents import read_incident

    end = until or datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if since >= end:
        raise click.UsageError("--since must be before --until.")
    with in_sentences():
        url = configured().database_url
        found = run_once(url, read_incident, since, end, token, client)
        run_once(url, record, actor(), Entry("reported", "incident", since, client, fields=[token or "all actors"]))
    if form == "json":
        click.echo(json.dumps(asdict(found), ensure_ascii=False, indent=2))
        return
    click.echo(incident_markdown(found), nl=False)
