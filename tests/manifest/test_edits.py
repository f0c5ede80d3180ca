"""Edits of one value in a manifest: that value changes, and no other byte of the file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.manifest.document import parse
from reconciler.manifest.edits import NotEdited, with_key, with_text, write
from reconciler.manifest.emit import to_yaml

MODEL = ("assistant", "model")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "# La Cocina\nassistant:\n    model:   gpt-4o-mini   # barato\n\n    tools: [ ]\n",
            "# La Cocina\nassistant:\n    model:   gpt-6-luna   # barato\n\n    tools: [ ]\n",
        ),
        ("assistant: {model: gpt-4o-mini, name: Ñandú}\n", "assistant: {model: gpt-6-luna, name: Ñandú}\n"),
        ("name: Peñón 🍲\nassistant:\n  model: 'x'\n", "name: Peñón 🍲\nassistant:\n  model: 'gpt-6-luna'\n"),
        ('assistant:\r\n  model: "x"\r\n  name: y\r\n', 'assistant:\r\n  model: "gpt-6-luna"\r\n  name: y\r\n'),
        ("\ufeffassistant: {model: x}", "\ufeffassistant: {model: gpt-6-luna}"),
        ("assistant:\n  model: x\n# fin", "assistant:\n  model: gpt-6-luna\n# fin"),
        ("assistant:\n  model: |-\n    x\n  name: y\n", None),
        ("m: &m x\nassistant:\n  model: *m\n", None),
        ("m: &m x\nassistant: {model: &a x}\nn: *a\n", None),
    ],
)
def test_a_text_is_replaced_where_it_stands_or_left_to_a_person(before: str, after: str | None) -> None:
    if after is None:
        with pytest.raises(NotEdited, match=r"uno\.yaml:\d+:\d+: assistant\.model cannot be edited"):
            with_text(before.encode(), "uno.yaml", MODEL, "gpt-6-luna")
    else:
        assert with_text(before.encode(), "uno.yaml", MODEL, "gpt-6-luna").decode() == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("id: uno\n", "id: uno\nassistant:\n  model: m\n"),
        ("id: uno", "id: uno\nassistant:\n  model: m\n"),
        ("assistant:\n    name: x # y\n", "assistant:\n    model: m\n    name: x # y\n"),
        ("assistant: {name: x}\n", "assistant: {model: m, name: x}\n"),
        ("assistant: {}\n", "assistant: {model: m}\n"),
    ],
)
def test_a_key_is_added_at_the_beginning_of_its_mapping(before: str, after: str) -> None:
    assert with_key(before.encode(), "uno.yaml", MODEL, "m").decode() == after


@given(name=st.text(min_size=1, max_size=20), model=st.text(min_size=1, max_size=20))
def test_whatever_the_values_are_the_other_ones_stay(name: str, model: str) -> None:
    document = to_yaml({"name": name, "assistant": {"model": "x", "note": name}}).encode()
    if parse("uno.yaml", document).problems:
        return
    try:
        edited = with_text(document, "uno.yaml", MODEL, model)
    except NotEdited:
        # YAML has no text for it, as for half a surrogate pair.
        assert (
            parse("uno.yaml", to_yaml({"model": model}).encode()).value != {"model": model} or not model.isprintable()
        )
        return
    assert parse("uno.yaml", edited).value == {"name": name, "assistant": {"model": model, "note": name}}


def test_a_file_keeps_its_mode_and_a_link_stays_one(tmp_path: Path) -> None:
    real, link = tmp_path / "uno.yaml", tmp_path / "otro.yaml"
    real.write_text("a")
    real.chmod(0o640)
    link.symlink_to(real)
    write(link, b"b")
    assert (link.is_symlink(), real.read_text(), real.stat().st_mode & 0o777) == (True, "b", 0o640)
    assert {path.name for path in tmp_path.iterdir()} == {"uno.yaml", "otro.yaml"}
