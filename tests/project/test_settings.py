"""Every setting is explained in .env.example, and the demo leaves none to a person's own .env file."""

from __future__ import annotations

import re
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest

from demo.processes import Installation
from reconciler.settings import Settings as ReconcilerSettings
from reconciler.settings import load_settings
from runtime.settings import Secrets, Settings
from schemas.credentials import INSTALLATION_CREDENTIALS
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


def test_every_setting_with_a_secret_is_refused_as_a_client_s() -> None:
    of_the_runtime = {name.upper() for name, field in Settings.model_fields.items() if "SecretStr" in str(field)}
    hidden = {field.name.upper() for field in fields(ReconcilerSettings) if not field.repr}
    assert of_the_runtime | hidden - {"ENVIRONMENT"} | {"DATABASE_URL"} <= INSTALLATION_CREDENTIALS


def test_a_stored_bot_does_not_get_a_credential_of_the_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-installation")
    monkeypatch.setenv("LA_COCINA_HOOK_SECRET", "of-the-client")
    assert Secrets().get("OPENAI_API_KEY") is None
    assert Secrets().get("LA_COCINA_HOOK_SECRET") == "of-the-client"
