"""What a pull request shows: the steps of the shipped workflow, run as GitHub runs them, on a branch that breaks one
test."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.forked import ROOT
from tests.reconciler.agency import Agency
from tests.trying.cases import asked, tried

GOLDEN = Path(__file__).with_name("golden")
GH = """#!/bin/sh
# Stands for GitHub: there is no comment yet, and the new one is kept.
for argument; do case "$argument" in body=@*) cp "${argument#body=@}" "$KEPT_COMMENT" ;; esac; done
"""


class PullRequest:
    """A run of the workflow `plan` in an agency's folder."""

    def __init__(self, agency: Agency) -> None:
        self._agency = agency
        self._bin = agency.folder / "bin"
        self._bin.mkdir()
        (self._bin / "gh").write_text(GH, encoding="utf-8")
        (self._bin / "gh").chmod(0o755)
        (agency.folder / ".venv").symlink_to(ROOT / ".venv")
        self.comment = agency.folder / "kept.md"
        workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "plan.yml").read_text(encoding="utf-8"))
        self._steps = {
            step["name"]: step["run"] for step in workflow["jobs"]["plan"]["steps"] if "name" in step and "run" in step
        }

    @property
    def last(self) -> str:
        """The step that decides whether the job fails."""
        return list(self._steps)[-1]

    def step(self, name: str, **variables: str) -> tuple[int, dict[str, str]]:
        """Exit code and outputs of a step."""
        outputs = self._agency.folder / "outputs"
        outputs.write_text("", encoding="utf-8")
        environment = {
            **self._agency.environment,
            "PATH": f"{self._bin}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "GITHUB_OUTPUT": str(outputs),
            "GITHUB_STEP_SUMMARY": str(self._agency.folder / "summary.md"),
            "KEPT_COMMENT": str(self.comment),
            **variables,
        }
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", self._steps[name]],
            cwd=self._agency.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        given = dict(line.split("=", 1) for line in outputs.read_text(encoding="utf-8").splitlines())
        return done.returncode, given


def _declare(agency: Agency, instructions: str) -> dict[str, Any]:
    return agency.declare(
        "la-cocina",
        assistant={"instructions": instructions},
        tests={
            "saluda": asked("Hola", {"contains": "Eres el asistente"}),
            "no-promete": asked("¿Me guardas la mesa de la ventana?", {"max_chars": 600, "language": "es"}),
        },
    )


@pytest.mark.long
def test_a_pull_request_that_breaks_a_test_shows_it_below_the_plan_and_is_blocked(agency: Agency) -> None:
    _declare(agency, "Eres el asistente de La Cocina.")
    agency.apply()
    _declare(agency, "Eres una máquina.")
    tried(agency, "--record")
    request = PullRequest(agency)

    assert request.step("tests") == (0, {"code": "2"})
    code, outputs = request.step("plan")
    assert (code, outputs["code"]) == (0, "0")
    assert request.step("comment", HEAD="abc", COMMENTS="comments", COMMENT="comment", WHOLE="")[0] == 0
    assert request.step(request.last, PLAN="0", TESTS="2", PAPERS="0")[0] == 2

    shown = request.comment.read_text(encoding="utf-8")
    shown = re.sub(r"[0-9a-f]{64}", "DIGEST", re.sub(r"\d+\\\.\d s", "0\\.0 s", shown))
    golden = GOLDEN / "pull_request.md"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(shown, encoding="utf-8")
    assert shown == golden.read_text(encoding="utf-8")
