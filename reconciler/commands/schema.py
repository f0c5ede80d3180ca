"""`reconcile schema`: the JSON Schema with which an editor completes and checks manifests."""

from __future__ import annotations

from pathlib import Path

import click

from reconciler.commands.printing import write
from reconciler.errors import ReconcileError


@click.command()
@click.argument("kind", type=click.Choice(["client", "defaults", "case", "tariffs", "plan"]), default="client")
@click.option("--out", type=click.Path(dir_okay=False), help="Write it to this file instead.")
@click.option("--check", is_flag=True, help="Only check that the shipped schemas are those of the models.")
def schema(kind: str, out: str | None, check: bool) -> None:
    """Print the JSON Schema of a manifest, a test case, the tariffs, or a plan.

    KIND is `client`, a client's own file; `defaults`, the file _defaults.yaml; `case`, a test case in a file of its
    own; `tariffs`, the file tariffs.yaml; or `plan`, what --format json prints.
    """
    from schemas.generate import SCHEMAS, as_text, shipped

    if check:
        stale = [name for name, make in SCHEMAS.items() if not _holds(shipped(name), as_text(make()))]
        if stale:
            names = ", ".join(shipped(name).name for name in stale)
            raise ReconcileError(f"Outdated: {names}. Run `make schema` and commit the result.")
        return
    write(as_text(SCHEMAS[kind]()), out)


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text
