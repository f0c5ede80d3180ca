"""The same cases with two versions of an assistant: what got better, what got worse, and what it costs.

before  another commit's manifest, or this one
after   the manifest in the folder, or the same with another model
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from reconciler.errors import Exit
from reconciler.manifest.cases import DeclaredCase
from reconciler.settings import Settings
from reconciler.trying.candidate import Candidate
from reconciler.trying.recordings import Recordings
from reconciler.trying.results import CaseResult, RunResult, State, TriedExchange
from reconciler.trying.run import RunOptions, TriedAssistant, run_entries
from schemas.tariffs import Tariffs

Change: TypeAlias = Literal["worse", "better", "not judged", "other answer", "same answer"]
CHANGES: Final[tuple[Change, ...]] = ("worse", "not judged", "better", "other answer", "same answer")
"""In the order in which they are shown."""
_RANK: Final[dict[State, int]] = {"red": 0, "flaky": 1, "green": 2}


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two versions."""

    label: str
    """Such as `main`, `the folder`, `gpt-6-luna`."""
    candidate: Candidate
    recordings: Recordings


@dataclass(frozen=True, slots=True)
class ComparedCase:
    """One case with both."""

    before: CaseResult
    after: CaseResult

    @property
    def change(self) -> Change:
        """What became different."""
        if "unjudged" in (self.before.state, self.after.state):
            return "not judged"
        was, now = _RANK[self.before.state], _RANK[self.after.state]
        if was == now:
            was, now = self.before.passed, self.after.passed
        if was != now:
            return "better" if now > was else "worse"
        return "same answer" if _answers(self.before) == _answers(self.after) else "other answer"

    @property
    def exchanges(self) -> Sequence[tuple[TriedExchange | None, TriedExchange | None]]:
        """The exchanges of the first run of both, side by side; None where a side did not get that far."""
        before, after = self.before.runs[0].exchanges, self.after.runs[0].exchanges
        longest = max(len(before), len(after))
        sides = [[*found, *[None] * (longest - len(found))] for found in (before, after)]
        return list(zip(*sides, strict=True))


@dataclass(frozen=True, slots=True)
class AssistantComparison:
    """All cases with both."""

    client: str
    before: str
    after: str
    cases: Sequence[ComparedCase]
    """Those that got worse first."""
    run: RunResult
    """What it took."""

    def count(self, change: Change) -> int:
        """Number of cases with a change."""
        return sum(case.change == change for case in self.cases)

    @property
    def costs(self) -> tuple[int | None, int | None]:
        """10⁻⁹ USD of all answers of the first run, before and after; None where a price is not known."""
        return _sum([case.before for case in self.cases]), _sum([case.after for case in self.cases])

    @property
    def characters(self) -> tuple[int, int]:
        """Of all answers of the first run, before and after."""
        return _characters([case.before for case in self.cases]), _characters([case.after for case in self.cases])

    @property
    def exit_code(self) -> Exit:
        """1 where something could not be judged, else 2 where a case is red or flaky with the later version."""
        if self.count("not judged"):
            return Exit.ERROR
        return Exit.OK if all(case.after.state == "green" for case in self.cases) else Exit.CHANGES


async def compared(
    before: Side, after: Side, cases: Sequence[DeclaredCase], settings: Settings, tariffs: Tariffs, options: RunOptions
) -> AssistantComparison:
    """Tries the cases with both. Raises ReconcileError where nothing can be tried."""
    entries = [TriedAssistant(side.candidate, cases, side.recordings) for side in (before, after)]
    result = await run_entries(entries, settings, tariffs, options)
    found = [ComparedCase(*both) for both in zip(result.cases[: len(cases)], result.cases[len(cases) :], strict=True)]
    ordered = sorted(found, key=lambda case: CHANGES.index(case.change))
    return AssistantComparison(after.candidate.client, before.label, after.label, ordered, result)


def _answers(case: CaseResult) -> list[list[str]]:
    return [[exchange.answer for exchange in one.exchanges] for one in case.runs]


def _sum(cases: Sequence[CaseResult]) -> int | None:
    amounts = [case.runs[0].nano_usd for case in cases]
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if len(known) == len(amounts) else None


def _characters(cases: Sequence[CaseResult]) -> int:
    return sum(len(exchange.answer) for case in cases for exchange in case.runs[0].exchanges if not exchange.is_given)
