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
