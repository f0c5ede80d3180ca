"""`reconcile validate`: reads every manifest and the tariffs, and reports their problems. No network, no secrets,
nothing written."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Literal

import click

from reconciler.commands.printing import colour_wanted
from reconciler.errors import Exit
from reconciler.manifest import ManifestErrors, Problem, load
from reconciler.settings import load_settings
from terminal.language import label, said


@click.command()
@click.option(
    "--format", "output", type=click.Choice(["text", "json"]), default="text", help="json: a list of the problems."
)
@click.option("--strict", is_flag=True, help="Warnings count as errors.")
@click.pass_context
def validate(ctx: click.Context, output: Literal["text", "json"], strict: bool) -> None:
    """Check every manifest and the tariffs, without network or secrets.

    Prints every problem of every file with its place and what to do; exit 1 when there is an error.
    """
    try:
        settings = load_settings()
        fleet = load(
            settings.clients_dir,
            settings.own_secrets,
            allow_private_endpoints=settings.allow_private_endpoints,
            tariffs_file=settings.tariffs_file,
        )
        problems, clients = fleet.warnings, len(fleet.clients)
    except ManifestErrors as found:
        problems, clients = found.problems, found.manifests
    if output == "json":
        click.echo(json.dumps([problem._asdict() for problem in problems], ensure_ascii=False, indent=2))
    else:
        click.echo(_text(problems, clients), nl=False)
    failing = ("error", "warning") if strict else ("error",)
    ctx.exit(Exit.ERROR if any(problem.severity in failing for problem in problems) else Exit.OK)


def _text(problems: Iterable[Problem], clients: int) -> str:
    count = {"error": 0, "warning": 0}
    lines = []
    for problem in problems:
        count[problem.severity] += 1
        lines.append(_styled(problem) + _sentences(problem))
    summary = (
        f"{_plural(clients, 'client')}, {_plural(count['error'], 'error')}, {_plural(count['warning'], 'warning')}"
    )
    return "".join(f"{line}\n" for line in [*lines, summary])


def _sentences(problem: Problem) -> str:
    """What is wrong and what to do, as `str(problem)` has it after the place."""
    severity = f"{label('warning')}: " if problem.severity == "warning" else ""
    return f": {severity}{said(problem.message)}. {said(problem.hint)}".rstrip()


def _styled(problem: Problem) -> str:
    if not colour_wanted():
        return problem.place
    return click.style(problem.place, fg="red" if problem.severity == "error" else "yellow")


def _plural(count: int, noun: str) -> str:
    return said(f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s")
