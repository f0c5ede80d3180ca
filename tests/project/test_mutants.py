"""`make mutants` counts a mutant as killed only where its tests ran and one of them failed or did not end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutants import __main__ as harness
from tests.mutants.targets import reason


@pytest.mark.parametrize(
    ("exit_code", "outcome", "is_killed"),
    [
        (0, "survived", False),
        (1, "killed", True),
        (-24, "timeout", True),
        (33, "no test runs it", False),
        *(
            (code, f"pytest did not run to its end (exit code {code})", False)
            for code in (None, 2, 3, 4, 5, -9, -11, 255)
        ),
    ],
)
def test_tests_that_did_not_run_have_killed_nothing(exit_code: int | None, outcome: str, is_killed: bool) -> None:
    assert harness.outcome_of(exit_code) == outcome
    assert harness.Mutant("name", outcome, "").is_killed is is_killed


@pytest.mark.parametrize(
    ("mutmut", "noted"), [("false", '{"exit_code_by_key": {"a": 1}}'), ("true", None), ("true", "{}")]
)
def test_without_a_result_the_run_ends_with_the_name_of_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mutmut: str, noted: str | None
) -> None:
    monkeypatch.setattr(harness, "MUTMUT", mutmut)
    (tmp_path / "mutants").mkdir()
    if noted is not None:
        (tmp_path / "mutants" / "sums.py.meta").write_text(noted)

    with pytest.raises(SystemExit) as end:
        harness.exit_codes_of(tmp_path, "sums.py")

    assert str(end.value) == (
        "No mutant of sums.py was tried: mutmut made none, or its tests do not pass on the unchanged copy. "
        f"Read {tmp_path / 'mutmut.log'}."
    )


def test_the_wording_of_an_error_for_programmers_is_a_reason_for_every_module() -> None:
    assert reason("runtime/memory.py", 'raise ValueError("No.") → raise ValueError("NO.")')
    assert reason("runtime/memory.py", 'raise ValueError("No.") → return') is None
    assert reason("runtime/memory.py", 'raise Refused("No.") → raise Refused("NO.")') is None
