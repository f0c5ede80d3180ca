"""Sections of the bench are measured one by one, and RESULTS.md is what is kept of all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import report
from bench.report import Measured, Section, Table, Target, write_results


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(report, "KEPT", tmp_path / "results")
    monkeypatch.setattr(report, "RESULTS", tmp_path / "RESULTS.md")
    return tmp_path / "RESULTS.md"


def of(title: str, measured: str, held: bool, origin: str) -> Measured:
    """Results of a section with one target and two tables."""
    table = Table(("", "ms"), [[f"of {title}", measured]])
    targets = [Target(f"{title} ≤ 5 ms", measured, held)]
    return Measured(Section(title, f"How {title} is measured.", table, targets, [("And:", table)]), origin)


def test_what_is_measured_again_takes_the_place_of_what_was_and_leaves_the_rest(results: Path) -> None:
    of("Plans", "9 ms", False, "*Monday*").keep("plan")
    of("Turns", "3 ms", True, "*Monday*").keep("turns")
    of("Plans", "4 ms", True, "*Tuesday*").keep("plan")

    write_results(["plan", "webhook", "turns"])

    _, _, shown = results.read_text("utf-8").partition("## Targets")
    assert (
        shown
        == """

| target | measured | held |
|---|---:|---:|
| Plans ≤ 5 ms | 4 ms | yes |
| Turns ≤ 5 ms | 3 ms | yes |

## Plans

*Tuesday*

How Plans is measured.

|  | ms |
|---|---:|
| of Plans | 4 ms |

And:

|  | ms |
|---|---:|
| of Plans | 4 ms |

## Turns

*Monday*

How Turns is measured.

|  | ms |
|---|---:|
| of Turns | 3 ms |

And:

|  | ms |
|---|---:|
| of Turns | 3 ms |
"""
    )


def test_a_target_that_does_not_hold_is_seen(results: Path) -> None:
    of("Plans", "9 ms", False, "*Monday*").keep("plan")
    write_results(["plan"])
    assert "| Plans ≤ 5 ms | 9 ms | **no** |" in results.read_text("utf-8")


def test_what_is_kept_is_what_was_found(results: Path) -> None:
    found = of("Plans", "9 ms", False, "*Monday*")
    found.keep("plan")
    kept = Measured.kept("plan")
    assert kept is not None
    assert report.markdown([kept]) == report.markdown([found])
