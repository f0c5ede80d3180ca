"""How the canary of a month compares with the assistant, in a report. Pure.

What a turn costs is said in relation to the assistant's only: the report is the client's, and our cost is in none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

from runtime.reports.words import Words
from runtime.store.activity_records import VariantRecord
from schemas.canary import Variant

NONE = "–"
ORDER: Sequence[Variant] = ("stable", "canary")


def variant_rows(variants: Sequence[VariantRecord], words: Words) -> list[list[str]]:
    """A line for each figure: its name, the assistant's value, the canary's. Nothing without a canary's turn."""
    by_name = {one.variant: one for one in variants}
    if "canary" not in by_name:
        return []
    shown = [by_name.get(name) for name in ORDER]
    return [
        list(line) for line in zip(*([_names(words), *(_values(one, by_name, words) for one in shown)]), strict=True)
    ]


def variants_json(variants: Sequence[VariantRecord]) -> list[dict[str, Any]]:
    """The same for other programs."""
    by_name = {one.variant: one for one in variants}
    return [
        {
            "variant": one.variant,
            "turns": one.turns,
            "answered": one.answered,
            "failed": one.failed,
            "handoffs": one.handoffs,
            "unanswered": one.unanswered,
            "messages": one.messages,
            "output_tokens": one.output_tokens,
            "relative_cost": None if (cost := _relative_cost(one, by_name)) is None else round(float(cost), 4),
        }
        for one in variants
        if "canary" in by_name
    ]


def _names(words: Words) -> list[str]:
    keys = ("turns", "variant_handoffs", "failed", "reason_no_reply", "tokens_each", "messages_each", "cost_each")
    return [words(key).capitalize() for key in keys]


def _values(one: VariantRecord | None, by_name: dict[str, VariantRecord], words: Words) -> Iterator[str]:
    if one is None:
        yield from [NONE] * 7
        return
    yield words.number(one.turns)
    for count in (one.handoffs, one.failed, one.unanswered):
        yield f"{words.number(count)} ({words.percent(Fraction(count, one.turns))})"
    for total, decimals in ((one.output_tokens, 0), (one.messages, 2)):
        yield words.number(Fraction(total, one.answered), decimals) if one.answered else NONE
    cost = _relative_cost(one, by_name)
    yield NONE if cost is None else words.percent(cost)


def _relative_cost(one: VariantRecord, by_name: dict[str, VariantRecord]) -> Fraction | None:
    """What a turn costs, where a turn of the assistant costs 1; None where a price is not known, or there is none."""
    stable = by_name.get("stable")
    if stable is None or not stable.nano_usd or one.nano_usd is None:
        return None
    return Fraction(one.nano_usd, one.turns) / Fraction(stable.nano_usd, stable.turns)
