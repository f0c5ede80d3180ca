"""`reconcile compare`: the same cases with two versions of an assistant, side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import click

from reconciler.commands.completion import client_ids
from reconciler.commands.printing import write
from reconciler.commands.test import check_names, chosen_clients, declared
from reconciler.errors import ReconcileError
from reconciler.manifest import Fleet, Manifest, fleet_errors, load_valid
from reconciler.manifest.cases import DeclaredCase
from reconciler.settings import Settings, load_settings
from terminal.questions import can_ask, confirm

if TYPE_CHECKING:  # imported when something is compared
    from reconciler.trying.comparison import AssistantComparison, Side
    from reconciler.trying.run import RunOptions


@click.command()
@click.argument("client", metavar="ID", shell_complete=client_ids)
@click.option("--against", "ref", metavar="REF", help="With the manifest of this commit, branch or tag.")
@click.option("--model", metavar="MODEL", help="With the same manifest and this model.")
@click.option(
    "--recent",
    type=click.IntRange(1, 500),
    metavar="N",
    help="Ask the last N real questions instead, without who wrote them.",
)
@click.option("--case", "names", multiple=True, metavar="NAME", help="Only cases of this name; may be repeated.")
@click.option(
    "--repeat", type=click.IntRange(1, 20), default=1, show_default=True, help="How often each case is tried."
)
@click.option(
    "--budget",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="USD that the model may cost.",
)
@click.option("--format", "output", type=click.Choice(["markdown", "html"]), default="markdown", help="Output format.")
@click.option("--out", type=click.Path(dir_okay=False, writable=True), help="Write it to this file instead.")
@click.pass_context
def compare(
    ctx: click.Context,
    client: str,
    ref: str | None,
    model: str | None,
    recent: int | None,
    names: Sequence[str],
    repeat: int,
    budget: float,
    output: Literal["markdown", "html"],
    out: str | None,
) -> None:
    """Try a client's cases with two versions of its assistant, and show the answers side by side.

    --against compares the manifest of a commit with the one in the folder, --model the manifest with the same and
    another model. Recorded answers are used; what is not recorded is asked of the model where OPENAI_API_KEY is set,
    and not recorded.

    --recent asks questions of the store again, where `data.replay` allows it: with other names and numbers, and only
    once you have read them on the terminal.

    \b
    Exit codes: 0 every case is green with the later version, 2 one is not,
    1 something could not be judged.
    """
    if (ref is None) == (model is None):
        raise click.UsageError("Give either --against REF or --model MODEL.")
    settings = load_settings()
    fleet = declared(settings, [client])
    [manifest] = chosen_clients(fleet, [client])
    if recent is not None and names:
        raise click.UsageError("--recent asks real questions; --case goes with the manifest's own cases.")
    if recent is None and not manifest.cases:
        raise ReconcileError(f"{client} has no test cases; declare `tests:`, or write one with `reconcile chat`.")
    check_names(names, [manifest])
    from reconciler.trying.run import RunOptions

    options = RunOptions(names=names, repeat=repeat, calls=bool(settings.openai_api_key), budget=budget)
    if recent is not None:
        cases = _recent(manifest, settings, recent)
    else:
        cases = [case for case in manifest.cases if not names or case.name in names]
    result = _compared(manifest, settings, fleet, options, ref, model, cases)
    write(_written(result, output), out)
    ctx.exit(result.exit_code)


def _recent(manifest: Manifest, settings: Settings, count: int) -> Sequence[DeclaredCase]:
    """Recent questions, once the person at the terminal has read them: they go to the model's provider."""
    if not can_ask():
        raise click.UsageError("A person reads recent questions before they leave: run this on a terminal.")
    from reconciler.trying.recent import questions_text, recent_cases

    cases = recent_cases(manifest, settings, count)
    click.echo(questions_text(cases), err=True)
    confirm(f"These {len(cases)} questions go to {settings.openai_base_url}. Is there nothing of a person in them?")
    return cases


def _compared(
    manifest: Manifest,
    settings: Settings,
    fleet: Fleet,
    options: RunOptions,
    ref: str | None,
    model: str | None,
    cases: Sequence[DeclaredCase],
) -> AssistantComparison:
    from reconciler.trying.comparison import compared
    from schemas.default_tariffs import DEFAULT

    tariffs = fleet.tariffs.tariffs if fleet.tariffs is not None else DEFAULT
    with ExitStack() as stack:
        if ref is not None:
            before = _at(ref, manifest, settings, stack)
            after = _side("the folder", manifest, settings)
        else:
            before = _side(manifest.client.assistant.model, manifest, settings)
            after = _side(str(model), manifest, settings, model)
        return asyncio.run(compared(before, after, cases, settings, tariffs, options))


def _side(label: str, manifest: Manifest, settings: Settings, model: str | None = None) -> Side:
    from reconciler.trying.candidate import NotTriable, candidate
    from reconciler.trying.comparison import Side
    from reconciler.trying.recordings import Recordings

    client = manifest.client.id
    try:
        found = candidate(manifest, settings, model)
    except NotTriable as error:
        raise ReconcileError(f"{client}: {error}") from error
    return Side(label, found, Recordings([settings.clients_dir / client], settings.own_secrets))


def _at(ref: str, manifest: Manifest, settings: Settings, stack: ExitStack) -> Side:
    """The client at a ref: its manifest, its documents and its recordings there, then those of the folder."""
    from reconciler.trying.at_ref import folder_at
    from reconciler.trying.recordings import Recordings

    client = manifest.client.id
    folder = stack.enter_context(folder_at(settings.clients_dir, ref))
    there = replace(settings, clients_dir=folder)
    fleet = load_valid(folder, allow_private_endpoints=settings.allow_private_endpoints)
    known = {one.client.id: one for one in fleet.clients}
    if client not in known and fleet.errors:
        raise fleet_errors(fleet)
    if client not in known:
        raise ReconcileError(f"{client} does not exist at {ref}.")
    side = _side(ref, known[client], there)
    folders = [folder / client, settings.clients_dir / client]
    return replace(side, recordings=Recordings(folders, settings.own_secrets))


def _written(result: AssistantComparison, output: Literal["markdown", "html"]) -> str:
    from reconciler.trying.formats.comparison import comparison_html, comparison_markdown

    return comparison_html(result) if output == "html" else comparison_markdown(result)
