"""Runs steps of the shipped workflows as GitHub does: their own commands, by bash, with the settings they are given."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from tests.reconciler.agency import Agency
from tests.sandbox_process import ROOT, Json

HEAD = "5a" * 20
MERGE = "7e" * 20

needs_jq = pytest.mark.skipif(shutil.which("jq") is None, reason="no jq on PATH; on Debian: apt-get install jq")


@dataclass(slots=True)
class Repository:
    """A repository on GitHub with one pull request, number 1, and the runner's folder."""

    agency: Agency
    head: str = HEAD
    digest_given: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    said: str = ""
    """What all steps said so far."""

    def __post_init__(self) -> None:
        tools = self.agency.folder / "tools"
        tools.mkdir()
        gh = tools / "gh"
        gh.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{ROOT}/tests/documents/gh.py" "$@"\n')
        gh.chmod(0o755)
        venv = self.agency.folder / ".venv" / "bin"
        venv.mkdir(parents=True)
        (venv / "reconcile").symlink_to(Path(sys.executable).parent / "reconcile")
        pull = {"number": 1, "merged_at": "2026-11-22T12:00:00Z", "head": {"sha": self.head}}
        self._github.write_text(json.dumps({"comments": [], "pulls": [pull]}))

    @property
    def comments(self) -> list[Json]:
        """The pull request's comments."""
        return list(json.loads(self._github.read_text(encoding="utf-8"))["comments"])

    @property
    def summary(self) -> str:
        """The run's summary."""
        return (self.agency.folder / "summary").read_text(encoding="utf-8")

    def push_directly(self) -> None:
        """The next merge has no pull request."""
        self._github.write_text(json.dumps({"comments": self.comments, "pulls": []}))

    def run(self, workflow: str, step: str) -> int:
        """Run the step of that name; gives its exit code."""
        document = yaml.safe_load((ROOT / ".github" / "workflows" / f"{workflow}.yml").read_text(encoding="utf-8"))
        [found] = [one for job in document["jobs"].values() for one in job["steps"] if one.get("name") == step]
        script = self.agency.folder / "step.sh"
        script.write_text(found["run"], encoding="utf-8")
        out = self.agency.folder / "output"
        environment = {name: self._value(str(value)) for name, value in found.get("env", {}).items()}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", script],
            cwd=self.agency.folder,
            env=self._runner(out) | environment,
            text=True,
            capture_output=True,
            check=False,
        )
        self.said += done.stdout + done.stderr
        if out.exists():
            self.outputs |= dict(line.split("=", 1) for line in out.read_text().splitlines())
        return done.returncode

    def plan(self) -> None:
        """What the workflow `plan` does on a push to the pull request."""
        assert self.run("plan", "plan") == 0, self.said
        assert self.run("plan", "comment") == 0, self.said

    def apply(self) -> int:
        """What the workflow `apply` does after the merge; gives the exit code of the step that ended it."""
        code = self.run("apply", "the digest that was agreed on")
        return code or self.run("apply", "apply")

    @property
    def _github(self) -> Path:
        return self.agency.folder / "github.json"

    def _runner(self, out: Path) -> dict[str, str]:
        return {
            "PATH": f"{self.agency.folder / 'tools'}:{os.environ['PATH']}",
            "GITHUB_OF_THE_TEST": str(self._github),
            "GITHUB_OUTPUT": str(out),
            "GITHUB_STEP_SUMMARY": str(self.agency.folder / "summary"),
            "OPENAI_BASE_URL": self.agency.environment["OPENAI_BASE_URL"],
            "TWILIO_BASE_URL": self.agency.environment["TWILIO_BASE_URL"],
        }

    def _value(self, text: str) -> str:
        """A setting as GitHub fills it in; an expression that is not known here is an error."""
        own = self.agency.environment
        known = {
            "secrets.API_TOKEN_READ": own["API_TOKEN"],
            "secrets.API_TOKEN_WRITE": own["API_TOKEN"],
            "github.repository": "agencia/clientes",
            "github.event.pull_request.number": "1",
            "github.event.pull_request.head.sha": self.head,
            "github.sha": MERGE,
            "github.token": "token-of-github",
            "inputs.digest": self.digest_given,
            # GitHub fills in nothing for an unset variable.
            "vars.FALLBACK_URL": "",
            "vars.WEBHOOK_CONNECTION_OVERRIDES": "",
            **{f"steps.agreed.outputs.{name}": value for name, value in self.outputs.items()},
            **{f"{kind}.{name}": value for kind in ("secrets", "vars") for name, value in own.items()},
        }
        return re.sub(r"\$\{\{ *(\S+) *\}\}", lambda found: known[found[1]], text)
