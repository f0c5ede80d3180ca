"""A report as text for a terminal or a mail."""

from __future__ import annotations

from collections.abc import Iterator

from runtime.reports.content import ClientReport, ReportSection, ReportTable

BARS = " ▁▂▃▄▅▆▇█"


def report_text(document: ClientReport) -> str:
    """The whole report."""
    lines = [document.title, f"{document.client} · {document.numbers}" if document.numbers else document.client]
    lines += [document.subtitle, "", document.lead, ""]
    width = max(len(fact.label) for fact in document.facts)
    for fact in document.facts:
        lines.append(f"{fact.label:<{width}}  {fact.value}{f'  ({fact.note})' if fact.note else ''}")
    for section in document.sections:
        lines += ["", section.title, "=" * len(section.title), *_section(section)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _section(section: ReportSection) -> Iterator[str]:
    yield from section.paragraphs
    if section.chart is not None:
        most = max(section.chart.values)
        bars = "".join(BARS[-(-value * (len(BARS) - 1) // most) if most else 0] for value in section.chart.values)
        yield f"{section.chart.labels[0]} {bars} {section.chart.labels[-1]}"
    for table in section.tables:
        yield ""
        yield from table_lines(table)
    yield from (f"- {item}" for item in section.items)


def table_lines(table: ReportTable) -> Iterator[str]:
    """A table with its columns below one another, a line above its sums."""
    widths = [max(len(row[column]) for row in (table.head, *table.rows)) for column in range(len(table.head))]
    for number, row in enumerate((table.head, *table.rows)):
        if number and number == len(table.rows) - table.sums + 1 and table.sums:
            yield "-" * (sum(widths) + 2 * (len(widths) - 1))
        first, *rest = zip(row, widths, strict=True)
        yield "  ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)])
