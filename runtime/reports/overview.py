"""All clients' months for the agency: what they cost it, what they pay, and what is left. Never for a client."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from runtime.reports.content import ReportTable
from runtime.reports.csv import csv_text
from runtime.reports.json import FORMAT_VERSION, amount_text
from runtime.reports.money import Earnings
from runtime.reports.month import Month
from runtime.reports.text import table_lines
from runtime.reports.words import Words


@dataclass(frozen=True, slots=True)
class Overview:
    """The overview in words."""

    language: str
    title: str
    note: str
    table: ReportTable
    unpriced: str
    """Which clients have usage without a price; "" for none."""


def overview(clients: Sequence[Earnings], month: Month, currency: str, words: Words) -> Overview:
    """The overview of a month."""
    head = [words(key) for key in ("client", "messages", "cost", "revenue", "margin", "share")]
    head[1] = head[1].capitalize()
    rows = [
        _row(each.name, each.messages, each.cost, each.revenue, currency, words)
        for each in sorted(clients, key=lambda each: (-each.revenue, each.client))
    ]
    messages = sum(each.messages for each in clients)
    cost, revenue = sum_of([each.cost for each in clients]), sum_of([each.revenue for each in clients])
    rows.append(_row(words("total"), messages, cost, revenue, currency, words))
    unpriced = [each.name for each in clients if each.unpriced]
    return Overview(
        language=words.language,
        title=words("overview", month=words.month(month)),
        note=words("overview_note"),
        table=ReportTable(head, rows, sums=1),
        unpriced=words("unpriced_mark", clients=", ".join(unpriced)) if unpriced else "",
    )


def sum_of(amounts: Sequence[Fraction]) -> Fraction:
    """The sum of amounts."""
    return sum(amounts, Fraction(0))


def _row(name: str, messages: int, cost: Fraction, revenue: Fraction, currency: str, words: Words) -> list[str]:
    margin = revenue - cost
    return [
        name,
        words.number(messages),
        words.money(cost, currency),
        words.money(revenue, currency),
        words.money(margin, currency),
        words.percent(margin / revenue) if revenue else "–",
    ]


def overview_text(document: Overview) -> str:
    """As text."""
    lines = [document.title, document.note, "", *table_lines(document.table)]
    lines += ["", document.unpriced] if document.unpriced else []
    return "\n".join(line.rstrip() for line in lines) + "\n"


def overview_json(clients: Sequence[Earnings], month: Month, currency: str) -> str:
    """As JSON."""
    shown = [
        {
            "client": each.client,
            "name": each.name,
            "messages": each.messages,
            "cost": amount_text(each.cost, currency),
            "revenue": amount_text(each.revenue, currency),
            "margin": amount_text(each.margin, currency),
            "has_unpriced_usage": each.unpriced,
        }
        for each in clients
    ]
    document = {"format_version": FORMAT_VERSION, "month": str(month), "currency": currency, "clients": shown}
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def overview_csv(clients: Sequence[Earnings], currency: str, words: Words) -> str:
    """As CSV."""
    head = [words(key) for key in ("client", "messages", "cost", "revenue", "margin", "unit")]
    rows = [
        [
            each.name,
            str(each.messages),
            *(amount_text(a, currency) for a in (each.cost, each.revenue, each.margin)),
            currency,
        ]
        for each in clients
    ]
    return csv_text([head, *rows])
