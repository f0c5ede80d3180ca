"""What a vector store finds: the words of a file, cut into passages, and how well each answers a question.

Plain text is read as it is, the text of a PDF by pypdf; anything else has no words, and neither has a PDF that is
broken. The score is the share of the question's words found. Nothing here does I/O.
"""

import io
import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

SUPPORTED = frozenset(
    [
        ".c",
        ".cpp",
        ".cs",
        ".css",
        ".doc",
        ".docx",
        ".go",
        ".html",
        ".java",
        ".js",
        ".json",
        ".md",
        ".pdf",
        ".php",
        ".pptx",
        ".py",
        ".rb",
        ".sh",
        ".tex",
        ".ts",
        ".txt",
    ]
)
_WORD = re.compile(r"\w{3,}")


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a file, and how well it fits a question: 0 to 1."""

    file_id: str
    filename: str
    attributes: dict[str, Any]
    text: str
    score: float


def words_of(content: bytes) -> str:
    """The text in a file."""
    if content.startswith(b"%PDF"):
        return _pdf_text(content)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return ""


def _pdf_text(content: bytes) -> str:
    """The text of every page as a reader shows it: a browser and Word write glyphs of their own font, not letters."""
    from pypdf import PdfReader  # slow to import, and few sandboxes are given a PDF
    from pypdf.errors import PyPdfError

    logging.getLogger("pypdf").setLevel(logging.ERROR)
    try:
        return "\n\n".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages)
    except PyPdfError:
        return ""


def passages_of(text: str) -> list[str]:
    """Paragraphs, or lines where there are no paragraphs."""
    pieces = re.split(r"\n\s*\n", text) if re.search(r"\n\s*\n", text) else text.splitlines()
    return [" ".join(piece.split()) for piece in pieces if piece.strip()]


def score(question: str, text: str) -> float:
    asked = set(_WORD.findall(question.lower()))
    found = asked & set(_WORD.findall(text.lower()))
    return round(len(found) / len(asked), 4) if asked else 0.0


def best(passages: Iterable[Passage], most: int, threshold: float) -> list[Passage]:
    """The best matching passages, best first, equal ones in the order of the files."""
    fitting = [passage for passage in passages if passage.score > 0 and passage.score >= threshold]
    return sorted(fitting, key=lambda passage: -passage.score)[:most]


def passes(filters: dict[str, Any] | None, attributes: dict[str, Any]) -> bool:
    """Whether a file's attributes pass a search's filters: comparisons, or several under `and` and `or`."""
    if not filters:
        return True
    kind = filters["type"]
    if kind in ("and", "or"):
        results = [passes(item, attributes) for item in filters["filters"]]
        return all(results) if kind == "and" else any(results)
    value, wanted = attributes.get(filters["key"]), filters["value"]
    if kind in ("in", "nin"):
        return bool(value in wanted) is (kind == "in")
    if kind in ("eq", "ne"):
        return bool(value == wanted) is (kind == "eq")
    if value is None or isinstance(value, str) != isinstance(wanted, str):
        return False
    return bool({"gt": value > wanted, "gte": value >= wanted, "lt": value < wanted, "lte": value <= wanted}[kind])
