"""`reconcile privacy`: papers about people's data, from manifests. No network, nothing live."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from reconciler.commands.completion import client_ids
from reconciler.errors import ReconcileError
from reconciler.manifest import Manifest, fleet_errors, load_valid
from reconciler.manifest.explain import nearest
from reconciler.manifest.folder import display
from reconciler.papers.paper import SUFFIXES, PaperFormat, paper_text
from reconciler.papers.papers import FILES, papers_of
from reconciler.papers.subject import subject_of
from reconciler.settings import Settings, load_settings
from schemas.tariffs import Agency

FOLDER: Final = "privacy"
"""Below the client's folder, beside its prompt and documents."""


@click.command()
@click.argument("client", metavar="[ID]", required=False, shell_complete=client_ids)
@click.option("--format", "form", type=click.Choice(["markdown", "html"]), default="markdown", help="Of the files.")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 where papers are outdated, and name them.")
def privacy(client: str | None, form: PaperFormat, check: bool) -> None:
    """Write a client's papers about people's data into clients.d/ID/privacy: drafts in Spanish, for a lawyer.

    A notice, the annex to the contract, a map of data, sub-processors, retention, what to do after a breach, and with
    sensitive data the outline of an impact assessment. Without ID: those of each client that has some already.
    """
    settings = load_settings()
    chosen, agency = _chosen(client, settings)
    outdated: list[Path] = []
    for manifest in chosen:
        folder = settings.clients_dir / manifest.client.id / FOLDER
        wanted = {
            folder / f"{paper.file}.{SUFFIXES[form]}": paper_text(paper, form)
            for paper in papers_of(subject_of(manifest, agency))
        }
        extra = [
            path for file in FILES if (path := folder / f"{file}.{SUFFIXES[form]}") not in wanted and path.exists()
        ]
        outdated += [*(path for path, text in wanted.items() if not _holds(path, text)), *extra]
        if not check:
            _write(folder, wanted, extra)
    names = [display(path) for path in outdated]
    if check and outdated:
        again = f" {client}" if client else ""
        raise ReconcileError(
            f"Outdated: {', '.join(names)}. Run `reconcile privacy{again}` and commit the result: what the papers say "
            "is "
            "not what the manifests declare."
        )
    for name in names:
        click.echo(name)
    if not outdated:
        click.echo(f"{_count(len(chosen))}: up to date.", err=True)


def _chosen(client: str | None, settings: Settings) -> tuple[Sequence[Manifest], Agency]:
    """The clients whose papers are written, and the agency of the tariffs. Raises ManifestErrors and ReconcileError."""
    fleet = load_valid(
        settings.clients_dir,
        allow_private_endpoints=settings.allow_private_endpoints,
        tariffs_file=settings.tariffs_file,
    )
    if fleet.errors:
        raise fleet_errors(fleet)
    agency = fleet.tariffs.tariffs.agency if fleet.tariffs is not None else Agency()
    clients = {manifest.client.id: manifest for manifest in fleet.clients if manifest.client.state != "absent"}
    if client is None:
        return [one for id_, one in clients.items() if (settings.clients_dir / id_ / FOLDER).is_dir()], agency
    if client not in clients:
        near = nearest(client, list(clients))
        hint = f'Did you mean "{near}"?' if near else "`reconcile status` lists all of them."
        raise ReconcileError(f'No client "{client}" in {settings.clients_dir}. {hint}')
    return [clients[client]], agency


def _write(folder: Path, wanted: dict[Path, str], extra: Sequence[Path]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in wanted.items():
            path.write_text(text, encoding="utf-8", newline="\n")
        for path in extra:
            path.unlink()
    except OSError as error:
        raise ReconcileError(f"{error.filename} cannot be written: {error.strerror}.") from error


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_bytes() == text.encode()


def _count(clients: int) -> str:
    return "Papers of 1 client" if clients == 1 else f"Papers of {clients} clients"
