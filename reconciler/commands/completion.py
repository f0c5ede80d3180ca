"""What the shell completes: ids of clients, read from the manifests without validating them."""

from __future__ import annotations

from collections.abc import Iterator

import click

from reconciler.errors import ReconcileError
from reconciler.manifest.folder import open_folder
from reconciler.settings import load_settings


def client_ids(_context: click.Context, _parameter: click.Parameter, typed: str) -> list[str]:
    """The ids of clients that begin with what was typed; also while another manifest is broken."""
    try:
        return sorted(client for client in _ids() if client.startswith(typed))
    except ReconcileError:  # No folder of manifests, or wrong settings: the command itself reports it.
        return []


def _ids() -> Iterator[str]:
    folder = open_folder(load_settings().clients_dir, {})
    for file in folder.manifests:
        client = folder.parse(file).value.get("id")
        if isinstance(client, str):
            yield client
