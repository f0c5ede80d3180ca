"""What a vector store finds: the words of a file, cut into passages, and how well each answers a question.

Plain text is read as it is, PDF as far as its text is not encoded by a font; anything else has no words. The score is
the share of the question's words found. Nothing here does I/O.
"""

import re
import zlib
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
_STREAM = re.compile(rb"stream\r?\n(.*?)\r?\nendstream", re.DOTALL)
_SHOWN = re.compile(rb"\(((?:[^()\\]|\\.)*)\)\s*(?:Tj|'|\")|\[((?:[^\]\\]|\\.)*)\]\s*TJ", re.DOTALL)
_IN_ARRAY = re.compile(rb"\(((?:[^()\\]|\\.)*)\)", re.DOTALL)
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
    lines = []
    for stream in _STREAM.findall(content):
        try:
            drawing = zlib.decompress(stream)
        except zlib.error:
            drawing = stream
        for single, several in _SHOWN.findall(drawing):
            lines.append(single or b"".join(_IN_ARRAY.findall(several)))
    text = b"\n".join(lines).replace(b"\\(", b"(").replace(b"\\)", b")")
    return text.decode("latin-1")


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
