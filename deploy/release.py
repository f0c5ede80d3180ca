"""Makes a release of what is committed: checks its changelog entry and its tag's name, builds the wheel, installs it
with the locked packages into an empty environment, runs both programs, then sets the tag. It pushes nothing.

    version in pyproject.toml ──► entry in CHANGELOG.md ──► dist/*.whl ──► empty environment ──► tag vX.Y.Z

`make release`, or `python deploy/release.py --check`, which sets no tag. What it builds is an export of the commit, so
nothing that is not committed gets in, and the same commit gives the same wheel.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = ("reconcile", "horizonai-whatsapp-bot")
SMOKE = (("reconcile", "schema", "--check"), ("horizonai-whatsapp-bot", "migrate"))
"""Commands that need what is in the wheel besides modules: the JSON Schemas, the migrations."""
VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
HEADING = re.compile(r"^## (?P<name>[^\s(]+)(?: \((?P<date>\d{4}-\d{2}-\d{2})\))?$", re.MULTILINE)
UNRELEASED = "Unreleased"


class ReleaseRefused(Exception):
    """No release can be made of this commit; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One section of the changelog."""

    name: str
    """A version, or `Unreleased`."""
    date: str | None
    """YYYY-MM-DD."""
    text: str


def entries(changelog: str) -> list[Entry]:
    """The changelog's sections, newest first."""
    found = list(HEADING.finditer(changelog))
    ends = [heading.start() for heading in found[1:]] + [len(changelog)]
    return [
        Entry(heading["name"], heading["date"], changelog[heading.end() : end].strip())
        for heading, end in zip(found, ends, strict=False)
    ]


def release_entry(changelog: str, version: str) -> Entry:
    """The entry of the version that is to be released.

    Raises ReleaseRefused when it is not the newest one, has no date or no text, or when changes are left unreleased.
    """
    if not VERSION.fullmatch(version):
        raise ReleaseRefused(f"The version {version!r} in pyproject.toml is not MAJOR.MINOR.PATCH.")
    if any(entry.text for entry in entries(changelog) if entry.name == UNRELEASED):
        raise ReleaseRefused(
            f"CHANGELOG.md has changes under {UNRELEASED!r}; set the next version in pyproject.toml and put them below "
            "a heading `## VERSION (YYYY-MM-DD)`."
        )
    released = [entry for entry in entries(changelog) if entry.name != UNRELEASED]
    if not released or released[0].name != version:
        raise ReleaseRefused(f"The newest entry of CHANGELOG.md is not {version}, the version in pyproject.toml.")
    if released[0].date is None or not released[0].text:
        raise ReleaseRefused(
            f"The entry {version} of CHANGELOG.md needs a date, as in `## {version} (YYYY-MM-DD)`, and a text."
        )
    return released[0]


def tag_name(version: str) -> str:
    """The name of the tag of a version."""
    return f"v{version}"


class Checkout:
    """The repository that a release is made of."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.version = str(tomllib.loads(self._committed("pyproject.toml"))["project"]["version"])

    def check(self) -> Entry:
        """Raises ReleaseRefused when no release can be made of the commit; returns its changelog entry."""
        if changed := self._git("status", "--porcelain").strip():
            raise ReleaseRefused(f"There are changes that are not committed; commit or stash them:\n{changed}")
        entry = release_entry(self._committed("CHANGELOG.md"), self.version)
        tag = tag_name(self.version)
        if self._git("tag", "--list", tag).strip():
            raise ReleaseRefused(f"The tag {tag} exists; set the next version in pyproject.toml.")
        return entry

    def build(self, folder: Path) -> Path:
        """Builds the commit's wheel into `folder` and returns its path."""
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="release-") as source:
            with tarfile.open(fileobj=io.BytesIO(self._git_bytes("archive", "HEAD"))) as archive:
                archive.extractall(source, filter="data")
            pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
            epoch = self._git("log", "-1", "--format=%ct").strip()
            _run([*pip, "--wheel-dir", str(folder), source], SOURCE_DATE_EPOCH=epoch)
        (wheel,) = folder.glob(f"*-{self.version}-*.whl")
        return wheel

    def tag(self, entry: Entry) -> str:
        """Sets the annotated tag, whose message is the changelog's entry, and returns its name."""
        tag = tag_name(self.version)
        self._git("tag", "--annotate", tag, "--cleanup=verbatim", "--message", f"{tag}\n\n{entry.text}\n")
        return tag

    def _committed(self, path: str) -> str:
        return self._git("show", f"HEAD:{path}")

    def _git(self, *arguments: str) -> str:
        return self._git_bytes(*arguments).decode()

    def _git_bytes(self, *arguments: str) -> bytes:
        done = subprocess.run(["git", *arguments], cwd=self.root, capture_output=True, check=False)  # noqa: S603, S607
        if done.returncode:
            raise ReleaseRefused(f"`git {' '.join(arguments)}` failed: {done.stderr.decode().strip()}")
        return done.stdout


def try_wheel(wheel: Path, lock: Path, version: str) -> None:
    """Installs the wheel with the locked packages into an empty environment and runs both programs there.

    Raises ReleaseRefused when the lock lacks a package that the wheel asks for, when a program reports another version,
    or when something is missing in the wheel.
    """
    with tempfile.TemporaryDirectory(prefix="release-") as folder:
        venv.create(folder, with_pip=True)
        binaries = Path(folder, "bin")
        pip = [str(binaries / "python"), "-m", "pip"]
        _run([*pip, "install", "--quiet", "--no-compile", "--require-hashes", "--requirement", str(lock)])
        _run([*pip, "install", "--quiet", "--no-deps", "--no-index", str(wheel)])
        _run([*pip, "check"])
        for program in PROGRAMS:
            reported = _run([str(binaries / program), "--version"], cwd=Path(folder)).strip()
            if reported != f"{program}, version {version}":
                raise ReleaseRefused(
                    f"`{program} --version` of the installed wheel reports {reported!r}, not {version}."
                )
        for program, *arguments in SMOKE:
            _run([str(binaries / program), *arguments], cwd=Path(folder), DATABASE_URL="sqlite:///store.db")


def _run(command: list[str], cwd: Path | None = None, **environment: str) -> str:
    """Runs a command away from the checkout's own packages; raises ReleaseRefused when it fails, else its output."""
    own = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
    inherited: Mapping[str, str] = {name: value for name, value in os.environ.items() if name not in own}
    done = subprocess.run(  # noqa: S603 - pip and our own programs
        command, cwd=cwd, env={**inherited, **environment}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ReleaseRefused(f"`{' '.join(command)}` failed:\n{(done.stdout + done.stderr).strip()}")
    return done.stdout


def release(root: Path, *, tagged: bool) -> None:
    """Makes the release, step by step; raises ReleaseRefused at the first that fails."""
    checkout = Checkout(root)
    entry = checkout.check()
    print(f"CHANGELOG.md has {entry.name} ({entry.date}).", flush=True)
    wheel = checkout.build(root / "dist")
    print(f"Built {wheel.relative_to(root)}.", flush=True)
    try_wheel(wheel, root / "requirements.lock", checkout.version)
    print(f"Installed into an empty environment, {' and '.join(PROGRAMS)} report {checkout.version}.", flush=True)
    if tagged:
        tag = checkout.tag(entry)
        print(f"Tagged {tag}. Publish it: git push origin {tag}")


def main() -> int:
    """0 when the release was made."""
    parser = argparse.ArgumentParser(description="Make a release of what is committed.")
    parser.add_argument("--check", action="store_true", help="do everything but set the tag")
    arguments = parser.parse_args()
    try:
        release(ROOT, tagged=not arguments.check)
    except ReleaseRefused as error:
        print(f"No release was made: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
