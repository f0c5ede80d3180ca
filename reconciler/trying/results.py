"""What trying cases found: values without behaviour, from which every format is written.

green      every run of the case met every expectation
flaky      some runs did, some did not
red        none did
unjudged   at least one run could not be judged: no recorded answer, no verdict, a provider that failed
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from reconciler.errors import Exit
from reconciler.trying.expectations import Unmet
from reconciler.trying.judge import Verdict

State: TypeAlias = Literal["green", "flaky", "red", "unjudged"]


@dataclass(frozen=True, slots=True)
class TriedExchange:
    """One exchange of one run."""

    said: Sequence[str]
    files: Sequence[str]
    answer: str
    """All of its messages as a person reads them; empty where there is none."""
    calls: Sequence[str] = ()
    """The functions that were called, as `name {"argument": 1}`."""
    failures: Sequence[Unmet] = ()
    verdict: Verdict | None = None
    nano_usd: int | None = 0
    """What its models cost, also where that was paid when it was recorded; None where a price is not known."""
    is_given: bool = False
    """Whether the answer is the case's own."""


@dataclass(frozen=True, slots=True)
class CaseRun:
    """One run of a case."""

    run: int
    exchanges: Sequence[TriedExchange]
    unjudged: Sequence[str]
    """Why it could not be judged."""
    seconds: float
    servers: frozenset[str | None] = frozenset()
    """Which answered; None: OpenAI's own."""

    @property
    def state(self) -> State:
        """A failure that was seen is one, whatever could not be judged besides."""
        if any(not failure.is_unjudged for exchange in self.exchanges for failure in exchange.failures):
            return "red"
        is_unsure = any(failure.is_unjudged for exchange in self.exchanges for failure in exchange.failures)
        return "unjudged" if self.unjudged or is_unsure else "green"

    @property
    def nano_usd(self) -> int | None:
        """What its models cost."""
        amounts = [exchange.nano_usd for exchange in self.exchanges]
        known = [amount for amount in amounts if amount is not None]
        return sum(known) if len(known) == len(amounts) else None

    @property
    def reasons(self) -> Sequence[str]:
        """Why it is not green, each in a line."""
        failed = [
            f"{failure.expectation}: {failure.said}" for exchange in self.exchanges for failure in exchange.failures
        ]
        return [*failed, *self.unjudged]


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One case, with all of its runs."""

    client: str
    name: str
    place: str
    runs: Sequence[CaseRun]

    @property
    def state(self) -> State:
        """Of all runs together."""
        states = {one_run.state for one_run in self.runs}
        if "unjudged" in states:
            return "unjudged"
        if states == {"green"}:
            return "green"
        return "red" if states == {"red"} else "flaky"

    @property
    def passed(self) -> int:
        """Number of runs that are green."""
        return sum(one_run.state == "green" for one_run in self.runs)

    @property
    def reasons(self) -> Sequence[str]:
        """Why it is not green, each once."""
        return list(dict.fromkeys(reason for one_run in self.runs for reason in one_run.reasons))


@dataclass(frozen=True, slots=True)
class RunResult:
    """One call of `reconcile test`."""

    cases: Sequence[CaseResult]
    """By client and in the order of its manifest."""
    skipped: Sequence[tuple[str, str]]
    """Clients that cannot be tried, with the reason."""
    calls: int
    """Number of calls of the provider."""
    nano_usd: int
    """What they cost."""
    unpriced: int
    """Number of them whose price is not known."""
    seconds: float
    removed: int = 0
    """Number of recordings that were removed, since no case asks for them."""

    @property
    def servers(self) -> Sequence[str]:
        """Those that answered besides OpenAI's own."""
        found = {server for case in self.cases for one_run in case.runs for server in one_run.servers}
        return sorted(server for server in found if server is not None)

    def count(self, state: State) -> int:
        """Number of cases in a state."""
        return sum(case.state == state for case in self.cases)

    @property
    def exit_code(self) -> Exit:
        """1 where something could not be judged, else 2 where a case is red or flaky."""
        if self.count("unjudged") or self.skipped:
            return Exit.ERROR
        return Exit.CHANGES if self.count("red") or self.count("flaky") else Exit.OK
