"""The search over the suite's logs finds what it looks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.collected_logs import Collected


@pytest.fixture
def collected(tmp_path: Path) -> Collected:
    """A session with one runtime, in which one person wrote."""
    found = Collected()
    found.runtime(
        tmp_path / "runtime.log", {"API_TOKEN": "token-of-the-tests", "DATABASE_URL": "sqlite:///a", "A_KEY": "k"}
    )
    found.form(
        {
            "From": "whatsapp:+56912345678",
            "Body": 'Mi clave es "1234"',
            "ProfileName": "Berenice Soto",
            "ExternalUserId": "whatsapp:CL.1234567890",
        }
    )
    return found


@pytest.mark.parametrize(
    "line",
    [
        '{"user": "+56912345678"}',
        '{"user": "CL.1234567890"}',
        '{"error": "OpenAI: Mi clave es \\"1234\\""}',
        'Mi clave es "1234"',
        '{"name": "Berenice Soto"}',
        '{"error": "401 for token-of-the-tests"}',
    ],
)
def test_a_line_that_shows_something_is_found(collected: Collected, tmp_path: Path, line: str) -> None:
    (tmp_path / "runtime.log").write_text(f'{{"event": "started"}}\n{line}\n')

    [found] = collected.shown()

    assert found.endswith(line)


def test_masked_numbers_own_numbers_and_short_texts_are_not(collected: Collected, tmp_path: Path) -> None:
    collected.person("+15550000001", "Hola")
    (tmp_path / "runtime.log").write_text(
        '{"user": "+569****5678", "number": "+15550000001", "text": "Hola", "a": "k"}\n'
    )

    assert collected.shown() == []
