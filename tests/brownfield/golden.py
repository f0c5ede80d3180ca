"""Output kept as a file. UPDATE_GOLDEN=1 writes it again, for a person to review the diff."""

from __future__ import annotations

import os
import re
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"
_CHANGING = (
    (re.compile(r"XE[0-9a-f]{32}"), "XE…"),
    (re.compile(r"http://127\.0\.0\.1:\d+"), "http://127.0.0.1:PORT"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?Z)?"), "2026-11-22 12:00"),
)


def same_as_golden(name: str, text: str) -> None:
    """Compare with the file, except for ids, ports and times."""
    for pattern, steady in _CHANGING:
        text = pattern.sub(steady, text)
    equals_golden(name, text)


def equals_golden(name: str, text: str) -> None:
    """Compare with the file, character by character."""
    path = FOLDER / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text()
