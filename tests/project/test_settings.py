"""Every setting is explained in .env.example, and the demo leaves none to a person's own .env file."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from demo.processes import Installation
from reconciler.settings import load_settings
from runtime.settings import Settings
from tests.project.repository import ROOT

EXAMPLE = (ROOT / ".env.example").read_text()
EXPLAINED = set(re.findall(r"^#?([A-Z][A-Z0-9_]*)=", EXAMPLE, re.MULTILINE))


def settings_of_the_reconciler() -> set[str]:
    source = Path(load_settings.__code__.co_filename).read_text()
    return set(re.findall(r'text\("([A-Z0-9_]+)"\)', source))


def test_every_setting_is_explained_in_the_example() -> None:
    known = {name.upper() for name in Settings.model_fields} | settings_of_the_reconciler()

    assert known == EXPLAINED


def test_every_line_of_the_example_can_be_uncommented() -> None:
    lines = [line for line in EXAMPLE.splitlines() if line]

    assert [line for line in lines if not line.startswith("# ") and not re.match(r"#?[A-Z][A-Z0-9_]*=", line)] == []


def test_the_example_can_be_read_by_a_shell_too(tmp_path: Path) -> None:
    uncommented = re.sub(r"^#(?=[A-Z])", "", EXAMPLE, flags=re.MULTILINE)
    (tmp_path / "settings").write_text(uncommented)

    read = subprocess.run(
        ["sh", "-e", "-c", ". ./settings; echo $MEMORY_ITEMS"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (read.stdout, read.stderr) == ("60\n", "")


def test_the_demo_sets_everything_that_leads_to_another_installation() -> None:
    demo = Installation("", "", "", Path()).settings
    leading = {
        name for name in EXPLAINED if name.endswith(("_URL", "_DIR", "_KEY", "_SID", "_FROM", "_TOKEN", "_NOTIFY"))
    }

    assert leading <= demo.keys()
