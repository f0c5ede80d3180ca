"""A report as CSV, for a spreadsheet: one figure a row, with its section, name and unit."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from fractions import Fraction

from runtime.reports.content import outcomes
from runtime.reports.figures import Figures
from runtime.reports.json import amount_text
from runtime.reports.money import Bill, messages_out
from runtime.reports.variants import variants_json
from runtime.reports.words import Words

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""Beginnings of a text that a spreadsheet takes for a formula."""

Row = tuple[str, str, str | int | float, str, str]
"""Section, name, value, unit, value of the month before."""


def report_csv(figures: Figures, bill: Bill, words: Words) -> str:
    """The whole report."""
    head = [words(key) for key in ("section", "item", "value", "unit", "month_before")]
    return csv_text([head, *_rows(figures, bill, words)])


def csv_text(rows: Iterable[Sequence[str | float]]) -> str:
    """Rows as CSV, without formulas."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for row in rows:
        writer.writerow([_plain(cell) for cell in row])
    return out.getvalue()


def _plain(cell: str | float) -> str | float:
    """A cell that no spreadsheet executes; a negative number is none that it could."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) and not _is_number(cell) else cell


def _is_number(cell: str) -> bool:
    return cell.removeprefix("-").replace(".", "", 1).isdecimal()


def _rows(figures: Figures, bill: Bill, words: Words) -> Iterator[Row]:
    traffic, messages = figures.traffic, words("messages")
    about = words("client")
    yield about, words("client"), figures.name, "", ""
    yield about, words("title", month=""), str(figures.month), "", ""
    yield about, words("fact_conversations"), traffic.conversations, words("conversations"), ""
    yield about, words("fact_people"), traffic.people, words("people"), ""
    yield about, words("fact_received"), traffic.received, messages, ""
    yield about, words("fact_sent"), messages_out(figures.usage), messages, ""
    if traffic.half_within is not None and traffic.most_within is not None:
        yield about, f"{words('fact_time')} (50 %)", round(traffic.half_within, 3), "s", ""
        yield about, f"{words('fact_time')} (90 %)", round(traffic.most_within, 3), "s", ""
    for name, count in outcomes(traffic, words):
        yield words("outcomes"), name, count, messages, ""
    for day, count in enumerate(traffic.days, start=1):
        yield words("days"), date(figures.month.year, figures.month.number, day).isoformat(), count, messages, ""
    for weekday, hours in zip(words.weekdays, traffic.hours, strict=True):
        for hour, count in enumerate(hours):
            yield words("hours"), f"{weekday} {hour:02}:00", count, messages, ""
    for title, used in (("documents", traffic.documents), ("functions", traffic.functions)):
        for name, count in used.items():
            yield words(title), name, count, words("answers"), ""
    for variant in variants_json(figures.variants):
        name = words(f"variant_{variant['variant']}")
        for key, value in (("turns", "turns"), ("variant_handoffs", "handoffs"), ("failed", "failed")):
            yield words("variants"), f"{words(key)} ({name})", variant[value], "", ""
    yield from _costs(bill, words)


def _costs(bill: Bill, words: Words) -> Iterator[Row]:
    def amount(value: Fraction | None) -> str:
        return "" if value is None else amount_text(value, bill.currency)

    def row(name: str, value: Fraction | None, before: Fraction | None) -> Row:
        return words("costs"), name, amount(value), bill.currency, amount(before)

    for line in bill.lines:
        yield row(words(f"group_{line.group}"), line.amount, line.before)
    if bill.monthly is not None:
        yield row(words("monthly"), bill.monthly, None if bill.net_before is None else bill.monthly)
    yield row(words("net"), bill.net, bill.net_before)
    if bill.vat_percent is not None:
        yield row(words("vat", percent=words.percent(bill.vat_percent / 100)), bill.vat, None)
        yield row(words("total"), bill.total, None)
