"""`reconcile status`: the status of each client. Read-only."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

import click

from reconciler.commands.completion import client_ids
from reconciler.commands.planning import load_fleet, observed, report_missing_store
from reconciler.commands.printing import colour_wanted, write
from reconciler.doctor.secrets import Missing, UnknownSecrets, declares_secrets, read_missing_secrets
from reconciler.errors import Exit, ReadFailed
from reconciler.manifest import Fleet
from reconciler.model import Plan
from reconciler.observation.live_state import Failed
from reconciler.planning.plan import Scope, make_plan
from reconciler.settings import Settings
from reconciler.status.canary import CanaryStatus
from reconciler.status.facts import statuses
from reconciler.status.row import REPLY_DAYS, ClientStatus
from reconciler.status.undeclared import UndeclaredBot, undeclared_bots, undeclared_text
from runtime.store.activity_records import CanaryRecord, ReplyCounts
from runtime.store.client.history import read_activity, read_reply_counts, read_spent
from runtime.store.database.times import timestamp
from runtime.store.errors import StoreError
from terminal.language import said

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class StatusOptions:
    """The command's argument and options."""

    client: str | None
    clients: tuple[str, ...]
    output: Literal["text", "json"]
    wide: bool
    checklist: str | None
    report: bool

    @property
    def only(self) -> tuple[str, ...]:
        """The ids of the clients that were named; all without any."""
        return tuple(filter(None, (self.client, self.checklist, *self.clients)))


@click.command()
@click.argument("client", metavar="[ID]", required=False, shell_complete=client_ids)
@click.option(
    "--client",
    "clients",
    multiple=True,
    metavar="ID",
    shell_complete=client_ids,
    help="Only this client; may be repeated.",
)
@click.option("--format", "output", type=click.Choice(["text", "json"]), default="text", help="Output format.")
@click.option("--wide", is_flag=True, help="All columns of the table, however wide it gets.")
@click.option(
    "--checklist", metavar="ID", shell_complete=client_ids, help="The onboarding checklist of this client, in Markdown."
)
@click.option("--report", is_flag=True, help="With --checklist: record it in the bot store, for the console.")
@click.pass_context
def status(ctx: click.Context, /, **options: Any) -> None:
    """Show the status of each client, or everything about one.

    Without ID and --client, bots that no manifest declares are listed too.

    Exit 1 when a source or a manifest could not be read; what depends on it is left blank, or out.
    """
    ctx.exit(_status(StatusOptions(**options)))


def _status(options: StatusOptions) -> Exit:
    _check_usage(options)
    settings, fleet = load_fleet(options.only, only_valid=True)
    only = options.only
    chosen = Fleet(tuple(m for m in fleet.clients if m.client.state != "absent" and (not only or m.client.id in only)))
    if only and not chosen.clients:
        raise ReadFailed(f"{only[0]} has `state: absent`, so there is no status of it.")
    plan, rows, strays = _look(chosen, fleet, settings, is_one=options.client is not None)
    unread = [finding.message for finding in plan.findings if finding.client is None and finding.severity == "error"]
    invalid = [] if only else [str(problem) for problem in fleet.errors]
    # A bot without a manifest may be that of an invalid one.
    undeclared = None if only or invalid else strays
    if options.checklist is not None:
        write(_checklist(chosen, rows, settings, records=options.report))
    elif options.output == "json":
        document = {
            "format_version": FORMAT_VERSION,
            "clients": [asdict(row) for row in rows],
            "without_manifest": None if undeclared is None else [asdict(bot) for bot in undeclared],
            "unread": [*invalid, *unread],
        }
        write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")
    else:
        write(_text(rows, undeclared or (), unread, options))
    return Exit.ERROR if unread or invalid else Exit.OK


def _check_usage(options: StatusOptions) -> None:
    if options.checklist is not None and (
        options.client or options.clients or options.wide or options.output != "text"
    ):
        raise click.UsageError("--checklist takes no other option but --report.")
    if options.report and options.checklist is None:
        raise click.UsageError("--report goes with --checklist.")
    if options.client is not None and (options.clients or options.wide):
        raise click.UsageError("ID shows everything about one client; --client and --wide are for the table.")


def _text(
    rows: Sequence[ClientStatus], strays: Sequence[UndeclaredBot], unread: Sequence[str], options: StatusOptions
) -> str:
    from reconciler.status.detail import detail_text
    from reconciler.status.table import table_text, wrapped

    # COLUMNS or the terminal's width; without either each client has one line.
    width = shutil.get_terminal_size(fallback=(0, 0)).columns or None
    if options.client is not None:
        shown = detail_text(rows[0], width=width)
    else:
        shown = table_text(rows, now=datetime.now(UTC), width=width, colour=colour_wanted(), wide=options.wide)
        shown += undeclared_text(strays, width)
    return shown + "".join(wrapped(f"error: {said(text)}", width) for text in unread)


def _look(
    chosen: Fleet, fleet: Fleet, settings: Settings, *, is_one: bool
) -> tuple[Plan, list[ClientStatus], list[UndeclaredBot]]:
    """`is_one`: whether everything is read about the one client that was chosen."""
    declared = replace(chosen, tariffs=fleet.tariffs)
    ids = [manifest.client.id for manifest in chosen.clients]
    live_state = observed(chosen, settings, only=ids, whole_senders=True)
    report_missing_store(live_state, settings)
    if isinstance(live_state.store, Failed):
        raise ReadFailed(live_state.store.message)
    try:
        activity = read_activity(settings.bot_store_url, settings.api_token, settings.timeout)
        spent = read_spent(settings.bot_store_url, settings.api_token, settings.timeout) if _has_budget(chosen) else ()
        canaries = _canaries(chosen, settings)
    except StoreError as error:
        raise ReadFailed(str(error)) from error
    plan = make_plan(chosen, live_state, settings, Scope(only=ids))
    missing = _missing_secrets(chosen, settings)
    rows = statuses(declared, live_state, live_state.store, plan, activity, spent, canaries, missing, settings)
    if is_one:
        rows = [_with_past(row, settings) for row in rows]
    return plan, rows, undeclared_bots(fleet, live_state, live_state.store, activity)


def _replies(client: str, settings: Settings) -> ReplyCounts | None:
    now = time.time()
    since, until = timestamp(now - REPLY_DAYS * 86_400), timestamp(now)
    try:
        return read_reply_counts(settings.bot_store_url, settings.api_token, client, since, until, settings.timeout)
    except StoreError as error:
        raise ReadFailed(str(error)) from error


def _canaries(chosen: Fleet, settings: Settings) -> Sequence[CanaryRecord]:
    """What the store has of canaries, read only where one is declared."""
    if all(manifest.client.assistant.canary is None for manifest in chosen.clients):
        return ()
    from runtime.store.client.canaries import read_canaries

    return read_canaries(settings.bot_store_url, settings.api_token, settings.timeout)


def _with_past(row: ClientStatus, settings: Settings) -> ClientStatus:
    """A row with what is read for one client only. Raises `ReadFailed`."""
    from runtime.store.client.ratings import read_ratings
    from runtime.store.client.retention import read_last_run

    try:
        ratings = read_ratings(settings.bot_store_url, settings.api_token, row.client, settings.timeout)
        retention = read_last_run(settings.bot_store_url, settings.api_token, row.client, settings.timeout)
    except StoreError as error:
        raise ReadFailed(str(error)) from error
    replies, canary = _replies(row.client, settings), _compared(row, settings)
    return replace(row, replies=replies, canary=canary, ratings=ratings, retention=retention)


def _compared(row: ClientStatus, settings: Settings) -> CanaryStatus | None:
    """The canary of a client, with how it compares."""
    if row.canary is None or row.canary.since is None:
        return row.canary
    from runtime.store.client.canaries import read_variants

    of = settings.bot_store_url, settings.api_token, row.client, row.canary.since, timestamp()
    try:
        return replace(row.canary, variants=read_variants(*of, settings.timeout))
    except StoreError as error:
        raise ReadFailed(str(error)) from error


def _has_budget(chosen: Fleet) -> bool:
    """The ledger is read only where a client has a budget."""
    return any(manifest.client.budget is not None for manifest in chosen.clients)


def _missing_secrets(chosen: Fleet, settings: Settings) -> Missing | None:
    """By client; None when the runtime did not say. It is asked only where a client names a secret."""
    if not any(declares_secrets(manifest) for manifest in chosen.clients):
        return {}
    found = read_missing_secrets(settings)
    return None if isinstance(found, UnknownSecrets) else found


def _checklist(chosen: Fleet, rows: list[ClientStatus], settings: Settings, *, records: bool) -> str:
    from reconciler.doctor.probe import probe
    from reconciler.status.checklist import boxes, checklist

    of = chosen.clients[0], rows[0], probe("GET", f"{settings.public_url}/health").status == 200
    if records:
        from reconciler.commands.recording import record_boxes

        record_boxes(settings, rows[0].client, boxes(*of))
    return checklist(*of)
