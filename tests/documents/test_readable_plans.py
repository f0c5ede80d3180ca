"""A reviewer can read all of what a plan changes: whole tools, blanks, and invisible characters."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler.manifest import load
from reconciler.model import FieldChange, Plan
from reconciler.render.html import plan_html
from reconciler.render.markdown import plan_markdown
from reconciler.render.text import plan_text
from tests.documents.plans import a_change, a_plan

TOOL = {
    "type": "function",
    "name": "crear_reserva",
    "description": "Crea una reserva para el restaurante",
    "parameters": {
        "type": "object",
        "properties": {f"campo_{number}": {"type": "string", "enum": ["a", "b"]} for number in range(12)},
        "required": ["campo_11"],
    },
}
RENDERERS: list[Callable[[Plan], str]] = [plan_text, plan_markdown, plan_html]


def of(old: Any, new: Any, *steps: str | int, action: str = "update") -> Plan:
    """A plan that changes one field."""
    return a_plan(a_change("la-cocina", FieldChange(steps or ("nota",), old, new), action=action))


@pytest.mark.parametrize("shown", RENDERERS)
@pytest.mark.parametrize("action", ["create", "update"])
def test_a_new_tool_is_shown_whole_a_line_a_leaf(shown: Callable[[Plan], str], action: str) -> None:
    text = shown(of(None, [TOOL], "tools", action=action))
    if shown is plan_html:
        assert "Pide campo_11<code>tools[0].parameters.properties.campo_11</code>" in text
        assert "texto (a, b), obligatorio" in text
    else:
        assert "tools[0].parameters.properties.campo_11.enum[1]" in text
        assert "tools[0].parameters.required[0]" in text
    assert "…" not in text


@pytest.mark.parametrize("shown", RENDERERS)
def test_a_tool_that_goes_is_shown_whole(shown: Callable[[Plan], str]) -> None:
    assert "tools[1].parameters.properties.campo_11" in shown(of(TOOL, None, "tools", 1))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("a b", "a b ", 'nota: a b → "a b "'),
        ("a  b", "a b", 'nota: "a  b" → a b'),
        ("a b", "a\u00a0b", 'nota: a b → "a\\xa0b"'),
        ("a", "a\u200b", "nota: a → a\\u200b"),
        ("menu", "me\u00adnu", "nota: menu → me\\u00adnu".replace("\\u00ad", "\\xad")),
        ("a", "a\U000e0041", "nota: a → a\\U000e0041"),
        ("menú", unicodedata.normalize("NFD", "menú"), "nota: menú → menu\\u0301"),
        ("👨", "👨\u200d👩", "nota: 👨 → 👨\u200d👩"),
    ],
)
def test_no_change_looks_like_none(old: str, new: str, said: str) -> None:
    assert said in plan_text(of(old, new))


def test_blanks_at_the_end_of_a_prompts_line_are_seen() -> None:
    text = plan_text(of("Hola\nAdiós\n", "Hola \nAdiós\t\n"))
    assert "+Hola·\n" in text
    assert "+Adiós·\n" in text


def test_what_nobody_sees_is_warned_of_with_its_place(tmp_path: Path) -> None:
    folder = tmp_path / "clients.d"
    folder.mkdir()
    (folder / "prompt.md").write_text("Eres el asistente.\nHola\U000e0041\U000e0042 👨\u200d👩\n", encoding="utf-8")
    (folder / "x.yaml").write_text(
        'id: x\nname: "X\u200b"\nnumber: "+56998765000"\n'
        "assistant: {model: gpt-6-luna, instructions: {file: prompt.md}}\n",
        encoding="utf-8",
    )
    prompt, name = load(folder).warnings
    assert str(prompt).endswith(
        "prompt.md:2:5: warning: an invisible character, which the model reads: U+E0041 tag latin capital letter "
        "a, the first of 2 in a row. Remove it, or write the text again."
    )
    assert (name.line, name.column, "U+200B zero width space" in name.message) == (2, 9, True)
