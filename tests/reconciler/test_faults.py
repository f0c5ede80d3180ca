"""An unexpected exception is one client's failure: reported, logged and recorded, and the others continue."""

from __future__ import annotations

import json

import pytest

from tests.reconciler.agency import SECRETS, Agency
from tests.reconciler.kitchen import MENU, STORES
from tests.reconciler.processes import Result
from tests.reconciler.terminal import on_a_terminal

TOOLS = [{"type": "file_search", "files": [MENU]}]
STRANGE = {
    "object": "list",
    "data": [{"id": "file-1", "status": "completed", "attributes": "ninguno"}],
    "has_more": False,
}
"""A list of files that the writer stumbles over: attributes are an object in every description of the API."""


@pytest.fixture
def strange(kitchen: Agency) -> Agency:
    """Two clients with changes; between plan and apply, OpenAI begins to answer the first one's with nonsense."""
    kitchen.document(MENU, "Empanadas a 3900 pesos.")
    kitchen.declare("cliente-a")
    kitchen.declare("la-cocina", name="Otra cocina", assistant={"tools": TOOLS})
    fault = {"kind": "status", "status": 200, "body": STRANGE, "method": "GET", "path": f"{STORES}/*/files", "nth": 2}
    kitchen.sandbox.faults(fault)
    return kitchen


def applied(agency: Agency, *args: str) -> Result:
    """Apply, without the check that nothing looks like a traceback: the log holds one."""
    result = agency.start("--yes", *args).wait()
    assert "Traceback" not in result.out
    assert all(secret not in result.said for secret in SECRETS)
    return result


def test_it_fails_its_own_client_in_a_sentence_and_the_others_are_applied(strange: Agency) -> None:
    result = applied(strange)
    assert result.code == 4
    assert (
        "failed  la-cocina: knowledge documents: update: an unexpected AttributeError in reconciler.kinds."
        in result.out
    )
    assert "skipped  la-cocina: bot" in result.out
    assert result.out.endswith("\nApplied: 3 applied, 1 failed, 2 skipped.\n")
    assert {bot.client for bot in strange.snapshot().bots} == {"la-cocina", "cliente-a"}


def test_it_goes_on_record_like_any_failure_and_the_next_run_goes_on(strange: Agency) -> None:
    applied(strange)
    [run, _] = strange.runs()
    assert run["outcome"] == "partial"
    [failed] = [change for change in run["changes"] if change["outcome"] == "failed"]
    assert failed["error"].startswith("an unexpected AttributeError in reconciler.kinds.")
    strange.apply()
    assert strange.changes() == []


def test_its_traceback_is_in_the_log(strange: Agency) -> None:
    assert "\nTraceback (most recent call last):\n" in strange.start("--yes").wait().err


def test_its_traceback_is_in_the_log_for_programs(strange: Agency) -> None:
    lines = [json.loads(line) for line in strange.start("--yes", "--format", "json").wait().err.splitlines()]
    [line] = [line for line in lines if line["event"] == "failed"]
    assert line["client"] == "la-cocina"
    assert line["traceback"].startswith("Traceback (most recent call last):\n")
    assert line["traceback"].endswith("AttributeError")


@pytest.mark.parametrize(("flags", "shown"), [((), False), (("--verbose",), True)])
def test_on_a_terminal_its_traceback_is_shown_to_who_asks_for_it(
    strange: Agency, flags: tuple[str, ...], shown: bool
) -> None:
    code, said = on_a_terminal(strange, "--yes", *flags)
    assert code == 4
    assert ("Traceback" in said) is shown
    assert "an unexpected AttributeError" in said
