"""The recorded conversations are those that the present code leads, one for each engine."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from demo.conversations import PAGES, conversations
from schemas.client import Assistant
from tests.project.repository import ROOT

RECORDED = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / PAGES).glob("*.md")}
SENT = ("nota de voz", "foto", "un PDF")
ANSWERED = {
    "responses": (
        "imagen jpeg 640x480",
        "archivo documento.pdf",
        "📄 `carta.pdf`",
        "🔘 Mañana",
        "Mañana [button id: 2]",
    ),
    "agents": ("Por ahora no puedo abrir documentos", "📄 `carta.pdf`", "🔘 Mañana", "Mañana [button id: 2]"),
    "assistants": ("Por ahora no puedo abrir documentos", "no se puede con este motor"),
}


def test_there_is_one_for_each_engine_with_what_it_can() -> None:
    assert set(RECORDED) == set(ANSWERED) == set(get_args(Assistant.model_fields["engine"].annotation))
    for engine, page in RECORDED.items():
        assert [word for word in (*SENT, "[voice note, transcribed]", *ANSWERED[engine]) if word not in page] == []


@pytest.mark.long
def test_they_are_what_is_said_today(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.chdir(tmp_path)
    conversations()
    assert {path.stem: path.read_text(encoding="utf-8") for path in PAGES.glob("*.md")} == RECORDED
