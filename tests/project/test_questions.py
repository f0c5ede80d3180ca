"""Questions are asked in one module, so that each of them discards what was typed ahead."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.project.repository import ROOT

ROOMS = ("schemas", "runtime", "reconciler", "sandbox", "demo")
ASKING = {
    "click.confirm",
    "click.edit",
    "click.getchar",
    "click.pause",
    "click.prompt",
    "getpass.getpass",
    "input",
    "sys.stdin.isatty",
    "sys.stdin.readline",
}


def asked(source: str) -> Iterator[str]:
    """Calls that ask a question on the terminal, and options that do."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ASKING:
            yield ast.unparse(node.func)
        keywords = node.keywords if isinstance(node, ast.Call) else []
        yield from (f"{word.arg}=" for word in keywords if word.arg in ("prompt", "confirmation_prompt"))


@pytest.mark.parametrize("room", ROOMS)
def test_no_question_is_asked_elsewhere(room: str) -> None:
    found = [
        (path.relative_to(ROOT).as_posix(), call)
        for path in Path(ROOT, room).rglob("*.py")
        for call in asked(path.read_text())
    ]
    assert found == []


def test_questions_are_found() -> None:
    assert list(asked((ROOT / "terminal" / "questions.py").read_text()))
    assert list(asked("@click.option('--key', prompt=True)\ndef f(): ...")) == ["prompt="]
