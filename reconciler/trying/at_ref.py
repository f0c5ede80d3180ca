"""The folder of manifests as a commit has it, in a temporary folder: git's own archive of it, nothing checked out."""

from __future__ import annotations

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reconciler.errors import ReconcileError


@contextmanager
def folder_at(clients_dir: Path, ref: str) -> Iterator[Path]:
    """The folder at a ref: a branch, a tag, a commit. Raises ReconcileError where git does not have it."""
    if ref.startswith("-"):
        raise ReconcileError(f"{ref!r} is not a git ref.")
    folder = clients_dir.resolve()
    root = Path(_git(folder, "rev-parse", "--show-toplevel").decode().strip())
    commit = _git(root, "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}").decode().strip()
    name = folder.relative_to(root.resolve()).as_posix()
    archive = _git(root, "archive", "--format=tar", commit, "--", name)
    with tempfile.TemporaryDirectory(prefix="horizonai-compare-") as temporary:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(temporary, filter="data")
        yield Path(temporary) / name


def _git(folder: Path, *arguments: str) -> bytes:
    try:
        done = subprocess.run(  # noqa: S603 - git's own words, no shell
            ["git", "-C", str(folder), *arguments],  # noqa: S607 - the user's own git
            capture_output=True,
            check=False,
            timeout=60,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ReconcileError(f"git cannot be asked: {error}.") from error
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        reason = f": {said[-1]}" if said else ""
        raise ReconcileError(f"git has no {arguments[-1].removesuffix('^{commit}')} here{reason}.")
    return done.stdout
