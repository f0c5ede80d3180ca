"""The map of the repository is true: paths that documents name exist, every folder is named, and where.md is right."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

from tests.project.repository import DOCUMENTS, ROOT

MAPPED = ("runtime", "reconciler", "sandbox")
"""Rooms of which docs/architecture.md names every folder."""
CODE = re.compile(r"`([^`\s]+)`")
ROW = re.compile(r"^\| .*\? \| `(?P<place>[^`]+)` \| `(?P<word>[^`]+)` \|$", re.MULTILINE)


@cache
def tracked() -> frozenset[str]:
    """Every file of the repository and every folder that holds one, folders with a slash at the end."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    files = [name for name in listing.stdout.splitlines() if (ROOT / name).exists()]
    folders = {f"{parent.as_posix()}/" for name in files for parent in Path(name).parents if parent != Path()}
    return frozenset(files) | folders


def paths_in(text: str) -> set[str]:
    """What a document writes as code and means as a path of the repository: below one of its folders, or in its root.

    A path with a placeholder stands for many and is left out, and so are manifests, of which examples are invented.
    """
    roots = {name.partition("/")[0] for name in tracked()} - {"clients.d"}
    named = {word for word in CODE.findall(text) if word.partition("/")[0] in roots and re.fullmatch(r"[\w./-]+", word)}
    return {word for word in named if "/" in word or "." in word}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_path_that_a_document_names_exists(document: Path) -> None:
    named = paths_in(document.read_text())

    assert sorted(named - tracked() - {path.rstrip("/") for path in tracked()}) == []


def test_every_page_that_the_code_refers_to_exists() -> None:
    sources = [ROOT / name for name in tracked() if name.startswith(MAPPED) and name.endswith(".py")]
    named = {page for path in sources for page in re.findall(r"docs/[\w./-]+\.md", path.read_text())}

    assert named
    assert sorted(named - tracked()) == []


def test_every_decision_is_listed() -> None:
    pages = {Path(name).name for name in tracked() if name.startswith("docs/adr/0")}

    assert set(re.findall(r"\]\((0[\w-]+\.md)\)", (ROOT / "docs" / "adr" / "README.md").read_text())) == pages


def test_paths_are_found_where_they_are_meant() -> None:
    text = "`runtime/gone.py`, `tests/project`, `README.md`, `runtime`, `/webhook/whatsapp`, `reconciler/kinds/<kind>/`"

    assert paths_in(text) == {"runtime/gone.py", "tests/project", "README.md"}


@pytest.mark.parametrize("room", MAPPED)
def test_the_architecture_names_every_folder_of(room: str) -> None:
    linked = set(re.findall(r"\]\(\.\./([\w./-]+?)/?\)", (ROOT / "docs" / "architecture.md").read_text()))
    folders = {Path(name).parent.as_posix() for name in tracked() if name.startswith(f"{room}/") and name[-3:] == ".py"}

    assert sorted(folders - linked) == []


def test_where_each_thing_is() -> None:
    rows = ROW.findall((ROOT / "docs" / "where.md").read_text())
    missing = [
        (place, word)
        for place, word in rows
        if not any(word in path.read_text() for path in sorted((ROOT / place).glob("*.py")))
    ]

    assert len(rows) >= 20
    assert missing == []
