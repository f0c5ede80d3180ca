"""The systemd units are accepted by systemd itself, and every command that deploy/ names exists."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.project.repository import commands_in, parse

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted(path.name for path in DEPLOY.glob("horizonai-*.*"))


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed here")
@pytest.mark.parametrize("unit", UNITS)
def test_systemd_has_nothing_to_say_about_a_unit(unit: str, tmp_path: Path) -> None:
    for name in UNITS:
        text = (DEPLOY / name).read_text()
        # systemd checks that a program and a document exist; only their place differs from an installation.
        text = re.sub(r"ExecStart=\S+", "ExecStart=/bin/true", text).replace("/opt/horizonai", str(ROOT))
        (tmp_path / name).write_text(text)
    said = subprocess.run(["systemd-analyze", "verify", "--man=no", tmp_path / unit], capture_output=True, text=True)
    about_ours = [line for line in said.stderr.splitlines() if "horizonai" in line]
    assert (said.returncode, about_ours) == (0, [])


@pytest.mark.parametrize(
    "file", ["crontab", "gitlab-ci.yml", "horizonai-drift.service", "horizonai-whatsapp-bot.service"]
)
def test_every_command_in_deploy_is_understood(file: str) -> None:
    # A unit's or a cron line's command stands at the end of its line, behind the installation's folder.
    lines = re.sub(r"^.*?(?=\.venv/bin/)", "", (DEPLOY / file).read_text(), flags=re.MULTILINE)
    commands = list(commands_in(lines))
    assert commands
    for program, arguments in commands:
        parse(program, arguments)


def test_gitlab_applies_the_digest_that_its_plan_shows(tmp_path: Path) -> None:
    jobs = yaml.safe_load((DEPLOY / "gitlab-ci.yml").read_text())
    shutil.copy(ROOT / "tests/reconciler/golden/plan.md", tmp_path)
    plan = "\n".join(jobs["plan"]["script"]).replace(".venv/bin/reconcile", "true")
    subprocess.run(["sh", "-ec", plan], cwd=tmp_path, check=True)
    apply = "\n".join(jobs["apply"]["script"]).replace(".venv/bin/reconcile", "echo reconcile")
    said = subprocess.run(
        ["sh", "-ec", f". ./digest.env\n{apply}"], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    digest = re.findall(r"[0-9a-f]{64}", (tmp_path / "plan.md").read_text())[-1]
    assert said.stdout == f"reconcile --expect {digest} --report\n"
    assert jobs["apply"]["needs"] == ["plan"]
    [review, merge] = jobs["plan"]["rules"]
    assert (review.get("allow_failure"), merge.get("allow_failure")) == (None, True)
    assert jobs["plan"]["artifacts"]["reports"]["dotenv"] == "digest.env"


def test_gitlab_applies_nothing_without_a_plan(tmp_path: Path) -> None:
    jobs = yaml.safe_load((DEPLOY / "gitlab-ci.yml").read_text())
    plan = "\n".join(jobs["plan"]["script"]).replace(".venv/bin/reconcile", "false")
    assert subprocess.run(["sh", "-ec", plan], cwd=tmp_path, check=False).returncode == 1
    apply = "\n".join(jobs["apply"]["script"]).replace(".venv/bin/reconcile", "echo reconcile")
    said = subprocess.run(["sh", "-ec", apply], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout[:17]) == (1, "There is no plan,")


def test_a_plan_with_an_error_of_one_client_reaches_gitlabs_apply(tmp_path: Path) -> None:
    jobs = yaml.safe_load((DEPLOY / "gitlab-ci.yml").read_text())
    shutil.copy(ROOT / "tests/reconciler/golden/plan.md", tmp_path)
    plan = "\n".join(jobs["plan"]["script"]).replace(".venv/bin/reconcile", "false")
    assert subprocess.run(["sh", "-ec", plan], cwd=tmp_path, check=False).returncode == 1
    assert re.fullmatch(r"DIGEST=[0-9a-f]{64}\n", (tmp_path / "digest.env").read_text())
