"""`reconcile history`: every apply, newest first. Reads the bot store and nothing else."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Literal

import click

from reconciler.commands.planning import say_store_is_missing
from reconciler.commands.printing import write
from reconciler.errors import Exit, ReconcileError
from reconciler.observation.sources import store_exists
from reconciler.render.wording import visible
from reconciler.settings import load_settings
from reconciler.streams import print_error
from runtime.store.client.history import read_runs
from runtime.store.errors import StoreError
from runtime.store.history_records import RunRecord


@click.command()
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="Number of runs, newest first."
)
@click.option("--format", "output", type=click.Choice(["text", "json"]), default="text", help="Output format.")
@click.pass_context
def history(ctx: click.Context, limit: int, output: Literal["text", "json"]) -> None:
    """List who applied what, when, from which commit, and with which outcome.

    Exit 1 when a run's record is damaged; the others are shown.
    """
    settings = load_settings()
    try:
        runs = read_runs(settings.bot_store_url, settings.api_token, limit)
        is_missing = not runs and not store_exists(settings)
    except StoreError as error:
        raise ReconcileError(str(error)) from error
    if is_missing:
        say_store_is_missing(settings)
    if output == "json":
        write(json.dumps([asdict(run) for run in runs], ensure_ascii=False, indent=2) + "\n")
    elif runs:
        write("\n".join(_text(run) for run in runs))
    elif not is_missing:
        click.echo("No run was recorded yet.", err=True)
    damaged = [run.id for run in runs if run.changes is None]
    if damaged:
        print_error(_advice(damaged))
        ctx.exit(Exit.ERROR)


def _advice(damaged: Sequence[str]) -> str:
    which = ", ".join(visible(run_id) for run_id in damaged)
    return (
        f"The bot store's record of the run {which} is damaged in `changes`; nothing else depends on it. Restore that "
        "row of the table `runs` from a backup, or set its `changes` to [], and look for what damaged it."
    )


def _text(run: RunRecord) -> str:
    ended = run.outcome or "running, or ended without an outcome"
    commit = f"commit {run.git_sha[:12]}" if run.git_sha else "no commit"
    head = f"{run.started_at}  {ended}  by {visible(run.actor)}, {commit}, digest {run.digest[:12]}\n"
    return head + "".join(f"  {line}\n" for line in _changes(run))


def _changes(run: RunRecord) -> list[str]:
    """A line for each client: its changes, and its errors."""
    if run.changes is None:
        return ["its changes cannot be read"]
    lines: list[str] = []
    for client in dict.fromkeys(str(change["client"]) for change in run.changes):
        own = [change for change in run.changes if change["client"] == client]
        counts = Counter(f"{change['action']} {change['kind']}" for change in own if change["outcome"] == "applied")
        done = ", ".join(what if count == 1 else f"{what} ×{count}" for what, count in counts.items())
        lines.append(f"{visible(client)}: {done or 'nothing'}")
        lines += [
            f"  {change['action']} {change['kind']} {change['outcome']}: {visible(str(change['error'] or ''))}".rstrip(
                ": "
            )
            for change in own
            if change["outcome"] != "applied"
        ]
    return lines
