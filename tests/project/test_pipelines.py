"""Which secrets jobs of a pipeline get: those that only read in one environment, the one that writes in another."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.project.repository import DOCUMENTS, ROOT, WORKFLOWS

JOBS = {
    f"{path.stem}.{name}": job for path in WORKFLOWS for name, job in yaml.safe_load(path.read_text())["jobs"].items()
}
GITLAB = yaml.safe_load((ROOT / "deploy" / "gitlab-ci.yml").read_text())


def secrets_of(job: object) -> set[str]:
    """The names of the secrets that a job of GitHub's gets."""
    return set(re.findall(r"secrets\.(\w+)", str(job)))


@pytest.mark.parametrize("name", JOBS)
def test_no_job_takes_a_secret_that_every_branch_could_read_without_an_environment(name: str) -> None:
    assert not secrets_of(JOBS[name]) or JOBS[name]["environment"] in ("plan", "production")


def test_only_the_job_that_applies_gets_what_writes() -> None:
    writing = {name for name, job in JOBS.items() if job.get("environment") == "production"}
    assert writing == {"apply.apply"}
    assert {name for name, job in JOBS.items() if "API_TOKEN_WRITE" in secrets_of(job)} == writing
    assert {name for name, job in JOBS.items() if "API_TOKEN_READ" in secrets_of(job)} == {"plan.plan", "drift.drift"}


def test_the_jobs_of_gitlab_have_the_same_environments() -> None:
    named = {name: GITLAB[name]["environment"] for name in ("plan", "apply", "drift")}
    reading = {"name": "plan", "action": "access"}  # no deployment
    assert named == {"plan": reading, "apply": "production", "drift": reading}


def test_no_merge_drops_the_apply_of_the_one_before_it() -> None:
    apply = yaml.safe_load((ROOT / ".github" / "workflows" / "apply.yml").read_text())
    assert apply["concurrency"] == {"group": "apply", "cancel-in-progress": False, "queue": "max"}
    assert GITLAB["workflow"]["auto_cancel"] == {"on_new_commit": "none"}
    assert GITLAB["apply"]["resource_group"] == "production"


def test_a_commit_without_any_manifest_is_validated_too() -> None:
    [hook] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert hook["always_run"] is True
    assert "files" not in hook


@pytest.mark.parametrize("path", [*DOCUMENTS, ROOT / "deploy" / "compose.yaml"], ids=lambda path: path.name)
def test_files_with_secrets_or_messages_are_made_for_their_owner_only(path: Path) -> None:
    text = path.read_text()
    assert re.findall(r"\bcp \S*\.env\.example", text) == []
    making = re.findall(r"[^`\n]*(?:pg_dump|\.backup )[^`\n]*", text)
    assert [command for command in making if "umask 077" not in command and "pg_restore" not in command] == []
