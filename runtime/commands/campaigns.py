"""`horizonai-whatsapp-bot campaigns`: sends to lists, which `send --to-file` and the API begin."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from runtime.commands.campaign import report_lines
from runtime.commands.opening import actor, configured, in_sentences

if TYPE_CHECKING:
    from runtime.store.messages.campaigns import CampaignReport

FORMATS = click.Choice(["text", "json"])


@click.group(short_help="Sends to lists: how far they are; stop one.")
def campaigns() -> None:
    """Sends of a template to lists of people."""


@campaigns.command("list", short_help="List campaigns, newest first.")
@click.option("--client", help="Only this client's.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="At most this many.")
@click.option("--format", "form", type=FORMATS, default="text", show_default=True)
def campaigns_list(client: str | None, limit: int, form: str) -> None:
    """List campaigns: id, when it was begun and by whom, client, template, state, how many people have it of all."""
    from runtime.store.database.once import run_once
    from runtime.store.messages.campaigns import list_campaigns

    with in_sentences():
        found = run_once(configured().database_url, list_campaigns, client=client, limit=limit)
    if form == "json":
        click.echo(json.dumps([_document(report) for report in found], ensure_ascii=False, indent=2))
        return
    if not found:
        click.echo("No campaigns.", err=True)
    for report in found:
        one = report.campaign
        have = f"{report.rows.get('sent', 0):,} of {report.total:,}"
        click.echo("\t".join((one.id, one.created_at, one.created_by, report.client, one.template, one.state, have)))


@campaigns.command("show", short_help="Show how far a campaign is, and what failed.")
@click.argument("campaign_id", metavar="ID")
@click.option("--format", "form", type=FORMATS, default="text", show_default=True)
def campaigns_show(campaign_id: str, form: str) -> None:
    """Show a campaign: what was sent, delivered, left out and refused, by Twilio's codes in words."""
    report = _found(campaign_id)
    if form == "json":
        click.echo(json.dumps(_document(report), ensure_ascii=False, indent=2))
        return
    one = report.campaign
    click.echo(f"{one.id}: {one.template} for {report.client}, {one.state}")
    click.echo(f"begun: {one.created_at} by {one.created_by}, basis: {' '.join(one.basis.split())}")
    if one.reason is not None:
        click.echo(f"reason: {one.reason}")
    click.echo(f"cost of each: {one.unit_cost / 1e9:.4f} USD; not sent yet: {report.left:,} of {report.total:,}")
    for line in report_lines(report):
        click.echo(line)


@campaigns.command("stop", short_help="Stop a campaign.")
@click.argument("campaign_id", metavar="ID")
def campaigns_stop(campaign_id: str) -> None:
    """Stop a campaign: who has not got it gets nothing. What is being sent is sent. `send --to-file`
    with the same list or name continues it. Who stopped it is recorded."""
    from runtime.store.database.once import run_once
    from runtime.store.messages.campaigns import stop_by

    if _found(campaign_id).campaign.state == "done":
        raise click.ClickException(f"The campaign {campaign_id} is done; everybody was written to.")
    with in_sentences():
        run_once(configured().database_url, stop_by, actor(), campaign_id)
    report = _found(campaign_id)
    click.echo(f"Stopped: {report.left:,} of {report.total:,} people do not get it.")


def _found(campaign_id: str) -> CampaignReport:
    from runtime.store.database.once import run_once
    from runtime.store.messages.campaigns import report

    with in_sentences():
        found = run_once(configured().database_url, report, campaign_id)
    if found is None:
        raise click.ClickException(f"There is no campaign {campaign_id}; `campaigns list` shows their ids.")
    return found


def _document(report: CampaignReport) -> dict[str, object]:
    counts = {"client": report.client, "total": report.total, "rows": report.rows}
    return {**asdict(report.campaign), **counts, "statuses": report.statuses, "codes": report.codes}
