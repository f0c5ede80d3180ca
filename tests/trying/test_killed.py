"""What a killed run leaves at OpenAI: it carries our mark, expires within a day, and the next run removes it; what
another run still needs stays."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.reconciler.agency import Agency
from tests.reconciler.processes import Running
from tests.sandbox_process import Json, wait_until
from tests.trying.cases import asked, left_at_openai, states, tried

DAY = 24 * 3600


@pytest.fixture
def waiting(agency: Agency) -> Iterator[tuple[Agency, Running]]:
    """A run whose model thinks, with its documents at OpenAI."""
    agency.document("carta.md", "Empanadas a 3500 pesos.")
    tools = [{"type": "file_search", "files": ["carta.md"]}]
    agency.declare("uno", assistant={"tools": tools}, tests={"carta": asked("piensa 60s en empanadas")})
    run = agency.start("test", "--record")
    wait_until(lambda: bool(_stores(agency)))
    yield agency, run
    run.program.kill()
    run.wait()


def _stores(agency: Agency) -> list[Json]:
    return left_at_openai(agency)[1]


def _ask_something_else(agency: Agency) -> None:
    manifest = agency.path("uno").read_text(encoding="utf-8")
    agency.path("uno").write_text(manifest.replace("piensa 60s en empanadas", "¿Hay empanadas?"), encoding="utf-8")


def test_what_a_killed_run_leaves_is_marked_expires_and_is_removed_by_the_next(
    waiting: tuple[Agency, Running],
) -> None:
    agency, run = waiting
    run.program.kill()
    run.wait()
    [name], [store] = left_at_openai(agency)
    [file] = agency.openai("GET", "/files")["data"]
    assert name.startswith("trial_")
    assert store["metadata"]["horizonai-trial"]
    assert store["expires_at"] - store["created_at"] <= DAY
    assert file["expires_at"] - file["created_at"] <= DAY

    _ask_something_else(agency)
    assert states(tried(agency, "--record")) == {"carta": "green"}
    assert left_at_openai(agency) == ([], [])


def test_what_another_run_needs_is_not_removed(waiting: tuple[Agency, Running]) -> None:
    agency, _ = waiting
    [store] = _stores(agency)
    _ask_something_else(agency)
    assert states(tried(agency, "--record")) == {"carta": "green"}
    assert [one["id"] for one in _stores(agency)] == [store["id"]]
