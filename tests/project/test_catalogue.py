"""Every text of the console is in the English catalogue, and the catalogue has no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from jinja2.ext import extract_from_ast

from runtime.console.rendering import TEMPLATES, environment
from runtime.console.words import LOCALE, Sentence, catalogue, compiled
from terminal.po_file import BadCatalogue, entries
from tests.project.repository import ROOT

CONSOLE = ROOT / "runtime" / "console"
CALLS = {"Sentence", "gettext", "ngettext"}
PLACE = re.compile(r"%\(\w+\)s")


def texts() -> Iterator[str]:
    """The keys that templates and modules ask for; a plural's two forms joined by NUL."""
    for path in TEMPLATES.glob("*.html"):
        for _, _, found in extract_from_ast(environment("es").parse(path.read_text())):
            yield found if isinstance(found, str) else "\0".join(form for form in found if form is not None)
    for path in CONSOLE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and name_of(node.func) in CALLS and isinstance(node.args[0], ast.Constant):
                forms = [one.value for one in node.args if isinstance(one, ast.Constant)]
                yield "\0".join(forms) if name_of(node.func) == "ngettext" else forms[0]


def name_of(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


ENGLISH = dict(entries((LOCALE / "en.po").read_text()))


def test_every_text_has_its_english_one() -> None:
    missing = sorted(set(texts()) - set(ENGLISH))
    assert missing == [], "add them to runtime/console/locale/en.po"


def test_the_catalogue_has_no_text_that_is_not_used() -> None:
    assert sorted(set(ENGLISH) - set(texts()) - {""}) == []


def test_a_translation_has_the_same_values_as_its_text() -> None:
    differing = [key for key, value in ENGLISH.items() if key and places(key) != places(value)]
    assert differing == []


def places(text: str) -> set[str]:
    return set(PLACE.findall(text))


def test_a_plural_is_compiled_with_both_forms() -> None:
    days = catalogue("en").ngettext
    assert [days("%(days)s día", "%(days)s días", count) for count in (1, 2)] == ["%(days)s day", "%(days)s days"]


def test_a_sentence_is_said_in_each_language() -> None:
    sentence = Sentence("%(name)s tiene esta conversación. Nada cambió.", {"name": "Ana"})
    assert sentence.said("es") == "Ana tiene esta conversación. Nada cambió."
    assert sentence.said("en") == "Ana has this conversation. Nothing was changed."


def test_a_catalogue_without_keys_is_refused_with_its_line() -> None:
    with pytest.raises(BadCatalogue, match="line 2"):
        list(entries('msgstr "Hola"\n'))
    assert compiled({}) != b""


def test_static_files_are_what_they_are_said_to_be() -> None:
    from hashlib import sha256

    from runtime.console.static_files import HTMX_SHA256

    assert sha256(Path(CONSOLE, "static", "htmx.min.js").read_bytes()).hexdigest() == HTMX_SHA256
