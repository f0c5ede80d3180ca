"""What changes of a prompt, a model or tools do to a client's month, from what its own answers used in the last 30
days. Pure.

    new costs = Σ over kinds (used + answers × added tokens × share of the kind) × price  −  what it cost

Nothing is said of a client without a history, nor of settings whose effect on an answer is not known beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, TypeAlias

from reconciler.model import Change, Estimate, FieldChange, Plan
from runtime.store.activity_records import UsageRecord

PriceOf: TypeAlias = Callable[[str, str], Fraction | None]
"""10⁻⁹ USD for one of a kind of a model; None where no price is known."""

CHARACTERS_PER_TOKEN: Final = 4
"""As `runtime.memory` estimates."""
INPUT: Final = frozenset({"model_input", "model_cached", "model_cache_write"})
TOOLS: Final = frozenset({"web_search", "file_search"})
"""Those that have a price of their own; their kinds of usage are called as they are."""


@dataclass(frozen=True, slots=True)
class _Effect:
    """What a client's changes do to an answer."""

    tokens: int = 0
    models: tuple[str, str] | None = None
    dropped_tools: Sequence[str] = ()


def clients_to_estimate(plan: Plan) -> Sequence[str]:
    """Clients of which the history is needed."""
    return sorted(_effects(plan))


def estimates(plan: Plan, used: Iterable[UsageRecord], price_of: PriceOf) -> Sequence[Estimate]:
    """The estimates that can be made. `price_of` is called for another model only."""
    by_client: dict[str, list[UsageRecord]] = {}
    for row in used:
        by_client.setdefault(row.client, []).append(row)
    effects = _effects(plan)
    made = (_estimate(client, effects[client], by_client.get(client, []), price_of) for client in sorted(effects))
    return [estimate for estimate in made if estimate is not None]


def cost_of_answers(
    used: Sequence[UsageRecord], models: tuple[str, str], price_of: PriceOf
) -> tuple[int, int | None, int | None]:
    """Number of a client's answers by the first of two models, what they cost, and would by the other, in 10⁻⁹ USD;
    None where a price is not known."""
    effect = _Effect(models=models)
    rows = [row for row in used if row.kind != "transcription" and _answered_by(effect, row)]
    answers = sum(row.turns for row in rows if row.kind == "model_output")
    before = None if any(row.nano_usd is None for row in rows) else sum(row.nano_usd or 0 for row in rows)
    after = _costs(rows, effect, answers, price_of)
    return answers, before, None if after is None else round(after)


def _effects(plan: Plan) -> Mapping[str, _Effect]:
    by_client: dict[str, list[FieldChange]] = {}
    for change in plan.changes:
        if change.action == "update" and change.kind in ("assistant", "bot"):
            by_client.setdefault(change.client, []).extend(_of_answers(change))
    effects = {client: _effect(fields) for client, fields in by_client.items()}
    return {client: effect for client, effect in effects.items() if effect != _Effect()}


def _of_answers(change: Change) -> Iterator[FieldChange]:
    return (field for field in change.fields if field.steps[0] in ("instructions", "model", "tools"))


def _effect(fields: Sequence[FieldChange]) -> _Effect:
    tokens = 0
    models = None
    dropped = []
    for field in fields:
        both_are_text = isinstance(field.old, str) and isinstance(field.new, str)
        if field.steps == ("instructions",) and both_are_text:
            tokens = len(field.new) // CHARACTERS_PER_TOKEN - len(field.old) // CHARACTERS_PER_TOKEN
        elif field.steps == ("model",) and both_are_text:
            models = (field.old, field.new)
        elif (tool := _dropped(field)) is not None:
            dropped.append(tool)
    return _Effect(tokens, models, tuple(sorted(dropped)))


def _dropped(field: FieldChange) -> str | None:
    """The tool that a field's change takes from an assistant."""
    is_tool = field.steps[0] == "tools" and len(field.steps) == 2
    tool: Any = field.old if is_tool and field.new is None else None
    kind = tool.get("type") if isinstance(tool, Mapping) else None
    return kind if kind in TOOLS else None


def _estimate(client: str, effect: _Effect, used: Sequence[UsageRecord], price_of: PriceOf) -> Estimate | None:
    rows = [row for row in used if row.kind != "transcription" and _answered_by(effect, row)]
    answers = sum(row.turns for row in rows if row.kind == "model_output")
    if not answers:
        return None
    new_costs = _costs(rows, effect, answers, price_of)
    old_costs = None if any(row.nano_usd is None for row in rows) else sum(row.nano_usd or 0 for row in rows)
    more = None if new_costs is None or old_costs is None else round(new_costs) - old_costs
    return Estimate(client, answers, more, effect.tokens, effect.models, effect.dropped_tools)


def _answered_by(effect: _Effect, row: UsageRecord) -> bool:
    """Whether a row is of the model that is replaced: providers name a dated version of it in their answers."""
    return effect.models is None or row.model == effect.models[0] or row.model.startswith(f"{effect.models[0]}-")


def _costs(rows: Sequence[UsageRecord], effect: _Effect, answers: int, price_of: PriceOf) -> Fraction | None:
    """What the same answers would cost."""
    read = sum(row.quantity for row in rows if row.kind in INPUT)
    costs = Fraction(0)
    for row in rows:
        if row.kind in effect.dropped_tools:
            continue
        share = Fraction(row.quantity, read) if row.kind in INPUT and read else Fraction(0)
        quantity = max(row.quantity + answers * effect.tokens * share, Fraction(0))
        each = _paid(row) if effect.models is None else price_of(row.kind, effect.models[1])
        if each is None:
            return None
        costs += quantity * each
    return costs


def _paid(row: UsageRecord) -> Fraction | None:
    return None if row.nano_usd is None or not row.quantity else Fraction(row.nano_usd, row.quantity)
