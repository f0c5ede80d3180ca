"""The Spanish guide's lists are those of the code, and its proposal is the one that the command writes."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from reconciler.cli import run
from reconciler.proposals.guide import with_prices
from schemas.client import Vertical
from tests.project.repository import ROOT


def test_the_guide_lists_whatsapp_s_verticals() -> None:
    section = (ROOT / "docs" / "guia.es.md").read_text().split("#### Rubros de WhatsApp")[1].split("####")[0]
    listed = section.split(":", 1)[1].split(". El que")[0].replace("\n", " ")
    assert listed.strip(" `").split("`, `") == list(get_args(Vertical))


def test_the_guide_s_prices_are_those_that_are_packaged(tmp_path: Path) -> None:
    written = (ROOT / "docs" / "guia.es.md").read_text(encoding="utf-8")
    stale = tmp_path / "guia.es.md"
    stale.write_text(written.replace("US$ 0,0889", "US$ 0,07"), encoding="utf-8")

    subprocess.run([sys.executable, "-m", "reconciler.proposals.guide", str(stale)], cwd=ROOT, check=True)

    assert stale.read_text(encoding="utf-8") == written
    assert "| Chile | US$ 0,02 | US$ 0,02 | US$ 0,0889 |" in written


def test_a_guide_without_a_place_for_prices_is_refused() -> None:
    with pytest.raises(ValueError, match="no part between"):
        with_prices("# Guía\n")


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
