"""The test cases of two models as text, for an upgrade. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reconciler.trying.results import CaseResult, RunResult

NANOS = 10**9


def cases_text(old: str, new: str, tried: RunResult, other: RunResult) -> str:
    """The test cases of both models, by client; those that differ by name."""
    return "".join(f"{line}\n" for line in _cases(old, new, tried, other))


def _cases(old: str, new: str, tried: RunResult, other: RunResult) -> Iterator[str]:
    yield ""
    yield f"Test cases, {old} → {new}:"
    found = {(case.client, case.name): case for case in other.cases}
    by_client: dict[str, list[tuple[CaseResult, CaseResult]]] = {}
    for case in tried.cases:
        by_client.setdefault(case.client, []).append((case, found[case.client, case.name]))
    for client, both in by_client.items():
        former, latter = zip(*both, strict=True)
        green, still = (sum(case.state == "green" for case in cases) for cases in (former, latter))
        costs = f"USD {_total(former)} → {_total(latter)}"
        yield f"  {client}: {green} of {len(both)} green → {still} of {len(both)}, {costs}"
        for one, another in both:
            if one.state != another.state or another.state == "unjudged":
                yield f"    {one.name}: {one.state} → {another.state}"
                yield from (f"      {reason}" for reason in another.reasons)
    for client, reason in other.skipped:
        yield f"  {client}: not tried. {reason}"


def _total(cases: Sequence[CaseResult]) -> str:
    amounts = [run.nano_usd for case in cases for run in case.runs]
    known = [amount for amount in amounts if amount is not None]
    return f"{sum(known) / NANOS:.6f}" if len(known) == len(amounts) else "unknown"
