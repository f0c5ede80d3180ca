"""A run of cases for a terminal: each client with its cases, and why one is not green."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Final

import click

from reconciler.render.wording import visible
from reconciler.trying.formats.words import answered_by, spent, state_of, summary, usd
from reconciler.trying.results import CaseResult, RunResult, State

_COLOURS: Final[dict[State, str]] = {"green": "green", "flaky": "yellow", "red": "red", "unjudged": "yellow"}


def run_text(result: RunResult, *, colour: bool) -> str:
    """All of it, the summary last."""
    return "".join(f"{line}\n" for line in _lines(result, colour))


def _lines(result: RunResult, colour: bool) -> Iterator[str]:
    for client, cases in groupby(result.cases, key=lambda case: case.client):
        yield client
        for case in cases:
            yield from _case(case, colour)
        yield ""
    for client, why in result.skipped:
        yield f"{client}: not tried. {why}"
    yield summary(result)
    yield spent(result)
    if (by := answered_by(result)) is not None:
        yield by


def _case(case: CaseResult, colour: bool) -> Iterator[str]:
    state = state_of(case)
    shown = click.style(state, fg=_COLOURS[case.state]) if colour else state
    costs = [one_run.nano_usd for one_run in case.runs]
    cost = None if None in costs else sum(amount for amount in costs if amount is not None)
    yield f"  {shown}  {case.name}  ({usd(cost)})"
    if case.state != "green":
        yield f"    {case.place}"
        for reason in case.reasons:
            yield f"    - {visible(reason)}"
        yield from _answer(case)


def _answer(case: CaseResult) -> Iterator[str]:
    """The conversation of the first run that is not green, as far as the exchange that is not."""
    one_run = next(one for one in case.runs if one.state != "green")
    for exchange in one_run.exchanges:
        if exchange.failures:
            for text in exchange.said:
                yield f"      person: {visible(text)}"
            for call in exchange.calls:
                yield f"      calls: {visible(call)}"
            first, *more = (exchange.answer or "(no answer)").splitlines()
            yield f"      assistant: {visible(first)}"
            yield from (f"        {visible(line)}" for line in more)
