"""One paper, as Markdown and as HTML. Each is headed as a draft."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from reconciler.render.page import page
from reconciler.render.sections import Section, escaped, section_markdown

DRAFT: Final = (
    "BORRADOR para que lo revise un abogado: no es asesoría legal. Lo que está entre [corchetes] no lo sabe el sistema."
)
PaperFormat: TypeAlias = Literal["markdown", "html"]
SUFFIXES: Final[dict[PaperFormat, str]] = {"markdown": "md", "html": "html"}


@dataclass(frozen=True, slots=True)
class Paper:
    """A paper about one client."""

    file: str
    """Its file's name, without the ending of the format."""
    title: str
    source: str
    """Which manifest it was made from."""
    sections: Sequence[Section]
    draft: str = DRAFT


def paper_text(paper: Paper, form: PaperFormat) -> str:
    """The file's content, which ends with a line end."""
    if form == "html":
        return page("paper.html", paper.title, "es", paper=paper)
    lines = [f"# {escaped(paper.title)}", "", f"> **{escaped(paper.draft)}**", "", escaped(paper.source), ""]
    for section in paper.sections:
        lines += section_markdown(section)
    return "\n".join(lines).rstrip("\n") + "\n"
