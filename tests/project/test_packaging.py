"""A wheel holds every file of the rooms that it is made of, templates and schemas included."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.project.repository import ROOT

BUILD = "from setuptools import setup; setup()"


def test_whatever_lies_in_a_packaged_room_is_in_the_wheel(tmp_path: Path) -> None:
    rooms = [
        pattern.removesuffix("*")
        for pattern in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"][
            "include"
        ]
    ]
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *rooms],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    files = {name for name in listed.stdout.splitlines() if (ROOT / name).is_file()}
    for name in (*files, "pyproject.toml", "README.md", "LICENSE"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)

    subprocess.run(
        [sys.executable, "-c", BUILD, "--quiet", "build_py", "--build-lib", "built"], cwd=tmp_path, check=True
    )

    built = {path.relative_to(tmp_path / "built").as_posix() for path in (tmp_path / "built").rglob("*.*")}
    assert files - built == set()
