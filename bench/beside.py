"""Another commit of this project, to be measured in turns with what is checked out."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.measure import BenchError
from bench.sandbox import ROOT


@contextmanager
def checkout(commit: str, folder: Path) -> Iterator[Path]:
    """Its files, in a new work tree in the folder, which is removed at the end."""
    place = folder / "beside"
    _git("worktree", "add", "--detach", str(place), commit)
    try:
        yield place
    finally:
        _git("worktree", "remove", "--force", str(place))


def _git(*arguments: str) -> None:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"git {' '.join(arguments)}: {done.stderr.strip()}")
