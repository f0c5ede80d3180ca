"""`make test-pythons` runs the tests on the Pythons that there are; CI and the package's description name the same."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import yaml

from tests.project.repository import ROOT

SCRIPT = ROOT / ".ci" / "test-pythons"
MINORS = re.search(r'^MINORS="(.*)"', SCRIPT.read_text(), re.MULTILINE)[1].split()  # type: ignore[index]


def program(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


def run_on(folder: Path) -> subprocess.CompletedProcess[str]:
    """The task on a machine with the Pythons below `folder` only; its `make` is green unless it is given 3.13."""
    program(folder / "make", 'echo "make $*"; case "$*" in *3.13*) exit 2;; esac')
    for name in ("bash", "dirname"):
        (folder / name).symlink_to(str(shutil.which(name)))
    environment = {"PYENV_ROOT": str(folder), "PATH": str(folder), "MAKE": str(folder / "make")}
    return subprocess.run([SCRIPT], env=environment, capture_output=True, text=True, check=False)


def test_each_python_that_there_is_gets_an_environment_and_a_line_and_what_is_absent_is_named(tmp_path: Path) -> None:
    for version in ("3.10.13", "3.12.1", "3.12.10", "3.13.0"):
        program(tmp_path / "versions" / version / "bin" / "python", f"echo {version}")
    program(tmp_path / "python3.12", "echo 3.12.10")
    program(tmp_path / "python3.14", "exit 127")

    done = run_on(tmp_path)

    assert done.returncode == 1
    assert re.findall(r"^make .* test PYTHON=(\S+) VENV=(\S+)$", done.stdout, re.MULTILINE) == [
        (f"{tmp_path}/versions/{version}/bin/python", f"var/python/{version}")
        for version in ("3.12.1", "3.12.10", "3.13.0")
    ]
    assert done.stdout.partition("== Pythons\n")[2].splitlines() == [
        "3.11 not found, left out",
        "3.12.1 green",
        "3.12.10 green",
        "3.13.0 red",
        "3.14 not found, left out",
    ]


def test_a_machine_without_any_is_told_how_to_get_one(tmp_path: Path) -> None:
    done = run_on(tmp_path)

    assert done.returncode == 1
    assert "pyenv install 3.13" in done.stderr


def test_the_same_pythons_are_promised_and_tried_by_ci() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    promised = [line.rpartition(" :: ")[2] for line in project["classifiers"] if "Python :: 3." in line]
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    tried = workflow["jobs"]["test"]["strategy"]["matrix"]["python"]

    assert promised == MINORS
    assert list(dict.fromkeys(".".join(version.split(".")[:2]) for version in tried)) == MINORS
