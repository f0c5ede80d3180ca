"""The Makefile's tasks are listed, and the documents name no task that is not there."""

from __future__ import annotations

import re
import subprocess

from tests.project.repository import DOCUMENTS, ROOT

MAKEFILE = (ROOT / "Makefile").read_text()
TASKS = set(re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)[1].split())  # type: ignore[index]


def test_make_alone_lists_every_task_with_a_line() -> None:
    listed = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout

    assert {line.split()[1] for line in listed.splitlines()} == TASKS
    assert all(len(line.split()) > 2 for line in listed.splitlines())


def test_documents_name_only_tasks_that_exist() -> None:
    named = {
        task
        for document in DOCUMENTS
        for task in re.findall(r"(?:^|`|\$ |Now try: )make ([a-z-]+)", document.read_text(), re.MULTILINE)
    }

    assert named <= TASKS


def test_without_a_fitting_python_the_set_up_says_what_to_do() -> None:
    made = subprocess.run(
        ["make", "setup", "PYTHON=no-such-python", "VENV=no-such-venv"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert made.returncode != 0
    assert "No Python 3.11 or newer found (tried: no-such-python)" in made.stderr
    assert not (ROOT / "no-such-venv").exists()


def planned(*settings: str) -> str:
    """What the set-up would run in an empty environment."""
    made = subprocess.run(
        ["make", "--dry-run", "setup", "VENV=no-such-venv", *settings],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return made.stdout


def test_the_set_up_says_each_step_and_how_long_it_takes() -> None:
    steps = re.findall(r'echo "(\d)/(\d) .* \((?:a minute|seconds)', planned())

    assert steps == [("1", "4"), ("2", "4"), ("3", "4"), ("4", "4")]


def test_the_installer_is_pinned_with_its_hashes() -> None:
    [extract] = re.findall(r"^(sed .*) > no-such-venv/uv\.lock$", planned(), re.MULTILINE)
    pins = subprocess.run(extract, shell=True, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()

    assert [word for word in pins if "==" in word] == [pins[0]]
    assert pins[0].startswith("uv==")
    assert "--hash=sha256:" in pins[2]
