"""A proposal as Markdown, to be edited and pasted, and as one HTML file, to be sent and printed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote

from reconciler.proposals.content import Proposal, Section, Table
from reconciler.render.page import page
from reconciler.render.wording import visible

IN_ADDRESSES: Final = "/:?&=#%+@,;~"
"""What an address may have that ends none in Markdown."""
_SPECIAL = re.compile(r"([\\`*_\[\]<>|&])")
"""What would be markup within a line of Markdown."""


def proposal_markdown(document: Proposal) -> str:
    """The document as Markdown."""
    lines = [f"# {_escaped(document.title)}", ""]
    if document.logo:
        lines += [f"![{_escaped(document.agency or 'Logo')}]({quote(document.logo, safe=IN_ADDRESSES)})", ""]
    lines += [_escaped(document.subtitle), ""]
    for section in document.sections:
        lines += _section(section)
    return "\n".join(lines).rstrip("\n") + "\n"


def proposal_html(document: Proposal, logo: str | None = None) -> str:
    """The document as HTML. `logo`: the image's address, or a data: URL of it."""
    return page("proposal.html", document.title, "es", document=document, logo=logo)


def _section(section: Section) -> Iterator[str]:
    yield from (f"## {_escaped(section.title)}", "")
    if section.items:
        yield from (*(f"- {_escaped(item)}" for item in section.items), "")
    if section.steps:
        yield from (*(f"{number}. {_escaped(step)}" for number, step in enumerate(section.steps, 1)), "")
    if section.table:
        yield from (*_table(section.table), "")
    for paragraph in section.paragraphs:
        yield from (_escaped(paragraph), "")


def _table(table: Table) -> Iterator[str]:
    yield f"| {' | '.join(map(_escaped, table.head))} |"
    yield f"|{'--:|' * len(table.head)}"
    for row in table.rows:
        yield f"| {' | '.join(map(_escaped, row))} |"


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", visible(" ".join(text.split("\n"))))
