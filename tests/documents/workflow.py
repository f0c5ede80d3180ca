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
NAME = "agencia/clientes"
ARTIFACT = "https://github.com/agencia/clientes/actions/runs/1/artifacts/2"

needs_jq = pytest.mark.skipif(shutil.which("jq") is None, reason="no jq on PATH; on Debian: apt-get install jq")


@dataclass(slots=True)
class Repository:
    """A repository on GitHub with one pull request, number 1, and the runner's folder."""

    agency: Agency
    head: str = HEAD
    head_repository: str = NAME
    actor: str = "ana"
    digest_given: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    said: str = ""
    """What all steps said so far."""
    artifact: str = ""
    """The file that was uploaded last."""

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

    def plan(self) -> int:
        """What the workflow `plan` does on a push to the pull request; gives the exit code of its last step."""
        return self._job("plan")

    def apply(self) -> int:
        """What the workflow `apply` does after the merge; gives the exit code of its last step."""
        return self._job("apply")

    def _job(self, workflow: str) -> int:
        document = yaml.safe_load((ROOT / ".github" / "workflows" / f"{workflow}.yml").read_text(encoding="utf-8"))
        self.outputs.clear()
        (self.agency.folder / "output").unlink(missing_ok=True)
        [job] = document["jobs"].values()
        for step in job["steps"]:
            if "name" not in step or not self._is_wanted(step.get("if", "true == 'true'")):
                continue
            if step.get("uses", "").startswith("actions/upload-artifact@"):
                self.artifact = (self.agency.folder / step["with"]["path"]).read_text(encoding="utf-8")
                self.outputs["artifact-url"] = ARTIFACT
            elif code := self._run(step):
                return code
        return 0

    def _is_wanted(self, condition: str) -> bool:
        left, operator, right = condition.split()
        left = left if left == "true" else self._value(f"${{{{ {left} }}}}")
        return (left == right.strip("'")) is (operator == "==")

    def _run(self, step: Json) -> int:
        script = self.agency.folder / "step.sh"
        script.write_text(step["run"], encoding="utf-8")
        out = self.agency.folder / "output"
        environment = {name: self._value(str(value)) for name, value in step.get("env", {}).items()}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", script],
            cwd=self.agency.folder,
            env=self._runner(out) | environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        self.said += done.stdout
        if out.exists():
            self.outputs |= dict(line.split("=", 1) for line in out.read_text().splitlines())
        return done.returncode

    @property
    def _github(self) -> Path:
        return self.agency.folder / "github.json"

    def _runner(self, out: Path) -> dict[str, str]:
        return {
            "PATH": f"{self.agency.folder / 'tools'}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
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
            "github.repository": NAME,
            "github.actor": self.actor,
            "github.event.pull_request.head.repo.full_name": self.head_repository,
            "github.event.pull_request.number": "1",
            "github.event.pull_request.head.sha": self.head,
            "github.sha": MERGE,
            "github.token": "token-of-github",
            "inputs.digest": self.digest_given,
            # GitHub fills in nothing for an unset variable.
            "vars.FALLBACK_URL": "",
            "vars.WEBHOOK_CONNECTION_OVERRIDES": "",
            **{f"{kind}.{name}": value for kind in ("secrets", "vars") for name, value in own.items()},
        }

        def filled_in(found: re.Match[str]) -> str:
            output = re.fullmatch(r"steps\.\w+\.outputs\.([\w-]+)", found[1])
            return self.outputs.get(output[1], "") if output else known[found[1]]

        return re.sub(r"\$\{\{ *(\S+) *\}\}", filled_in, text)


def commands_taken(log: str) -> list[str]:
    """The commands that GitHub's runner obeys in a step's log: `::name` where a line begins, blanks aside, and
    `##[name` anywhere; from `stop-commands` to its token, none (actions/runner: ActionCommand.cs)."""
    taken = []
    token = None
    for line in log.splitlines():
        found = re.match(r"\s*::([\w-]+)[^:]*::(.*)", line) or re.search(r"##\[([\w-]+)[^\]]*\](.*)", line)
        if found is None or token not in (None, found[1]):
            continue
        if found[1] == "stop-commands":
            token = found[2]
        elif found[1] == token:
            token = None
        else:
            taken.append(found[0].strip())
    return taken
