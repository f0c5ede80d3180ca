"""Folders of manifests for the tests, and the command `reconcile` as a process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.forked import programs
from tests.sandbox_process import ROOT

VALID = """\
id: {id}
name: Cliente {id}
number: "{number}"
assistant:
  model: gpt-6-luna
  instructions: Responde en español.
"""

Files = Mapping[str, str | bytes]


def manifest(client: str = "uno", number: str = "+56961234501", more: str = "") -> str:
    """A valid manifest; `more` is added at its end."""
    return VALID.format(id=client, number=number) + more


def with_tools(tools: str) -> str:
    """A valid manifest with tools, written without indentation."""
    indented = "".join(f"    {line}\n" for line in tools.strip("\n").split("\n"))
    return manifest(more=f"  tools:\n{indented}")


def write_files(root: Path, files: Files) -> Path:
    """Writes files below `root`/clients.d and returns that folder."""
    folder = root / "clients.d"
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def environment(**settings: str) -> dict[str, str]:
    """An environment without any setting of ours besides those given; commands are those of this tree."""
    return {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "PYTHONPATH": str(ROOT), **settings}


def reconcile(root: Path, *arguments: str, stdin: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
    """Runs `reconcile` in a folder, without a terminal."""
    if not stdin:
        return programs().run("reconciler.cli", arguments, root, environment(**settings))
    return subprocess.run(
        [sys.executable, "-m", "reconciler.cli", *arguments],
        cwd=root,
        env=environment(**settings),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
