"""`horizonai-whatsapp-bot send --to-file`: a template to a list of people: first what it costs, last a report."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runtime.commands.opening import actor, configured
from terminal.questions import can_ask, confirm

if TYPE_CHECKING:
    from runtime.delivery.campaigns import CampaignEstimate, CampaignRequest
    from runtime.settings import Settings
    from runtime.store.database.database import Database
    from runtime.store.messages.campaigns import CampaignReport

LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class ListOptions:
    """The options of a send to a list."""

    path: Path
    template: str
    bot_id: str
    basis: str
    name: str | None
    any_hour: bool
    dry_run: bool
    yes: bool


def send_to_list(options: ListOptions) -> None:
    """Checks everything, asks, and sends until everybody has it."""
    from runtime.commands.people_file import read_people
    from runtime.delivery.campaigns import CampaignRequest

    settings = configured()
    rows = read_people(options.path)
    name = options.name or f"lista-{sha256(options.path.read_bytes()).hexdigest()[:16]}"
    quiet = not options.any_hour
    request = CampaignRequest(name, options.bot_id, options.template, options.basis, rows, actor(), quiet)
    asyncio.run(_send(settings, request, options))


async def _send(settings: Settings, request: CampaignRequest, options: ListOptions) -> None:
    from runtime.app import campaign_runner

    async with campaign_runner(settings) as (campaigns, database):
        found = await campaigns.estimate(request)
        _show_estimate(request, found, settings.campaign_max)
        if options.dry_run:
            click.echo("Dry run: nothing was sent.")
            return
        _confirm(found, options)
        await campaigns.begin(request)
        report = await _followed(database, request.id)
    _show_report(report)


def _show_estimate(request: CampaignRequest, found: CampaignEstimate, limit: int) -> None:
    have = len(request.rows) - found.people
    already = f", {have:,} have it already" if have else ""
    click.echo(f"Campaign {request.id}: {found.people:,} people get {request.template} ({found.category}){already}.")
    click.echo(f"Cost: up to {found.cost / 1e9:,.2f} USD ({found.unit_cost / 1e9:.4f} each), reserved in the budget.")
    click.echo(f"At most {limit:,} people a day (CAMPAIGN_MAX); who opted out is left out.")


def _confirm(found: CampaignEstimate, options: ListOptions) -> None:
    if options.yes or not found.people:
        return
    if not can_ask():
        raise click.UsageError("Without a terminal, --yes sends it and --dry-run only shows it.")
    confirm(f"Send to {found.people:,} people?")


async def _followed(database: Database, campaign_id: str) -> CampaignReport:
    """Shows the progress until the campaign ends or waits for another day."""
    from runtime.store.messages import campaigns as store

    shown: str | None = None
    report = await database.read(store.report, campaign_id)
    assert report is not None, "it was begun"
    with click.progressbar(length=report.total, label="sending", file=sys.stderr) as bar:
        while report.campaign.state == "running":
            bar.update(report.total - report.left - bar.pos)
            if report.campaign.reason != shown and report.campaign.reason is not None:
                shown = report.campaign.reason
                click.echo(f"\n{shown}", err=True)
            await asyncio.sleep(LOOK_SECONDS)
            report = await database.read(store.report, campaign_id) or report
        bar.update(report.total - report.left - bar.pos)
    return report


def _show_report(report: CampaignReport) -> None:
    for line in report_lines(report):
        click.echo(line)
    if report.campaign.state == "stopped":
        raise click.ClickException(f"The campaign was stopped: {report.campaign.reason}")


def report_lines(report: CampaignReport) -> Iterator[str]:
    """What happened to everybody, in words."""
    from runtime.store.delivery_errors import DELIVERY_ERRORS

    words = {"sent": "sent", "failed": "not sent", "skipped": "left out", "waiting": "waiting", "sending": "being sent"}
    for state, said in words.items():
        if report.rows.get(state):
            yield f"{said}: {report.rows[state]:,}"
    for status, count in sorted(report.statuses.items()):
        yield f"  {status}: {count:,}"
    for code, count in sorted(report.codes.items()):
        known = DELIVERY_ERRORS.get(code)
        yield f"  error {code}: {count:,}" + (f", {known.says}" if known is not None else "")
