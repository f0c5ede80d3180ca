"""The installation's file of models: its rows over the table, and what is wrong with one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from schemas.model_overrides import models_file, use_models_file
from schemas.models import end_of, facts_of, known_models, nearest_models, use_models

TODAY = date(2026, 12, 1)


@pytest.fixture(autouse=True)
def _table_alone() -> Iterator[None]:
    """Leaves the table as it is for other tests."""
    yield
    use_models({})


def used(folder: Path, text: str) -> Path:
    """A file that is in force."""
    path = folder / "models.yaml"
    path.write_text(text)
    use_models_file(path)
    return path


def test_a_row_replaces_what_it_names_and_keeps_the_rest(tmp_path: Path) -> None:
    used(tmp_path, 'gpt-4o-mini: {ends: "2027-06-30", images: false}\n')
    facts = facts_of("gpt-4o-mini-2024-07-18")
    assert facts is not None
    assert (facts.ends, facts.images, facts.files, facts.successor) == (date(2027, 6, 30), False, True, "gpt-6-luna")


def test_a_model_of_another_provider_is_known_by_its_row(tmp_path: Path) -> None:
    used(tmp_path, "llama-4: {efforts: [], tools: [function], files: false}\n")
    facts = facts_of("llama-4")
    assert facts is not None
    assert (facts.efforts, facts.tools, facts.files, facts.ends) == ((), {"function"}, False, None)
    assert "llama-4" in known_models()
    assert nearest_models("lama-4")[0] == "llama-4"


@pytest.mark.parametrize(
    ("text", "listed", "ends"),
    [
        ("{}", {"gpt-4o-mini": date(2027, 3, 1)}, date(2027, 3, 1)),
        ("{}", {"gpt-4o-mini": None}, None),
        ("{}", {"other": None}, date(2027, 1, 14)),
        ("{}", None, date(2027, 1, 14)),
        ("gpt-4o-mini: {ends: 2027-06-30}", {"gpt-4o-mini": date(2027, 3, 1)}, date(2027, 6, 30)),
        ("gpt-4o-mini: {ends: null}", {"gpt-4o-mini": date(2027, 3, 1)}, None),
        ("gpt-4o-mini: {images: true}", {"gpt-4o-mini": date(2027, 3, 1)}, date(2027, 3, 1)),
    ],
)
def test_the_file_has_the_last_word_on_a_date_and_the_provider_the_newer_one(
    tmp_path: Path, text: str, listed: dict[str, date | None] | None, ends: date | None
) -> None:
    used(tmp_path, text)
    end = end_of("gpt-4o-mini", TODAY, listed)
    assert (end.on if end else None) == ends


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gpt-4o-mini:\n  end: '2027-06-30'\n", ":2:3: gpt-4o-mini.end: extra inputs are not permitted; known keys: "),
        ("gpt-4o-mini:\n  ends: pronto\n", ":2:3: gpt-4o-mini.ends: input should be a valid date"),
        ("a: {tools: [function, robot]}\n", ":1:23: a.tools.1: input should be 'function', 'file_search', "),
        ("a: {images: [\n", "models.yaml:2:1: not valid YAML"),
        ("- a\n", ":1:1: input should be a valid dictionary"),
    ],
)
def test_what_is_wrong_is_named_where_it_stands(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ValueError, match=r"models\.yaml") as raised:
        used(tmp_path, text)
    assert said in str(raised.value)


def test_a_file_that_is_named_must_exist(tmp_path: Path) -> None:
    assert models_file(tmp_path / "clients.d", None) is None
    named = models_file(tmp_path / "clients.d", tmp_path / "ours.yaml")
    with pytest.raises(ValueError, match="cannot be read"):
        use_models_file(named)


@pytest.mark.parametrize(
    ("days", "notice", "text"),
    [
        (91, None, "is shut down on 2026-12-01, in 91 days"),
        (90, 90, "is shut down on 2026-12-01, in 90 days"),
        (30, 30, "is shut down on 2026-12-01, in 30 days"),
        (8, 30, "is shut down on 2026-12-01, in 8 days"),
        (1, 7, "is shut down on 2026-12-01, in 1 day"),
        (0, 0, "was shut down on 2026-12-01"),
        (-40, 0, "was shut down on 2026-12-01"),
    ],
)
def test_people_are_warned_90_30_and_7_days_before_and_on_the_day(days: int, notice: int | None, text: str) -> None:
    end = end_of("x", date.fromordinal(TODAY.toordinal() - days), {"x": TODAY})
    assert end is not None
    assert (end.notice, end.text) == (notice, text)
