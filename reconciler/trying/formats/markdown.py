"""A run of cases for a pull request's comment, below the plan: a table of what is not green, cut where it does not
fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from reconciler.render.markdown import TESTS_CHARACTERS, escape
from reconciler.trying.formats.words import answered_by, spent, state_of, summary
from reconciler.trying.results import CaseResult, RunResult, State

_SIGNS: Final[dict[State, str]] = {"green": "✅", "flaky": "⚠️", "red": "❌", "unjudged": "❔"}
_ANSWER_CHARACTERS: Final = 300
_REASON_CHARACTERS: Final = 500
_HINT: Final = (
    "\nWhat is not judged has no recorded answer: `reconcile test --record` asks the model and writes them, to be "
    "committed with the change.\n"
)


def run_markdown(result: RunResult, limit: int = TESTS_CHARACTERS) -> str:
    """The part of the comment, never longer than `limit`; empty where there is no case at all."""
    if not result.cases and not result.skipped:
        return ""
    head = f"### Tests: {escape(summary(result))}\n\n"
    by = answered_by(result)
    foot = f"\n{escape(spent(result))}{f'<br>{escape(by)}' if by else ''}\n"
    if result.count("unjudged"):
        foot = _HINT + foot
    rows = [_row(case) for case in result.cases if case.state != "green"]
    rows += [f"| {escape(client)} | | ❔ not tried | {escape(why)} |\n" for client, why in result.skipped]
    if not rows:
        return head.rstrip("\n") + "\n" + foot
    table = "| Client | Case | Result | Why | Answer |\n|---|---|---|---|---|\n"
    return head + table + "".join(_fitting(rows, limit - len(head) - len(table) - len(foot))) + foot


def _fitting(rows: Sequence[str], room: int) -> Iterator[str]:
    for number, row in enumerate(rows):
        room -= len(row)
        if room < 100:  # for the line below
            yield f"\n… and {len(rows) - number} more\\.\n"
            return
        yield row


def _row(case: CaseResult) -> str:
    why = "<br>".join(escape(_cut(reason, _REASON_CHARACTERS)) for reason in case.reasons)
    cells = (escape(case.client), escape(case.name), f"{_SIGNS[case.state]} {escape(state_of(case))}", why)
    return f"| {' | '.join(cells)} | {_answer(case)} |\n"


def _answer(case: CaseResult) -> str:
    """The answer that was not as expected."""
    for one_run in case.runs:
        for exchange in one_run.exchanges:
            if exchange.failures:
                return escape(_cut(" ".join(exchange.answer.split()) or "(no answer)", _ANSWER_CHARACTERS))
    return ""


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
