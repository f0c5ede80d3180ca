"""A proposal as Markdown, to be edited and pasted, and as one HTML file, to be sent and printed."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from reconciler.proposals.content import Proposal
from reconciler.render.page import page
from reconciler.render.sections import escaped, section_markdown

IN_ADDRESSES: Final = "/:?&=#%+@,;~"
"""What an address may have that ends none in Markdown."""


def proposal_markdown(document: Proposal) -> str:
    """The document as Markdown."""
    lines = [f"# {escaped(document.title)}", ""]
    if document.logo:
        lines += [f"![{escaped(document.agency or 'Logo')}]({quote(document.logo, safe=IN_ADDRESSES)})", ""]
    lines += [escaped(document.subtitle), ""]
    for section in document.sections:
        lines += section_markdown(section)
    return "\n".join(lines).rstrip("\n") + "\n"


def proposal_html(document: Proposal, logo: str | None = None) -> str:
    """The document as HTML. `logo`: the image's address, or a data: URL of it."""
    return page("proposal.html", document.title, "es", document=document, logo=logo)
