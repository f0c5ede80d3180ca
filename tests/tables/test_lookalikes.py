"""Files that look like manifests and are not read, by their names alone; and the files that a manifest names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reconciler.manifest.lookalikes import lookalikes, named_files
from reconciler.manifest.problem import Problem

MOVE = "Move it into clients.d, or rename it."
END = "Let its name end in .yaml, or remove the file."


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("norte/y.yaml", MOVE),
        ("norte/centro/y.YML", MOVE),
        ("y.yaml.txt", END),
        ("y.yml.bak", END),
        ("y.yml.", END),
        ("y.yalm", END),
        ("y.yaml-old", END),
        ("norte/y.yaml.txt", END),
        ("y.yaml", None),
        ("y.YML", None),
        ("y.yaml~", None),
        ("#y.yaml#", None),
        ("norte/#y.yaml", None),
        (".y.yaml.swp", None),
        ("norte/.y.yaml", None),
        (".git/y.yaml", None),
        ("norte/.git/y.yaml", None),
        ("notas.md", None),
        ("norte/notas.md", None),
        ("y.yamlx", None),
    ],
)
def test_a_file_is_taken_for_a_manifest_by_its_name_and_place(tmp_path: Path, name: str, hint: str | None) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).touch()

    message = "it looks like a manifest, and is not read"
    expected = [] if hint is None else [Problem(f"clients.d/{name}", 0, 0, message, hint, "warning")]
    assert list(lookalikes(tmp_path, "clients.d", ())) == expected


def test_they_come_in_order_without_those_that_a_manifest_names(tmp_path: Path) -> None:
    for name in ("sur/b.yaml", "sur/a.yaml", "norte/c.yaml", "norte/carta.yaml", "d.yaml.txt", "carta.yaml.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    found = lookalikes(tmp_path, "x", {"norte/carta.yaml", "carta.yaml.txt"})

    assert [problem.path for problem in found] == ["x/d.yaml.txt", "x/norte/c.yaml", "x/sur/a.yaml", "x/sur/b.yaml"]


@pytest.mark.parametrize(
    ("value", "files"),
    [
        (None, []),
        ("prompt.md", []),
        ({"name": "prompt.md"}, []),
        ({"file": "./prompts/../x.md"}, ["x.md"]),
        ({"assistant": {"instructions": {"file": "a.md"}}}, ["a.md"]),
        ({"tools": [{"parameters": {"file": "a.json"}}, [{"file": "b.json"}]]}, ["a.json", "b.json"]),
        ({"knowledge": {"files": ["./carta.pdf", "b.pdf", 7]}}, ["carta.pdf", "b.pdf"]),
        ({"files": "carta.pdf"}, []),
        ({"files": {"file": "a.md"}}, ["a.md"]),
        ({"file": {"file": "a.md"}}, ["a.md"]),
        ({"name": ["a.md"]}, []),
    ],
)
def test_the_files_that_a_manifest_names_are_found_at_any_depth(value: Any, files: list[str]) -> None:
    assert list(named_files(value)) == files
