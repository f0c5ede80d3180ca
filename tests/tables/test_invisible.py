"""Characters that a model reads and a reviewer does not see: which they are, and where each is reported."""

from __future__ import annotations

import pytest

from reconciler.manifest.invisible import invisible
from reconciler.manifest.problem import MAX_PROBLEMS, Problem

TAGS = "\U000e0068\U000e006f\U000e006c\U000e0061"
"""Spells "hola" for a model."""


def found(text: str) -> list[tuple[int, int]]:
    """Line and column of each."""
    return [(problem.line, problem.column) for problem in invisible("prompt.md", text)]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Hola\u200b", "U+200B zero width space"),
        ("Ho\u00adla", "U+00AD soft hyphen"),
        ("\u202eHola", "U+202E right-to-left override"),
        ("\ufeffHola", "U+FEFF zero width no-break space"),
        ("Hola\u200d", "U+200D zero width joiner"),
        ("Hola\u3164", "U+3164 hangul filler"),
        (TAGS, "U+E0068 tag latin small letter h, the first of 4 in a row"),
        ("a\u200b\u00adb", "U+200B zero width space, the first of 2 in a row"),
        ("\U000e0000", "U+E0000"),
    ],
)
def test_each_is_named_with_how_many_follow(text: str, named: str) -> None:
    message = f"an invisible character, which the model reads: {named}"
    [problem] = invisible("prompt.md", text)
    hint = "Remove it, or write the text again."
    assert problem == Problem("prompt.md", 1, problem.column, message, hint, "warning")


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("\u200bHola", [(1, 1)]),
        ("Hola\u200b", [(1, 5)]),
        ("Hola\nEres\u200b\n", [(2, 5)]),
        ("\n\u200b\n\nuno\u200b dos\u200b", [(2, 1), (4, 4), (4, 9)]),
        ("a\u200b\u200bb\u200b", [(1, 2), (1, 5)]),
        ("a\u200db", [(1, 2)]),
        ("👩\u200dy", [(1, 2)]),
    ],
)
def test_each_run_has_its_line_and_column(text: str, places: list[tuple[int, int]]) -> None:
    assert found(text) == places


@pytest.mark.parametrize("text", ["", "Hola, ñandú", "👩\u200d👧 ❤️\u200d🔥", "🏳️\u200d🌈", "uno\ttres\u00a0cuatro\r\n"])
def test_what_is_seen_or_belongs_to_an_emoji_is_none(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize("runs", [MAX_PROBLEMS, MAX_PROBLEMS + 1])
def test_a_file_full_of_them_has_no_endless_list(runs: int) -> None:
    assert len(found("a\u200b" * runs)) == MAX_PROBLEMS
