"""The Spanish guide's lists are those of the code, and its proposal is the one that the command writes."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import get_args

import pytest

from reconciler.cli import run
from schemas.client import Vertical
from tests.project.repository import ROOT


def test_the_guide_lists_whatsapp_s_verticals() -> None:
    section = (ROOT / "docs" / "guia.es.md").read_text().split("#### Rubros de WhatsApp")[1].split("####")[0]
    listed = section.split(":", 1)[1].split(". El que")[0].replace("\n", " ")
    assert listed.strip(" `").split("`, `") == list(get_args(Vertical))


def fenced(document: str, start: str) -> str:
    """The block of a document that begins so."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", (ROOT / document).read_text(), re.MULTILINE | re.DOTALL)
    return next(str(block) for block in blocks if block.startswith(start))


def without_date(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("Propuesta de ")]


def test_guide_and_readme_show_the_proposal_that_the_command_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(ROOT / "clients.d", tmp_path / "clients.d")
    (tmp_path / "clients.d" / "ferreteria-sur.yaml").write_text(fenced("README.md", "id: ferreteria-sur"))
    (tmp_path / "tariffs.yaml").write_text(fenced("docs/tariffs.md", "# yaml-language-server"))
    monkeypatch.chdir(tmp_path)

    assert run(["proposal", "ferreteria-sur", "--messages-per-month", "3000"]) == 0
    written = capsys.readouterr().out

    assert without_date(fenced("docs/guia.es.md", "# Asistente de WhatsApp para")) == without_date(written)
    assert fenced("README.md", "## Costos") in written
