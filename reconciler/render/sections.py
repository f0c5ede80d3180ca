"""Documents in headings, lists, tables and paragraphs: proposals, and papers about people's data. As Markdown, to be
edited and pasted; as HTML by the template `sections.html`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reconciler.render.wording import visible

_SPECIAL = re.compile(r"([\\`*_\[\]<>|&])")
"""What would be markup within a line of Markdown."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table; its first row names the columns."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    are_numbers: bool = False
    """Whether its cells are aligned to the right."""


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with what stands below it."""

    title: str
    items: Sequence[str] = ()
    steps: Sequence[str] = ()
    """Items in their order."""
    table: Table | None = None
    paragraphs: Sequence[str] = ()


def section_markdown(section: Section) -> Iterator[str]:
    """The lines of a section."""
    yield from (f"## {escaped(section.title)}", "")
    if section.items:
        yield from (*(f"- {escaped(item)}" for item in section.items), "")
    if section.steps:
        yield from (*(f"{number}. {escaped(step)}" for number, step in enumerate(section.steps, 1)), "")
    if section.table:
        yield from (*_table(section.table), "")
    for paragraph in section.paragraphs:
        yield from (escaped(paragraph), "")


def escaped(text: str) -> str:
    """Text that Markdown shows as it is, in one line."""
    return _SPECIAL.sub(r"\\\1", visible(" ".join(text.split("\n"))))


def _table(table: Table) -> Iterator[str]:
    yield f"| {' | '.join(map(escaped, table.head))} |"
    yield f"|{('--:|' if table.are_numbers else '---|') * len(table.head)}"
    for row in table.rows:
        yield f"| {' | '.join(map(escaped, row))} |"
