"""Values are copied and removed in a manifest's text; everything else stays as a person wrote it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.manifest.block_edits import CopyValue, Edit, RemoveKey, edited
from reconciler.manifest.document import parse
from reconciler.manifest.edits import NotEdited

MODEL, INSTRUCTIONS, CANARY = (("assistant", key) for key in ("model", "instructions", "canary"))
NEW_MODEL, NEW_INSTRUCTIONS = ((*CANARY, key) for key in ("model", "instructions"))
TO_MODEL, TO_INSTRUCTIONS = CopyValue(NEW_MODEL, MODEL), CopyValue(NEW_INSTRUCTIONS, INSTRUCTIONS)


def after(text: str, *edits: Edit) -> str:
    return edited(text.encode(), "a.yaml", edits).decode()


BLOCK = """\
assistant:
  model: gpt-6-luna # el barato
  # El de siempre.
  instructions: |  # revisado por Ana
    Sé formal.

    Saluda.

  canary: # hasta Navidad
    percent: 10
    instructions: |
      Sé breve.

        - sangrado
    model: gpt-5.6-luna

# Lo demás.
timezone: "America/Santiago"
"""


def test_a_promotion_moves_a_prompt_with_its_indent_and_keeps_comments() -> None:
    assert (
        after(BLOCK, TO_MODEL, TO_INSTRUCTIONS, RemoveKey(CANARY))
        == """\
assistant:
  model: gpt-5.6-luna # el barato
  # El de siempre.
  instructions: |  # revisado por Ana
    Sé breve.

      - sangrado


# Lo demás.
timezone: "America/Santiago"
"""
    )


@pytest.mark.parametrize(
    ("text", "edits", "expected"),
    [
        ("assistant: {model: a, canary: {percent: 1, model: b}}\n", [TO_MODEL, RemoveKey(CANARY)], "{model: b}"),
        ("assistant: {canary: {model: b}, model: a}\n", [TO_MODEL, RemoveKey(CANARY)], "{model: b}"),
        ("assistant: {canary: {model: b}, name: x}\n", [TO_MODEL, RemoveKey(CANARY)], "{model: b, name: x}"),
    ],
)
def test_what_is_written_in_one_line_stays_in_one_line(text: str, edits: list[Edit], expected: str) -> None:
    assert after(text, *edits) == f"assistant: {expected}\n"


def test_a_value_that_the_assistant_does_not_have_is_added_before_the_canary() -> None:
    prompt = "instructions: >-\n            uno\n            dos\n"
    text = f"assistant:\n    model: a\n    canary:\n        percent: 5\n        {prompt}"
    assert after(text, TO_INSTRUCTIONS) == text.replace(
        "    canary:", "    instructions: >-\n        uno\n        dos\n    canary:"
    )


def test_a_mapping_that_has_nothing_else_goes_too() -> None:
    assert after("id: a\nassistant:\n  canary:\n    percent: 5\nname: b\n", RemoveKey(CANARY)) == "id: a\nname: b\n"


def test_line_ends_and_the_mark_at_the_beginning_stay() -> None:
    data = b"\xef\xbb\xbf" + BLOCK.replace("\n", "\r\n").encode()
    written = edited(data, "a.yaml", [TO_INSTRUCTIONS, RemoveKey(CANARY)])
    assert written.startswith(b"\xef\xbb\xbfassistant:\r\n")
    assert written.count(b"\n") == written.count(b"\r\n")


@pytest.mark.parametrize(
    "text",
    [
        "assistant:\n  model: a\n  canary: &c {percent: 1, model: b}\nother: *c\n",
        "assistant:\n  model: &m a\n  name: *m\n  canary: {percent: 1, model: b}\n",
    ],
)
def test_what_would_change_something_else_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(NotEdited, match=r"^a\.yaml:\d+:\d+: assistant\.canary.* edit it by hand"):
        after(text, TO_MODEL, RemoveKey(CANARY))


words = st.text("abcñ ¿é-:#'\"{}[]", min_size=1, max_size=12).map(lambda text: f"x{text.strip()}x")
comments = st.sampled_from(["", "  # nota", " # ¿sí?"])


@st.composite
def scalars(draw: st.DrawFn, indent: int) -> str:
    """A text in one of the ways in which people write one."""
    style = draw(st.sampled_from(["plain", "single", "double", "block"]))
    text = draw(words)
    if style == "single":
        return "'" + text.replace("'", "''") + "'" + draw(comments)
    if style == "double":
        return '"' + text.replace('"', '\\"') + '"' + draw(comments)
    if style == "plain":
        return "a" + "".join(letter for letter in text if letter.isalpha()) + draw(comments)
    margin = " " * draw(st.integers(indent + 1, indent + 6))
    lines = [text, *draw(st.lists(st.one_of(words, st.just("")), max_size=3)), draw(words)]
    body = "".join(f"{margin}{line}\n" if line else "\n" for line in lines).rstrip("\n")
    return draw(st.sampled_from(["|", ">", "|-"])) + draw(comments) + "\n" + body


@st.composite
def manifests(draw: st.DrawFn) -> str:
    """A manifest with a canary, its keys in any order, with comments and blank lines between them."""
    outer, inner = draw(st.integers(1, 4)), draw(st.integers(1, 4))

    def between(indent: int) -> str:
        return draw(st.sampled_from(["", "\n", f"{' ' * indent}# entre medio\n"]))

    canary = "".join(
        f"{' ' * (outer + inner)}{key}: {draw(scalars(outer + inner))}\n{between(outer + inner)}"
        for key in draw(st.permutations(["model", "instructions", "note"]))
    )
    entries = {key: f"{key}: {draw(scalars(outer))}\n" for key in ("model", "instructions", "other")}
    entries["canary"] = f"canary:{draw(comments)}\n{canary}"
    assistant = "".join(f"{' ' * outer}{entries[key]}{between(outer)}" for key in draw(st.permutations(list(entries))))
    return f"id: a{draw(comments)}\n{between(0)}assistant:\n{assistant}{between(0)}name: {draw(scalars(0))}\n"


@given(manifests())
def test_a_promotion_changes_what_was_promoted_and_no_other_value_however_it_is_written(text: str) -> None:
    before = parse("a.yaml", text.encode()).value
    said = before["assistant"].pop("canary")
    changed = after(text, TO_MODEL, TO_INSTRUCTIONS, RemoveKey(CANARY))
    before["assistant"] |= {"model": said["model"], "instructions": said["instructions"]}
    assert parse("a.yaml", changed.encode()).value == before


def test_comments_inside_a_mapping_go_with_it_and_those_beside_it_stay() -> None:
    canary = "  canary:\n    # dentro\n    model: b # al lado\n\n    # al final\n"
    text = f"assistant:\n  # sobre\n{canary}  # después\n  name: x\n"
    assert after(text, RemoveKey(CANARY)) == "assistant:\n  # sobre\n  # después\n  name: x\n"


@given(manifests())
def test_a_removal_leaves_every_other_line_as_it_was(text: str) -> None:
    document = parse("a.yaml", text.encode())
    changed = after(text, RemoveKey(CANARY))
    key, _ = document.find(CANARY)
    assert key is not None
    first = key.start_mark.line
    gone = len(text.splitlines()) - len(changed.splitlines())
    lines = text.splitlines()
    assert changed.splitlines() == lines[:first] + lines[first + gone :]
