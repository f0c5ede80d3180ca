"""The threat model names a test for each threat, and each of them exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.project.repository import ROOT

MODEL = (ROOT / "docs" / "security.md").read_text()
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
THREATS = [line for line in MODEL.splitlines() if line.startswith("| ") and line.count("|") == 5 and "---" not in line]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def test_every_threat_has_a_test_beside_it() -> None:
    rows = [row for row in THREATS if not row.startswith("| Threat |")]

    assert len(rows) > 15
    assert [row.split("|")[1] for row in rows if not NAMED.search(row)] == []


def test_every_test_of_the_threat_model_exists() -> None:
    missing = [
        f"{file}::{name}"
        for file, name in NAMED.findall(MODEL)
        if not (ROOT / file).exists() or not re.search(rf"^(async )?def {name}\(", (ROOT / file).read_text(), re.M)
    ]

    assert missing == []


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_is_pinned_by_its_commit(workflow: Path) -> None:
    used = re.findall(r"uses:\s*(\S+)", workflow.read_text())

    assert [action for action in used if not re.search(r"@[0-9a-f]{40}$", action)] == []
