"""`reconcile proposal`: the proposal for a client, from its manifest or from questions. No network, nothing live."""

from __future__ import annotations

import base64
import mimetypes
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

import click

from reconciler.commands.completion import client_ids
from reconciler.commands.printing import write
from reconciler.errors import ReconcileError
from reconciler.manifest import Manifest, ManifestErrors, fleet_errors, load_valid
from reconciler.manifest.explain import nearest
from reconciler.manifest.folder import tariffs_file
from reconciler.manifest.tariffs import DeclaredTariffs, read_tariffs
from reconciler.proposals.content import proposal as content_of
from reconciler.proposals.formats import proposal_html, proposal_markdown
from reconciler.proposals.subject import Subject, subject_of
from reconciler.settings import Settings, load_settings
from reconciler.streams import print_notice
from schemas.default_tariffs import DEFAULT
from schemas.iso_codes import COUNTRIES
from terminal.questions import ask_line, can_ask

MODEL: Final = "gpt-6-luna"
"""Of an assistant that has no manifest yet."""
EXPECTED_MESSAGES: Final = 2000
"""Answers in a month, where nothing else is said."""
LARGEST_LOGO: Final = 1 << 20
MOST_MESSAGES: Final = 100_000_000


@click.command()
@click.argument("client", metavar="[ID]", required=False, shell_complete=client_ids)
@click.option(
    "--messages-per-month",
    "messages",
    type=click.IntRange(1, MOST_MESSAGES),
    help="Answers that are expected in a month; 2000 without it.",
)
@click.option("--format", "output", type=click.Choice(["md", "html"]), default="md", help="Output format.")
@click.option("--out", type=click.Path(dir_okay=False, writable=True), help="Write it to this file instead.")
def proposal(client: str | None, messages: int | None, output: Literal["md", "html"], out: str | None) -> None:
    """Write the proposal for a client, in Spanish: what is included, what it costs, and who is responsible for what.

    Without ID it asks for what a manifest would say. Prices, currency, tax and fees are those of tariffs.yaml.
    """
    settings = load_settings()
    declared = _tariffs(settings)
    if client is not None:
        subject = subject_of(_manifest(client, settings))
    else:
        subject, messages = _asked(messages)
    document = content_of(subject, declared.tariffs, messages or EXPECTED_MESSAGES, datetime.now().astimezone())
    if output == "md":
        write(proposal_markdown(document), out)
    else:
        write(proposal_html(document, _logo(document.logo, declared.folder)), out)


def _tariffs(settings: Settings) -> DeclaredTariffs:
    """The installation's tariffs. Raises `ManifestErrors` for an invalid file."""
    path = tariffs_file(settings.clients_dir, settings.tariffs_file)
    if path is None:
        print_notice(
            "There is no tariffs.yaml: amounts are what messages cost, without a margin; docs/tariffs.md has one."
        )
        return DeclaredTariffs("", DEFAULT)
    declared, problems = read_tariffs(path, settings.own_secrets)
    if declared is None:
        raise ManifestErrors(problems)
    return declared


def _manifest(client: str, settings: Settings) -> Manifest:
    fleet = load_valid(
        settings.clients_dir,
        allow_private_endpoints=settings.allow_private_endpoints,
        tariffs_file=settings.tariffs_file,
    )
    manifests = {manifest.client.id: manifest for manifest in fleet.clients}
    if client in manifests:
        return manifests[client]
    if fleet.errors:
        raise fleet_errors(fleet)
    near = nearest(client, list(manifests))
    raise ReconcileError(
        f'No client "{client}" in {settings.clients_dir}. '
        + (f'Did you mean "{near}"?' if near else "Leave the id out to be asked about a client without a manifest.")
    )


def _asked(messages: int | None) -> tuple[Subject, int]:
    """A client without a manifest, from the answers of a person."""
    if not can_ask():
        raise click.UsageError("Give the id of a client. Without a terminal nothing can be asked.")
    name = ask_line("Name of the client", _given)
    country = ask_line("Country of its customers", _country, "CL")
    expected = messages or int(ask_line("Answers in a month", _count, str(EXPECTED_MESSAGES)))
    functions = ask_line("What it does in the client's systems, with commas between (none: -)", _given, "-")
    documents = ask_line("Documents that it answers from, with commas between (none: -)", _given, "-")
    return (
        Subject(name, country, MODEL, functions=_listed(functions), documents=_listed(documents)),
        expected,
    )


def _given(answer: str) -> str:
    if not answer.strip():
        raise click.UsageError("Write it, please.")
    return answer.strip()


def _country(answer: str) -> str:
    code = answer.strip().upper()
    if code not in COUNTRIES:
        raise click.UsageError("Write the two letters of ISO 3166, like CL.")
    return code


def _count(answer: str) -> str:
    digits = answer.strip().replace(".", "").replace(",", "")
    if not digits.isascii() or not digits.isdecimal() or not 1 <= int(digits) <= MOST_MESSAGES:
        raise click.UsageError(f"Write a whole number from 1 to {MOST_MESSAGES:,}.")
    return digits


def _listed(answer: str) -> tuple[str, ...]:
    return tuple(filter(None, (part.strip() for part in answer.split(",") if part.strip() != "-")))


def _logo(logo: str | None, folder: Path) -> str | None:
    """The image's address; of a file the image itself, so that the page stands alone."""
    if logo is None or logo.startswith("https://"):
        return logo
    path = folder / logo
    kind = mimetypes.guess_type(path.name)[0] or ""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ReconcileError(f"The logo {path} cannot be read: {error.strerror}. agency.logo names it.") from error
    if not kind.startswith("image/") or len(data) > LARGEST_LOGO:
        raise ReconcileError(f"The logo {path} is not an image of at most 1 MiB. agency.logo names it.")
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
