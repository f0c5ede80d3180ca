"""The version is written once, in pyproject.toml; both programs report the installed package's."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.project.repository import ROOT

BIN = Path(sys.executable).parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize("program", sorted(PROJECT["scripts"]))
def test_a_program_reports_the_installed_version(program: str) -> None:
    done = subprocess.run([BIN / program, "--version"], capture_output=True, text=True, check=True)

    assert done.stdout == f"{program}, version {version(PROJECT['name'])}\n"


def test_the_version_is_written_in_one_place() -> None:
    """Pages name versions too, of the past or as an example; locks name those of other packages."""
    pathspec = [".", ":!*.md", ":!*.lock"]
    found = subprocess.run(
        ["git", "grep", "--word-regexp", "-lF", PROJECT["version"], "--", *pathspec],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert found.stdout.splitlines() == ["pyproject.toml"]
    assert version(PROJECT["name"]) == PROJECT["version"], "run `make setup`"
    assert re.fullmatch(r"\d+\.\d+\.\d+", PROJECT["version"])
