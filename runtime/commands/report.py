"""`horizonai-whatsapp-bot report`: a client's month, for the client; and the agency's overview."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

import click

from runtime.commands.opening import configured, in_sentences

if TYPE_CHECKING:
    from runtime.reports.figures import Figures
    from runtime.reports.formats import Format
    from runtime.reports.month import Month
    from runtime.store.usage.reporting import ReportReader
    from schemas.money import Language
    from schemas.tariffs import Agency

OVERVIEW = "_overview"
"""The name of the overview's file: no client's id begins so."""


@dataclass(frozen=True, slots=True)
class _Months:
    """What was read of the store."""

    agency: Agency
    month: Month
    clients: Sequence[Figures]


@click.command(short_help="Write a client's month: messages, hours, costs.")
@click.option("--client", help="Of this client; needed where there are several, without --all.")
@click.option("--month", metavar="YYYY-MM", help="Of this month; the last one that has ended without it.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "csv", "html"]),
    help="Output format; text without it, html with --all.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Write it to this file, or into this folder.")
@click.option(
    "--all", "every", is_flag=True, help="One for each client, and the agency's overview; needs --out FOLDER."
)
@click.option("--pdf", is_flag=True, help="Print the page as a PDF, with the Chromium that is installed; needs --out.")
@click.option("--lang", type=click.Choice(["es", "en"]), default="es", show_default=True, help="Its language.")
@click.option("--without-vat", is_flag=True, help="Show net amounts only.")
def report(
    client: str | None,
    month: str | None,
    form: Literal["text", "json", "csv", "html"] | None,
    out: Path | None,
    every: bool,
    pdf: bool,
    lang: Literal["es", "en"],
    without_vat: bool,
) -> None:
    """Write what a client is sent of its month: conversations, how they were answered, when people write, and costs.

    Costs are in the agency's currency with its margin, which is shown nowhere; only the overview of --all has it.
    """
    if every and client is not None:
        raise click.UsageError("--all and --client exclude each other.")
    if every and out is None:
        raise click.UsageError("--all needs --out FOLDER.")
    if pdf and form not in (None, "html"):
        raise click.UsageError(f"--pdf prints the page; leave --format {form} out.")
    if pdf and out is None:
        raise click.UsageError("--pdf needs --out FILE or FOLDER.")
    chosen: Format = "pdf" if pdf else form or ("html" if every else "text")
    with in_sentences():
        if every and out is not None:
            _write_all(_read(None, month, every=True), chosen, out, lang, with_vat=not without_vat)
        else:
            _write_one(_read(client, month, every=False), chosen, out, lang, with_vat=not without_vat)


def _read(client: str | None, month: str | None, *, every: bool) -> _Months:
    """One state of the store. Raises `OperatorError` for a client or month of which there is nothing."""
    from zoneinfo import ZoneInfo

    from runtime.reports.figures import read_figures
    from runtime.reports.month import parsed_month, present_month
    from runtime.store.usage.reporting import reading

    settings, now = configured(), datetime.now(UTC)
    chosen = present_month(now, ZoneInfo(settings.timezone)).before if month is None else parsed_month(month, now)
    with reading(settings.database_url) as reader:
        clients = reader.clients()
        wanted = clients if every else [_wanted(client, clients)]
        figures = [read_figures(reader, each, chosen, settings.timezone, now) for each in wanted]
        if all(each.is_empty for each in figures):
            raise _nothing(reader, wanted, chosen)
        return _Months(reader.tariffs().agency, chosen, figures)


def _wanted(client: str | None, clients: Sequence[str]) -> str:
    """The client that was named, or the only one."""
    from difflib import get_close_matches

    from runtime.errors import OperatorError

    if client is not None and client in clients:
        return client
    if client is None and len(clients) == 1:
        return clients[0]
    if not clients:
        raise OperatorError("The store has no client yet: apply a manifest with `reconcile`, or create a bot.")
    listed = ", ".join(clients[:20]) + (", …" if len(clients) > 20 else "")
    if client is None:
        raise click.UsageError(f"Give --client ID, or --all. There are: {listed}.")
    near = get_close_matches(client, clients, n=1)
    raise OperatorError(
        f'No client "{client}" in the store. ' + (f'Did you mean "{near[0]}"?' if near else f"There are: {listed}.")
    )


def _nothing(reader: ReportReader, clients: Sequence[str], month: Month) -> Exception:
    from runtime.errors import OperatorError

    known = sorted({each for client in clients for each in reader.months(client)})
    whose = f"of {clients[0]}" if len(clients) == 1 else "of any client"
    rest = f"The months with usage are: {', '.join(known[-12:])}." if known else "Nothing was used yet at all."
    return OperatorError(f"There is nothing {whose} in {month}. {rest}")


def _write_one(read: _Months, form: Format, out: Path | None, language: Language, *, with_vat: bool) -> None:
    from runtime.reports.formats import rendered

    (figures,) = read.clients
    content = rendered(figures, read.agency, form, language, with_vat=with_vat)
    if out is None:
        click.echo(content, nl=False)
    else:
        _save(out / _file(figures.client, read.month, form) if out.is_dir() else out, content)


def _write_all(read: _Months, form: Format, out: Path, language: Language, *, with_vat: bool) -> None:
    from runtime.reports.formats import rendered, rendered_overview

    for figures in read.clients:
        if not figures.is_empty:
            content = rendered(figures, read.agency, form, language, with_vat=with_vat)
            _save(out / _file(figures.client, read.month, form), content)
    overview = rendered_overview(read.clients, read.agency, read.month, form, language)
    _save(out / _file(OVERVIEW, read.month, form), overview)


def _file(name: str, month: Month, form: Format) -> str:
    from runtime.reports.formats import SUFFIXES

    return f"{quote(name, safe='')}-{month}.{SUFFIXES[form]}"


def _save(path: Path, content: str | bytes) -> None:
    from runtime.errors import OperatorError

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # With its mark, spreadsheets read a CSV as UTF-8.
        encoding = "utf-8-sig" if path.suffix == ".csv" else "utf-8"
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    except OSError as error:
        raise OperatorError(f"{path} cannot be written: {error.strerror or error}. Check --out.") from error
    click.echo(path)
