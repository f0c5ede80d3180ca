"""The project's English is that of documentation: words of a dialect are refused, each with what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.project.repository import DOCUMENTS, ROOT
from tests.project.words import findings, prose_of

ROOMS = ("schemas", "terminal", "notifications", "sandbox", "runtime", "reconciler", "bench", "demo", "deploy")
SPANISH = ("guia.es.md",)
MIGRATIONS = ROOT / "runtime" / "store" / "migrations" / "versions"
"""Released steps of the schema; they are history."""


def modules(room: str) -> list[Path]:
    return [path for path in sorted((ROOT / room).rglob("*.py")) if MIGRATIONS not in path.parents]


def in_module(path: Path, *, texts: bool = True) -> list[str]:
    """Each finding as `file:line: phrase: write …`; without `texts` in comments and docstrings only."""
    prose = prose_of(path.read_text(), texts=texts)
    return [f"{path.relative_to(ROOT)}:{found}" for line, text in prose for found in findings(text, line)]


@pytest.mark.parametrize("room", ROOMS)
def test_the_code_speaks_as_documentation_does(room: str) -> None:
    assert [found for path in modules(room) for found in in_module(path)] == []


def test_the_tests_do_too_apart_from_their_data() -> None:
    paths = [path for path in modules("tests") if path.name != "words.py"]
    assert [found for path in paths for found in in_module(path, texts=False)] == []


def test_the_english_documents_do_too() -> None:
    documents = [path for path in DOCUMENTS if path.name not in SPANISH]
    assert [f"{path.relative_to(ROOT)}:{found}" for path in documents for found in findings(path.read_text())] == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('"""A turn that is taken up again."""', ["1: 'taken up': write resume, begin"]),
        ("x = 1  # what became\n", []),
        ("# what became\n# of it\n", ["1: 'became of': write outcome, result"]),
        ('def f():\n    """One line.\n\n    Then it goes\n    on.\n    """\n', ["4: 'goes on': write continue"]),
        ('raise ValueError(f"{name} is no number")', ["1: 'is no n': write is not a"]),
        ('"""There is no store yet; it is no longer there."""', []),
        ('Column("told", comment="what was told")', ["1: 'told': write reported, notified, returned"]),
        ("nobody = 1", []),
    ],
)
def test_a_word_is_found_where_people_read(source: str, found: list[str]) -> None:
    assert [one for line, text in prose_of(source) for one in findings(text, line)] == found
