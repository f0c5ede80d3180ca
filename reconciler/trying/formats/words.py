"""The words that all formats of a run share."""

from __future__ import annotations

from typing import Final

from reconciler.trying.expectations import NANOS
from reconciler.trying.results import CaseResult, RunResult, State

STATES: Final[dict[State, str]] = {"green": "green", "flaky": "flaky", "red": "red", "unjudged": "not judged"}
_LOCAL: Final = ("127.0.0.1", "localhost", "::1")
_ORDER: Final[tuple[State, ...]] = ("red", "flaky", "unjudged", "green")


def state_of(case: CaseResult) -> str:
    """A case's state, with how many of its runs passed where there are several: `flaky (2 of 3)`."""
    runs = len(case.runs)
    return f"{STATES[case.state]} ({case.passed} of {runs})" if runs > 1 else STATES[case.state]


def summary(result: RunResult) -> str:
    """`12 cases: 1 red, 11 green`."""
    counts = [f"{result.count(state)} {STATES[state]}" for state in _ORDER if result.count(state)]
    total = len(result.cases)
    cases = f"{total:,} case{'' if total == 1 else 's'}"
    return f"{cases}: {', '.join(counts)}" if counts else "No case to try"


def spent(result: RunResult) -> str:
    """`3 calls of the model, 0.000120 USD, 1.2 s`."""
    if result.calls == 0:
        cost = "no call of the model"
    else:
        unknown = f" and {result.unpriced} without a known price" if result.unpriced else ""
        cost = f"{_plural(result.calls, 'call')} of the model, {usd(result.nano_usd)}{unknown}"
    removed = f", {_plural(result.removed, 'recording')} removed that no case asks for" if result.removed else ""
    return f"{cost}, {result.seconds:.1f} s{removed}"


def answered_by(result: RunResult) -> str | None:
    """Who answered, where it was not OpenAI: a sandbox's answers show how cases are run, and nothing about a model."""
    if not result.servers:
        return None
    said = f"Answered by {', '.join(result.servers)}, not by OpenAI."
    if any(server in _LOCAL for server in result.servers):
        said += " A sandbox's answers show how cases are run, and nothing about a model."
    return said


def usd(nano_usd: int | None) -> str:
    """An amount for people."""
    return "an unknown price" if nano_usd is None else f"{nano_usd / NANOS:.6f} USD"


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
