"""The systemd units are accepted by systemd itself, and every command that deploy/ names exists."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

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
