"""Every sentence of the commands that speak both languages has its Spanish, and keeps its values."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from terminal.language import label, language, said
from terminal.po_file import CONTEXT, entries
from terminal.spanish import CATALOGUE, LABEL, PLACE
from tests.project.repository import ROOT

SPANISH: Final = dict(entries(CATALOGUE.read_text(encoding="utf-8")))
MARKED: Final = (
    *("commands/doctor.py", "commands/new.py", "commands/validate.py"),
    *("doctor/*.py", "manifest/*.py"),
    *("status/attention.py", "status/budget.py", "status/canary.py", "status/detail.py", "status/undeclared.py"),
    *("render/markdown.py", "render/wording.py", "planning/guards.py", "planning/shortened.py"),
    *("kinds/*.py", "kinds/*/*.py", "planning/unresolved.py", "planning/adoption.py"),
)
"""Modules of the reconciler whose sentences operators read."""
APART: Final = {"edits", "block_edits", "cut_values", "draft", "emit", "checklist"}
"""Modules that write manifests, or have their own Spanish."""
NO_SENTENCE: Final = re.compile(
    r"(plain|ambiguous) \w+|while (scanning|parsing) .*|(did not find|found|could not find|mapping values) .*"
    r"|block sequence .*|control characters|special characters|Unicode character escape|Eres el asistente .*|Bearer .*"
    r"|Content-.*|Medical and Health|Allowed: \{\}\.|Write \{opening\}\.|\\b.*|.*<details>.*|\{\} in place of \{\}"
    r"|botones y listas|número de WhatsApp|Clientes? .*"
)
"""Of the YAML parser, of the manifest that is written, and templates that are filled in later."""

NOT_SAID: Final = {"click.option", "click.argument", "re.compile", "Literal"}
"""Calls and types whose texts are help, expressions or names."""


def template(node: ast.Constant | ast.JoinedStr) -> str:
    """A text as the catalogue has it."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    places = iter(range(len(node.values)))
    return "".join(str(part.value) if isinstance(part, ast.Constant) else f"{{{next(places)}}}" for part in node.values)


def sentences(path: Path) -> Iterator[str]:
    """The texts of a module with a blank between words, without docstrings, help texts and expressions to search by."""
    tree = ast.parse(path.read_text())
    apart: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            apart.add(id(node.value))
        elif isinstance(node, ast.JoinedStr):
            apart.update(id(below) for part in node.values for below in ast.walk(part))
        elif isinstance(node, ast.Call | ast.Subscript) and _head(node) in NOT_SAID:
            apart.update(id(below) for below in ast.walk(node))
    for node in ast.walk(tree):
        if id(node) in apart or not isinstance(node, ast.Constant | ast.JoinedStr):
            continue
        if isinstance(node, ast.Constant) and not isinstance(node.value, str):
            continue
        text = template(node).strip()
        if " " in text and re.search(r"[a-z]{2}", PLACE.sub("", text)) and not NO_SENTENCE.fullmatch(text):
            yield text


def _head(node: ast.Call | ast.Subscript) -> str:
    return ast.unparse(node.func if isinstance(node, ast.Call) else node.value)


def marked() -> Iterator[tuple[str, str]]:
    """Every sentence with its module."""
    for pattern in MARKED:
        for path in sorted((ROOT / "reconciler").glob(pattern)):
            if path.stem not in APART:
                yield from ((path.stem, text) for text in sentences(path))


@pytest.fixture
def _in_spanish(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HORIZONAI_LANG", "es")


def test_every_marked_sentence_has_its_spanish() -> None:
    assert sorted({one for one in marked() if not {one[1], LABEL + one[1]} & SPANISH.keys()}) == [], (
        f"add them to {CATALOGUE}"
    )


def test_a_translation_has_the_values_of_its_sentence() -> None:
    differing = [key for key, text in SPANISH.items() if not set(PLACE.findall(text)) <= set(PLACE.findall(key))]
    assert differing == []


@pytest.mark.parametrize(
    ("environment", "spoken"),
    [
        ({}, "en"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "es_CL.UTF-8"}, "es"),
        ({"LANG": "es_CL.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "es_CL.UTF-8", "HORIZONAI_LANG": "en"}, "en"),
        ({"HORIZONAI_LANG": "es"}, "es"),
        ({"HORIZONAI_LANG": "", "LANG": "es"}, "es"),
        ({"HORIZONAI_LANG": "eswatini"}, "en"),
    ],
)
def test_which_language_is_spoken(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], spoken: str) -> None:
    for name in ("HORIZONAI_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert language() == spoken


@pytest.mark.usefixtures("_in_spanish")
@pytest.mark.parametrize(
    ("english", "spanish"),
    [
        ("the sender could not be read", "no se pudo leer el sender"),
        ("Twilio calls https://a.cl/x, and not no address", "Twilio llama a https://a.cl/x, y no a ninguna dirección"),
        ("assistant.model: missing", "assistant.model: falta"),
        ("model: missing", "model: falta"),
        (
            "Plan: 1 to create, 0 to update, 2 to delete, in 1 of 3 clients.",
            "Plan: 1 por crear, 0 por actualizar, 2 por borrar, en 1 de 3 clientes.",
        ),
        (
            "Repair that first. Set it, then ask again.",
            "Hay que reparar eso primero. Hay que definirla y preguntar de nuevo.",
        ),
        (
            "\nEvery link is intact: a message to x gets an answer.",
            "\nTodos los eslabones están bien: un mensaje a x recibe respuesta.",
        ),
        ("HTTP 503: upstream connect error", "HTTP 503: upstream connect error"),
    ],
)
def test_a_finished_sentence_is_said_in_spanish(english: str, spanish: str) -> None:
    assert said(english) == spanish


@pytest.mark.usefixtures("_in_spanish")
def test_a_word_is_translated_where_it_stands_alone_only() -> None:
    assert (label("model"), said("model"), label("unheard")) == ("modelo", "model", "unheard")


def test_labels_are_apart_from_sentences() -> None:
    assert all(CONTEXT in key for key in SPANISH if key and " " not in key and not PLACE.search(key))
