"""What `validate` and `new` say in Spanish. UPDATE_GOLDEN=1 writes the files again: review their diff."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

import pytest

from reconciler.manifest import ManifestErrors, load
from terminal.language import said
from tests.manifest.fleet_files import environment, manifest, reconcile, write_files
from tests.manifest.situations import SITUATIONS
from tests.pseudo_terminal import Terminal

FOLDER: Final = Path(__file__).with_name("spanish")
ASKED: Final = "import os; from terminal.questions import confirm; confirm('Release it?'); os._exit(7)"
RELEASED = 7


def equals_golden(name: str, text: str) -> None:
    path = FOLDER / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_validate_speaks_spanish(tmp_path: Path) -> None:
    write_files(
        tmp_path, {"uno.yaml": manifest().replace("name:", "nombre:"), "dos.yaml": manifest("dos", "+15552222222")}
    )
    done = reconcile(tmp_path, "validate", HORIZONAI_LANG="es")
    assert (done.returncode, done.stderr) == (1, "")
    equals_golden("validate.txt", done.stdout)


def test_every_problem_has_its_spanish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all situations of `test_bad_input`, each with its place."""
    monkeypatch.setenv("HORIZONAI_LANG", "es")
    lines = []
    for name, files in sorted(SITUATIONS.items()):
        root = tmp_path / name
        root.mkdir()
        write_files(root, files)
        monkeypatch.chdir(root)
        with pytest.raises(ManifestErrors) as found:
            load(Path("clients.d"))
        lines += [f"{name}: {said(one.message)}. {said(one.hint)}".rstrip() for one in found.value.problems]
    equals_golden("problems.txt", "\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("language", "answer", "released"),
    [
        ("es", "s", True),
        ("es", "Sí", True),
        ("es", "y", True),
        ("es", "n", False),
        ("en", "s", True),
        ("en", "", False),
    ],
)
def test_a_yes_is_a_yes_in_both_languages(tmp_path: Path, language: str, answer: str, released: bool) -> None:
    command = [sys.executable, "-c", ASKED]
    with Terminal(command, tmp_path, environment(HORIZONAI_LANG=language)) as terminal:
        terminal.answer("¿Liberarlo? [s/N]: " if language == "es" else "Release it? [y/N]: ", answer)
        assert (terminal.finish() == RELEASED) is released


def test_the_problems_as_data_stay_english(tmp_path: Path) -> None:
    write_files(tmp_path, {"uno.yaml": manifest().replace("name:", "nombre:")})
    spanish, english = (reconcile(tmp_path, "validate", "--format", "json", HORIZONAI_LANG=one) for one in ("es", "en"))
    assert spanish.stdout == english.stdout


def test_new_speaks_spanish(tmp_path: Path) -> None:
    given = ("--name", "Café Sur", "--number", "+56 9 6123 4567", "--instructions", "Eres el asistente.")
    done = reconcile(tmp_path, "new", *given, HORIZONAI_LANG="es")
    again = reconcile(tmp_path, "new", *given[:-2], HORIZONAI_LANG="es")
    assert (done.returncode, again.returncode) == (0, 1)
    equals_golden("new.txt", f"{done.stdout}{again.stderr}")
