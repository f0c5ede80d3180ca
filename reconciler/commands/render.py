"""`reconcile render ID`: one client's manifest with defaults and files merged in."""

from __future__ import annotations

import json
from typing import Any, Literal

import click

from reconciler.commands.completion import client_ids
from reconciler.errors import ReconcileError
from reconciler.manifest import Manifest, fleet_errors, load_valid
from reconciler.manifest.emit import to_yaml
from reconciler.manifest.explain import nearest
from reconciler.settings import load_settings


@click.command()
@click.argument("client", metavar="ID", shell_complete=client_ids)
@click.option("--format", "output", type=click.Choice(["yaml", "json"]), default="yaml", help="Output format.")
def render(client: str, output: Literal["yaml", "json"]) -> None:
    """Show one client's manifest with defaults and prompt merged in.

    Secrets stay names of environment variables, as in the manifest.
    """
    settings = load_settings()
    directory = settings.clients_dir
    loaded = load_valid(directory, allow_private_endpoints=settings.allow_private_endpoints)
    fleet = {manifest.client.id: manifest for manifest in loaded.clients}
    if client not in fleet and loaded.errors:
        raise fleet_errors(loaded)
    if client not in fleet:
        near = nearest(client, list(fleet))
        raise ReconcileError(
            f'No client "{client}" in {directory}. '
            + (f'Did you mean "{near}"?' if near else f"There are {len(fleet)}.")
        )
    values = merged(fleet[client])
    click.echo(json.dumps(values, ensure_ascii=False, indent=2) if output == "json" else to_yaml(values).rstrip("\n"))


def merged(manifest: Manifest) -> dict[str, Any]:
    """The declared values, in the order of the schema, the prompt in place of its file."""
    values = manifest.client.model_dump(mode="json", exclude_unset=True)
    values["assistant"]["instructions"] = manifest.instructions
    if manifest.canary_instructions is not None:
        values["assistant"]["canary"]["instructions"] = manifest.canary_instructions
    return values
