"""An upgrade of a model, as text: the places, and what both models cost. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from reconciler.manifest.explain import dotted
from reconciler.planning.model_upgrade import ClientCost, ModelPlace
from schemas.models import ModelEnd

NANOS = 10**9


def places_text(old: str, new: str, end: ModelEnd | None, found: Sequence[ModelPlace]) -> str:
    """What is replaced, and where."""
    ending = f" ({old} {end.text})" if end is not None else ""
    lines = [f"{old} → {new}{ending}", ""]
    lines += [f"{one.position}  {dotted(one.loc)}{' (a line of its own)' if one.is_new else ''}" for one in found]
    return "".join(f"{line}\n" for line in lines)


def costs_text(
    new: str, costs: Sequence[ClientCost], before: Mapping[str, Fraction | None], after: Mapping[str, Fraction | None]
) -> str:
    """What clients' answers cost and would, and a million tokens of both models; empty without clients."""
    if not costs:
        return ""
    width = max(len(cost.client) for cost in costs)
    lines = ["", f"Answers of the last 30 days, and what the same ones cost with {new}:"]
    lines += [f"  {cost.client:<{width}}  {_cost(cost)}" for cost in costs]
    said = ", ".join(f"{kind} {_usd(before[kind])} → {_usd(after[kind])}" for kind in before)
    lines.append(f"USD for a million tokens: {said}")
    return "".join(f"{line}\n" for line in lines)


def _cost(cost: ClientCost) -> str:
    if not cost.answers:
        return "no answers by the former"
    answers = f"{cost.answers:,} answer{'s' if cost.answers > 1 else ''}"
    if cost.before is None or cost.after is None:
        return f"{answers}, a price is not known"
    share = f" ({100 * (cost.after - cost.before) / cost.before:+.0f} %)" if cost.before else ""
    return f"{answers}, USD {cost.before / NANOS:.6f} → {cost.after / NANOS:.6f}{share}"


def _usd(amount: Fraction | None) -> str:
    return "unknown" if amount is None else f"{float(amount):.3f}".rstrip("0").rstrip(".")
