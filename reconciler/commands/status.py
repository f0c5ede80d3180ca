"""`reconcile status`: the status of each client. Read-only."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import asdict
from typing import Literal

import click

from reconciler.commands.planning import load_fleet
from reconciler.commands.printing import colour_wanted, write
from reconciler.doctor.secrets import Missing, UnknownSecrets, declares_secrets, read_missing_secrets
from reconciler.errors import Exit, ReadFailed
from reconciler.manifest import Fleet
from reconciler.model import Plan
from reconciler.observation.live_state import Failed
from reconciler.observation.observe import observe
from reconciler.planning.plan import Scope, make_plan
from reconciler.settings import Settings
from reconciler.status.facts import ClientStatus, statuses
from reconciler.status.undeclared import UndeclaredBot, undeclared_bots, undeclared_text
from runtime.store.client.history import read_activity
from runtime.store.errors import StoreError

FORMAT_VERSION = 1


@click.command()
@click.option("--client", "clients", multiple=True, metavar="ID", help="Only this client; may be repeated.")
@click.option("--format", "output", type=click.Choice(["text", "json"]), default="text", help="Output format.")
@click.option("--checklist", metavar="ID", help="The onboarding checklist of this client, in Markdown.")
@click.pass_context
def status(
    ctx: click.Context, clients: tuple[str, ...], output: Literal["text", "json"], checklist: str | None
) -> None:
    """Show the status of each client: number, sender, assistant, model, bot, last message, last apply.

    Without --client, bots that no manifest declares are listed too.

    Exit 1 when a source or a manifest could not be read; what depends on it is left blank, or out.
    """
    if checklist is not None and (clients or output != "text"):
        raise click.UsageError("--checklist takes no other option.")
    only = (checklist,) if checklist is not None else clients
    settings, fleet = load_fleet(only, only_valid=True)
    chosen = Fleet(tuple(m for m in fleet.clients if m.client.state != "absent" and (not only or m.client.id in only)))
    plan, rows, strays = _look(chosen, fleet, settings)
    unread = [finding.message for finding in plan.findings if finding.client is None and finding.severity == "error"]
    invalid = [] if only else [str(problem) for problem in fleet.errors]
    # A bot without a manifest may be that of an invalid one.
    undeclared = None if only or invalid else strays
    if checklist is not None:
        write(_checklist(chosen, rows, settings))
    elif output == "json":
        document = {
            "format_version": FORMAT_VERSION,
            "clients": [asdict(row) for row in rows],
            "without_manifest": None if undeclared is None else [asdict(bot) for bot in undeclared],
            "unread": [*invalid, *unread],
        }
        write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")
    else:
        from reconciler.status.table import table_text

        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        shown = table_text(rows, width=width, colour=colour_wanted()) + undeclared_text(undeclared or ())
        write(shown + "".join(f"error: {text}\n" for text in unread))
    ctx.exit(Exit.ERROR if unread or invalid else Exit.OK)


def _look(chosen: Fleet, fleet: Fleet, settings: Settings) -> tuple[Plan, list[ClientStatus], list[UndeclaredBot]]:
    ids = [manifest.client.id for manifest in chosen.clients]
    live_state = observe(chosen, settings, only=ids, whole_senders=True)
    if isinstance(live_state.store, Failed):
        raise ReadFailed(live_state.store.message)
    try:
        activity = read_activity(settings.bot_store_url, settings.api_token, settings.timeout)
    except StoreError as error:
        raise ReadFailed(str(error)) from error
    plan = make_plan(chosen, live_state, settings, Scope(only=ids))
    rows = statuses(chosen, live_state, live_state.store, plan, activity, _missing_secrets(chosen, settings), settings)
    return plan, rows, undeclared_bots(fleet, live_state, live_state.store, activity)


def _missing_secrets(chosen: Fleet, settings: Settings) -> Missing | None:
    """By client; None when the runtime did not say. It is asked only where a client names a secret."""
    if not any(declares_secrets(manifest) for manifest in chosen.clients):
        return {}
    found = read_missing_secrets(settings)
    return None if isinstance(found, UnknownSecrets) else found


def _checklist(chosen: Fleet, rows: list[ClientStatus], settings: Settings) -> str:
    from reconciler.doctor.probe import probe
    from reconciler.status.checklist import checklist

    if not rows:
        raise ReadFailed("A client with `state: absent` has no checklist.")
    return checklist(chosen.clients[0], rows[0], probe("GET", f"{settings.public_url}/health").status == 200)
