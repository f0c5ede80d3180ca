"""deploy/release.py: which commit can be released, and that what it builds installs and runs by itself."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.release import ROOT, Checkout, ReleaseRefused, entries, release, release_entry, tag_name

GOOD = """# Changelog

## Unreleased

## 1.2.0 (2026-11-23)

- Added: a thing.

## 1.1.0 (2026-10-01)

- Another.
"""
REFUSED = {
    "a version that is not three numbers": (GOOD, "1.2.0rc1", "is not MAJOR.MINOR.PATCH"),
    "changes that are left unreleased": (
        GOOD.replace("Unreleased\n", "Unreleased\n\n- Left."),
        "1.2.0",
        "under 'Unreleased'",
    ),
    "a newest entry of another version": (GOOD, "1.3.0", "is not 1.3.0"),
    "an older version": (GOOD, "1.1.0", "is not 1.1.0"),
    "no entry at all": ("# Changelog\n", "1.2.0", "is not 1.2.0"),
    "an entry without a date": (GOOD.replace(" (2026-11-23)", ""), "1.2.0", "needs a date"),
    "an entry without a text": (GOOD.replace("- Added: a thing.", ""), "1.2.0", "and a text"),
}


def test_the_entry_of_a_version_is_what_stands_below_its_heading() -> None:
    entry = release_entry(GOOD, "1.2.0")

    assert (entry.name, entry.date, entry.text) == ("1.2.0", "2026-11-23", "- Added: a thing.")


@pytest.mark.parametrize("case", REFUSED)
def test_a_changelog_is_refused_with(case: str) -> None:
    changelog, version, reason = REFUSED[case]

    with pytest.raises(ReleaseRefused, match=re.escape(reason)):
        release_entry(changelog, version)


def test_the_shipped_changelog_has_every_version_once_and_the_newest_first() -> None:
    released = [entry for entry in entries((ROOT / "CHANGELOG.md").read_text()) if entry.name != "Unreleased"]
    versions = [tuple(map(int, entry.name.split("."))) for entry in released]

    assert versions == sorted(set(versions), reverse=True)
    assert [entry.name for entry in released if entry.date is None or not entry.text] == []
    assert Checkout(ROOT).version == released[0].name


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with one commit that can be released as 1.2.0."""
    root = tmp_path / "checkout"
    root.mkdir()
    (root / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "1.2.0"\n')
    (root / "CHANGELOG.md").write_text(GOOD)
    commit(root)
    return root


def commit(root: Path) -> None:
    """Commits everything below `root`, as a user without a configured name."""
    git(root, "init", "--quiet")
    git(root, "config", "user.name", "Ana")
    git(root, "config", "user.email", "ana@example.cl")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "Everything")


def git(root: Path, *arguments: str) -> str:
    """What a git command prints."""
    return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True).stdout


def test_a_commit_can_be_released_once(checkout: Path) -> None:
    entry = Checkout(checkout).check()
    tag = Checkout(checkout).tag(entry)

    assert (tag, tag_name("1.2.0")) == ("v1.2.0", "v1.2.0")
    assert git(checkout, "cat-file", "tag", tag).endswith("\n\nv1.2.0\n\n- Added: a thing.\n")
    with pytest.raises(ReleaseRefused, match=r"The tag v1\.2\.0 exists"):
        Checkout(checkout).check()


@pytest.mark.parametrize("file", ["CHANGELOG.md", "new.txt"], ids=["changed", "added"])
def test_what_is_not_committed_is_not_released(checkout: Path, file: str) -> None:
    (checkout / file).write_text("something else")

    with pytest.raises(ReleaseRefused, match=f"not committed.*\n.*{re.escape(file)}"):
        Checkout(checkout).check()


@pytest.mark.long
def test_a_release_is_a_wheel_that_runs_in_an_empty_environment(tmp_path: Path) -> None:
    root = tmp_path / "checkout"
    for name in git(ROOT, "ls-files").splitlines():
        if (ROOT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)
    project = (root / "pyproject.toml").read_text()
    (root / "pyproject.toml").write_text(re.sub(r'^version = ".*"$', 'version = "9.8.7"', project, flags=re.MULTILINE))
    (root / "CHANGELOG.md").write_text(GOOD.replace("1.2.0", "9.8.7"))
    commit(root)

    release(root, tagged=True)

    wheel = root / "dist" / "horizonai_reconciler-9.8.7-py3-none-any.whl"
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert git(root, "tag", "--list") == "v9.8.7\n"
    assert hashlib.sha256(Checkout(root).build(tmp_path / "again").read_bytes()).hexdigest() == digest
