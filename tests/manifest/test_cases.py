"""Test cases of a manifest: how they merge with the defaults, where they stand, what they mean."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from reconciler.manifest import Manifest, load
from tests.manifest.fleet_files import manifest, write_files

GREETING = "{conversation: [{say: Hola, expect: {max_chars: 9}}]}"
DEFAULTS = f"tests:\n  saluda: {GREETING}\n  instrucciones: {GREETING}\n"


def _loaded(root: Path, more: str, files: dict[str, str] | None = None) -> Manifest:
    folder = write_files(root, {"_defaults.yaml": DEFAULTS, "uno.yaml": manifest(more=more), **(files or {})})
    return load(folder).clients[0]


def test_a_client_has_the_cases_of_the_defaults_and_its_own(tmp_path: Path) -> None:
    loaded = _loaded(tmp_path, f"tests:\n  mesa: {GREETING}\n")
    assert [case.name for case in loaded.cases] == ["saluda", "instrucciones", "mesa"]


def test_null_removes_a_case_of_the_defaults(tmp_path: Path) -> None:
    loaded = _loaded(tmp_path, "tests: {saluda: null}\n")
    assert [case.name for case in loaded.cases] == ["instrucciones"]


def test_a_case_is_merged_with_the_default_of_its_name_key_by_key(tmp_path: Path) -> None:
    [case, _] = _loaded(tmp_path, 'tests: {saluda: {at: "2026-12-24 20:30"}}\n').cases
    assert (case.case.time, case.case.conversation[0].say) == (datetime(2026, 12, 24, 20, 30), ["Hola"])


def test_a_case_in_a_file_replaces_the_default_of_its_name(tmp_path: Path) -> None:
    text = "conversation:\n  - say: [Hola, ¿Hay mesa?]\n    expect: {contains: mesa}\n"
    [case, _] = _loaded(tmp_path, "tests: {saluda: {file: uno/saluda.yaml}}\n", {"uno/saluda.yaml": text}).cases
    assert case.case.conversation[0].say == ["Hola", "¿Hay mesa?"]
    assert case.place.endswith("clients.d/uno/saluda.yaml:1:1")


def test_a_case_names_its_line_in_the_file_that_declares_it(tmp_path: Path) -> None:
    loaded = _loaded(tmp_path, f"tests:\n  mesa: {GREETING}\n")
    assert [case.place.rpartition("/")[2] for case in loaded.cases] == [
        "_defaults.yaml:2:3",
        "_defaults.yaml:3:3",
        "uno.yaml:8:3",
    ]


def test_a_case_that_expects_nothing_is_a_warning(tmp_path: Path) -> None:
    folder = write_files(tmp_path, {"uno.yaml": manifest(more="tests: {a: {conversation: [{say: Hola}]}}\n")})
    [warning] = load(folder).warnings
    assert warning.message == "tests.a.conversation: nothing is expected, so that any answer passes"
