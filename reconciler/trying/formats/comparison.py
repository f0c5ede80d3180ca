"""A comparison side by side: as Markdown for a pull request, as a page for a browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from reconciler.render.markdown import escape
from reconciler.render.page import page
from reconciler.trying.comparison import CHANGES, AssistantComparison, Change, ComparedCase
from reconciler.trying.formats.words import answered_by, spent, state_of, usd
from reconciler.trying.results import CaseResult, TriedExchange

_SIGNS: Final[dict[Change, str]] = {
    "worse": "❌",
    "better": "✅",
    "not judged": "❔",
    "other answer": "✏️",
    "same answer": "=",
}
_CLASSES: Final[dict[Change, str]] = {
    "worse": "error",
    "better": "create",
    "not judged": "warning",
    "other answer": "update",
    "same answer": "faint",
}


def headline(comparison: AssistantComparison) -> str:
    """`la-cocina: main and the folder. 1 worse, 2 better, 3 same answer`."""
    counts = [f"{comparison.count(change)} {change}" for change in CHANGES if comparison.count(change)]
    return f"{comparison.client}: {comparison.before} and {comparison.after}. {', '.join(counts)}"


def totals(comparison: AssistantComparison) -> str:
    """What all answers cost, and how long they are, on both sides."""
    before, after = comparison.costs
    was, now = comparison.characters
    return f"Answers cost {usd(before)} and {usd(after)}; they have {was:,} and {now:,} characters."


def comparison_markdown(comparison: AssistantComparison) -> str:
    """The whole of it."""
    return "".join(_markdown(comparison))


def _markdown(comparison: AssistantComparison) -> Iterator[str]:
    yield f"### {escape(headline(comparison))}\n\n{escape(totals(comparison))}\n"
    for case in comparison.cases:
        summary = f"{_SIGNS[case.change]} {case.after.name}: {case.change}"
        is_open = " open" if case.change in ("worse", "better") else ""
        yield f"\n<details{is_open}><summary>{escape(summary)}</summary>\n\n"
        yield f"| Person | {escape(comparison.before)} | {escape(comparison.after)} |\n|---|---|---|\n"
        for before, after in case.exchanges:
            said = before or after
            yield f"| {_said(said)} | {_answer(before)} | {_answer(after)} |\n"
        yield f"| | {_verdict(case.before)} | {_verdict(case.after)} |\n\n</details>\n"
    yield f"\n{'<br>'.join(map(escape, _foot(comparison)))}\n"


def _foot(comparison: AssistantComparison) -> list[str]:
    by = answered_by(comparison.run)
    return [spent(comparison.run), *([by] if by else [])]


def _said(exchange: TriedExchange | None) -> str:
    if exchange is None:
        return ""
    return "<br>".join(escape(text) for text in (*exchange.said, *(f"[{name}]" for name in exchange.files)))


def _answer(exchange: TriedExchange | None) -> str:
    if exchange is None:
        return "(not reached)"
    lines = [*(f"calls {call}" for call in exchange.calls), *(exchange.answer.splitlines() or ["(no answer)"])]
    return "<br>".join(escape(line) for line in lines)


def _verdict(case: CaseResult) -> str:
    return "<br>".join([f"**{escape(state_of(case))}**", *(escape(reason) for reason in case.reasons)])


def comparison_html(comparison: AssistantComparison) -> str:
    """The page."""
    return page(
        "comparison.html",
        title=headline(comparison),
        language="en",
        before=comparison.before,
        after=comparison.after,
        totals=totals(comparison),
        foot=_foot(comparison),
        counts=[
            {"text": f"{comparison.count(change)} {change}", "style": _CLASSES[change]}
            for change in CHANGES
            if comparison.count(change)
        ],
        cases=[_shown(case) for case in comparison.cases],
    )


def _shown(case: ComparedCase) -> dict[str, Any]:
    return {
        "name": case.after.name,
        "place": case.after.place,
        "change": case.change,
        "style": _CLASSES[case.change],
        "rows": [
            {"said": _heard(before or after), "before": _side(before), "after": _side(after)}
            for before, after in case.exchanges
        ],
        "before": {"state": state_of(case.before), "reasons": list(case.before.reasons)},
        "after": {"state": state_of(case.after), "reasons": list(case.after.reasons)},
    }


def _heard(exchange: TriedExchange | None) -> list[str]:
    return [] if exchange is None else [*exchange.said, *(f"[{name}]" for name in exchange.files)]


def _side(exchange: TriedExchange | None) -> dict[str, Any]:
    if exchange is None:
        return {"calls": [], "lines": ["(not reached)"], "cost": ""}
    lines = exchange.answer.splitlines() or ["(no answer)"]
    return {"calls": list(exchange.calls), "lines": lines, "cost": "" if exchange.is_given else usd(exchange.nano_usd)}
