"""`reconcile canary promote|drop`: ends a client's canary in its manifest, comments kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from reconciler.commands.completion import client_ids
from reconciler.errors import Exit, ReconcileError
from reconciler.manifest import Fleet, Manifest, edits, fleet_errors, load_valid
from reconciler.manifest.block_edits import CopyValue, Edit, RemoveKey, edited
from reconciler.manifest.defaults import FILE
from reconciler.manifest.document import YamlDocument, parse
from reconciler.manifest.explain import nearest
from reconciler.manifest.folder import display
from reconciler.settings import load_settings
from schemas import InstructionsFile
from schemas.canary import VARIED

_ASSISTANT = ("assistant",)
_CANARY = ("assistant", "canary")


@click.group()
def canary() -> None:
    """End a client's canary in its manifest; the next apply makes it so."""


@canary.command()
@click.argument("client", metavar="ID", shell_complete=client_ids)
@click.pass_context
def promote(ctx: click.Context, client: str) -> None:
    """Make the canary the assistant: its values replace the assistant's in the manifest, and the block goes."""
    ctx.exit(_end(client, is_promoted=True))


@canary.command()
@click.argument("client", metavar="ID", shell_complete=client_ids)
@click.pass_context
def drop(ctx: click.Context, client: str) -> None:
    """Remove the canary from the manifest; the assistant stays as it is."""
    ctx.exit(_end(client, is_promoted=False))


def _end(client: str, *, is_promoted: bool) -> Exit:
    settings = load_settings()
    fleet = load_valid(settings.clients_dir, allow_private_endpoints=settings.allow_private_endpoints)
    manifest = _found(fleet, client, settings.clients_dir)
    path = settings.clients_dir / Path(manifest.path).name
    shown = f"{display(settings.clients_dir)}/{path.name}"
    data = path.read_bytes()
    document = parse(shown, data)
    if document.find(_CANARY)[1] is None:
        raise ReconcileError(_not_here(manifest, shown))
    changes = [*(_promotion(document) if is_promoted else ()), RemoveKey(_CANARY)]
    edits.write(path, edited(data, shown, changes))
    click.echo(_said(manifest, shown, is_promoted=is_promoted))
    return Exit.OK


def _found(fleet: Fleet, client: str, folder: Path) -> Manifest:
    manifests = {manifest.client.id: manifest for manifest in fleet.clients}
    if client in manifests:
        return manifests[client]
    if fleet.errors:
        raise fleet_errors(fleet)
    near = nearest(client, list(manifests))
    raise ReconcileError(
        f'No client "{client}" in {folder}. ' + (f'Did you mean "{near}"?' if near else f"There are {len(manifests)}.")
    )


def _not_here(manifest: Manifest, shown: str) -> str:
    if manifest.client.assistant.canary is None:
        return f"{shown} has no assistant.canary."
    return (
        f"The canary of {manifest.client.id} is declared in {FILE}, for every client. Edit that file by hand; to end "
        f"it for this client only, write canary: null under assistant in {shown}."
    )


def _promotion(document: YamlDocument) -> list[Edit]:
    """The canary's own values in place of the assistant's."""
    return [
        CopyValue((*_CANARY, key), (*_ASSISTANT, key))
        for key in VARIED
        if document.find((*_CANARY, key))[1] is not None
    ]


def _said(manifest: Manifest, shown: str, *, is_promoted: bool) -> str:
    assistant = manifest.client.assistant
    own = assistant.canary
    lines = [f"{shown}: assistant.canary removed; the assistant stays as it is."]
    left: Any = own.instructions if own is not None else None
    if is_promoted and own is not None:
        values = [key for key in VARIED if getattr(own, key) is not None]
        lines = [f"{shown}: the assistant has the canary's {' and '.join(values)} now."]
        left = assistant.instructions if own.instructions is not None else None
    if isinstance(left, InstructionsFile):
        lines.append(f"{left.file} is not used by it any more.")
    return "\n".join([*lines, "Look at it with git diff, then reconcile --dry-run."])
