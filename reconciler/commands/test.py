"""`reconcile test`: tries the cases of manifests as the runtime would answer them, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Final, Literal, get_args

import click

from reconciler.commands.completion import client_ids
from reconciler.commands.printing import colour_wanted, write
from reconciler.errors import ReconcileError
from reconciler.manifest import Fleet, Manifest, fleet_errors, load_valid
from reconciler.manifest.explain import nearest
from reconciler.settings import Settings, load_settings

if TYPE_CHECKING:  # imported when cases are tried
    from reconciler.trying.results import RunResult
    from reconciler.trying.run import RunOptions

Output = Literal["text", "markdown", "junit", "json"]
OUTPUTS: Final[Sequence[Output]] = get_args(Output)


@click.command()
@click.argument("clients", metavar="[ID]...", nargs=-1, shell_complete=client_ids)
@click.option("--case", "names", multiple=True, metavar="NAME", help="Only cases of this name; may be repeated.")
@click.option("--changed", is_flag=True, help="Only clients whose plan changes what their assistants are.")
@click.option(
    "--repeat", type=click.IntRange(1, 20), default=1, show_default=True, help="How often each case is tried."
)
@click.option("--record", is_flag=True, help="Ask the model for what is not recorded, and record its answers.")
@click.option(
    "--budget",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="USD that the model may cost.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(1, 100),
    default=8,
    show_default=True,
    help="Largest number of calls of the model at the same time.",
)
@click.option("--format", "output", type=click.Choice(OUTPUTS), default="text", help="Format of the result.")
@click.option("--out", type=click.Path(dir_okay=False, writable=True), help="Write the result to this file instead.")
@click.option("--report", is_flag=True, help="Record the result in the bot store, for the console.")
@click.pass_context
def test(
    ctx: click.Context,
    clients: Sequence[str],
    names: Sequence[str],
    changed: bool,
    repeat: int,
    record: bool,
    budget: float,
    concurrency: int,
    output: Output,
    out: str | None,
    report: bool,
) -> None:
    """Try the test cases of all clients, or of these.

    Answers come from the recordings in clients.d/ID/recordings; with --record, what is missing there is asked of the
    model and recorded. No message is sent, nothing live is changed, and nothing stays at OpenAI.

    \b
    Exit codes: 0 every case is green, 2 a case is red or flaky,
    1 something could not be judged.
    """
    if report and names:
        raise click.UsageError("--report records all cases of a client; leave --case out.")
    settings = load_settings()
    fleet = declared(settings, clients)
    chosen = chosen_clients(fleet, clients)
    check_names(names, chosen)
    if changed:
        chosen = _changed(chosen)
    from reconciler.trying.run import RunOptions

    options = RunOptions(
        names=names, repeat=repeat, calls=record, records=record, concurrency=concurrency, budget=budget
    )
    result = tried(chosen, settings, fleet, options)
    write(_written(result, output, to_file=out is not None), out)
    if report:
        from reconciler.commands.recording import record_cases

        record_cases(settings, result.cases)
    ctx.exit(result.exit_code)


def declared(settings: Settings, only: Collection[str]) -> Fleet:
    """The manifests; raises ManifestErrors when one that is meant has an error."""
    fleet = load_valid(
        settings.clients_dir,
        settings.own_secrets,
        allow_private_endpoints=settings.allow_private_endpoints,
        tariffs_file=settings.tariffs_file,
    )
    if fleet.errors and (not only or not {manifest.client.id for manifest in fleet.clients}.issuperset(only)):
        raise fleet_errors(fleet)
    return fleet


def chosen_clients(fleet: Fleet, only: Collection[str]) -> Sequence[Manifest]:
    """The clients with these ids, or all that are not absent. Raises ReconcileError for an unknown id."""
    known = {manifest.client.id: manifest for manifest in fleet.clients}
    for client in only:
        if client not in known:
            near = nearest(client, list(known))
            hint = f'Did you mean "{near}"?' if near else "`reconcile status` lists all of them."
            raise ReconcileError(f'No client "{client}". {hint}')
    if only:
        return [known[client] for client in dict.fromkeys(only)]
    return [manifest for manifest in fleet.clients if manifest.client.state != "absent"]


def check_names(names: Collection[str], manifests: Sequence[Manifest]) -> None:
    """Raises ReconcileError for a name that no case has."""
    known = sorted({case.name for manifest in manifests for case in manifest.cases})
    for name in names:
        if name not in known:
            near = nearest(name, known)
            hint = f'Did you mean "{near}"?' if near else f"There are: {', '.join(known) or 'none'}."
            raise ReconcileError(f'No case "{name}". {hint}')


def tried(manifests: Sequence[Manifest], settings: Settings, fleet: Fleet, options: RunOptions) -> RunResult:
    """The result of a run."""
    import asyncio

    from reconciler.trying.run import run
    from schemas.default_tariffs import DEFAULT

    tariffs = fleet.tariffs.tariffs if fleet.tariffs is not None else DEFAULT
    return asyncio.run(run(manifests, settings, tariffs, options))


def _changed(manifests: Sequence[Manifest]) -> Sequence[Manifest]:
    """Those whose plan changes what the assistant is. Raises ReconcileError where a source cannot be read."""
    from reconciler.commands.planning import load_fleet, observed
    from reconciler.planning.plan import Scope, make_plan

    settings, fleet = load_fleet((), is_quiet=True)
    plan = make_plan(fleet, observed(fleet, settings), settings, Scope())
    ids = {manifest.client.id for manifest in manifests}
    unread = sorted(ids.intersection(plan.unresolved))
    if unread:
        raise ReconcileError(
            f"It is not known whether {', '.join(unread)} changes, since a source could not be read. Run again, or "
            "leave --changed out."
        )
    from reconciler.trying.changed import changed_assistants

    changed = changed_assistants(plan)
    return [manifest for manifest in manifests if manifest.client.id in changed]


def _written(result: RunResult, output: Output, *, to_file: bool) -> str:
    if output == "json":
        from reconciler.trying.formats.json import run_json

        return run_json(result)
    if output == "markdown":
        from reconciler.trying.formats.markdown import run_markdown

        return run_markdown(result)
    if output == "junit":
        from reconciler.trying.formats.junit import run_junit

        return run_junit(result)
    from reconciler.trying.formats.text import run_text

    return run_text(result, colour=colour_wanted() and not to_file)
