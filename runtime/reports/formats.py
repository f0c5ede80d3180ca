"""A report, and the overview, in each format."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, TypeAlias

from runtime.reports.content import Branding, document
from runtime.reports.csv import report_csv
from runtime.reports.figures import Figures
from runtime.reports.html import overview_html, report_html
from runtime.reports.json import report_json
from runtime.reports.logo import logo_url
from runtime.reports.money import bill, earnings
from runtime.reports.month import Month
from runtime.reports.overview import overview, overview_csv, overview_json, overview_text
from runtime.reports.pdf import printed
from runtime.reports.text import report_text
from runtime.reports.words import Words
from schemas.money import Language
from schemas.tariffs import Agency

Format: TypeAlias = Literal["text", "json", "csv", "html", "pdf"]
SUFFIXES: Final[dict[Format, str]] = {"text": "txt", "json": "json", "csv": "csv", "html": "html", "pdf": "pdf"}
"""How files of each format end."""


def rendered(figures: Figures, agency: Agency, form: Format, language: Language, *, with_vat: bool) -> str | bytes:
    """A client's report. Raises `OperatorError` for what it needs and is not there."""
    owed, words = bill(figures, agency, with_vat=with_vat), Words(language)
    if form == "json":
        return report_json(figures, owed)
    if form == "csv":
        return report_csv(figures, owed, words)
    logo = logo_url(agency.logo, Path()) if agency.logo and form != "text" else None
    content = document(figures, owed, Branding(agency.name, agency.contact, logo), words)
    if form == "text":
        return report_text(content)
    page = report_html(content)
    return printed(page) if form == "pdf" else page


def rendered_overview(
    clients: Sequence[Figures], agency: Agency, month: Month, form: Format, language: Language
) -> str | bytes:
    """The agency's overview. Raises `OperatorError` like `rendered`."""
    earned, words = [earnings(each, agency) for each in clients if not each.is_empty], Words(language)
    if form == "json":
        return overview_json(earned, month, agency.currency)
    if form == "csv":
        return overview_csv(earned, agency.currency, words)
    content = overview(earned, month, agency.currency, words)
    if form == "text":
        return overview_text(content)
    page = overview_html(content)
    return printed(page) if form == "pdf" else page
