"""What a change does to a client's month, by its own history: tokens, prices, tools, and where nothing can be said."""

from __future__ import annotations

from fractions import Fraction

import pytest

from reconciler.model import Change, Estimate, FieldChange
from reconciler.planning.digest import digest
from reconciler.planning.estimates import clients_to_estimate, estimates
from runtime.store.activity_records import UsageRecord
from tests.documents.plans import a_change, a_plan

LUNA, SOL = "gpt-6-luna", "gpt-6-sol"
PER_TOKEN = {"model_input": 100, "model_cached": 10, "model_cache_write": 125, "model_output": 500}
"""10⁻⁹ USD of gpt-6-luna; the other model costs ten times that."""
ANSWERS = 1800


def used(kind: str, quantity: int, turns: int = ANSWERS, model: str = LUNA, *, priced: bool = True) -> UsageRecord:
    each = PER_TOKEN.get(kind, 10_000_000)
    return UsageRecord("la-cocina", kind, model, quantity, quantity * each if priced else None, turns)


HISTORY = [
    used("model_input", 900_000),
    used("model_cached", 2_700_000),
    used("model_output", 360_000),
    used("web_search", 40, turns=35),
    UsageRecord("la-cocina", "transcription", "gpt-transcribe", 600_000, 45_000_000, 20),
]
OLD_COSTS = 900_000 * 100 + 2_700_000 * 10 + 360_000 * 500 + 40 * 10_000_000


def price_of(kind: str, model: str) -> Fraction | None:
    if model == SOL:
        return Fraction(PER_TOKEN.get(kind, 1_000_000) * 10)
    return None


def made(*changes: Change, history: list[UsageRecord] = HISTORY) -> list[Estimate]:
    return list(estimates(a_plan(*changes), history, price_of))


def longer(tokens: int) -> FieldChange:
    return FieldChange(("instructions",), "a" * 8000, "a" * (8000 + 4 * tokens))


MODEL = FieldChange(("model",), LUNA, SOL)
NO_SEARCH = FieldChange(("tools", 0), {"type": "web_search"}, None)


@pytest.mark.parametrize(
    ("fields", "more"),
    [
        # 1,800 answers × 1,000 tokens, a quarter of them read at full price, three quarters from the cache
        ([longer(1000)], 1_800_000 * 100 // 4 + 1_800_000 * 10 * 3 // 4),
        ([longer(-1000)], -(1_800_000 * 100 // 4 + 1_800_000 * 10 * 3 // 4)),
        ([MODEL], OLD_COSTS * 9 - 40 * 10_000_000 * 9),
        ([NO_SEARCH], -40 * 10_000_000),
        ([longer(1000), NO_SEARCH], 1_800_000 * 100 // 4 + 1_800_000 * 10 * 3 // 4 - 40 * 10_000_000),
    ],
)
def test_the_same_answers_at_other_costs(fields: list[FieldChange], more: int) -> None:
    [estimate] = made(a_change("la-cocina", *fields))

    assert (estimate.client, estimate.answers, estimate.nano_usd) == ("la-cocina", ANSWERS, more)


def test_a_prompt_and_a_model_that_change_together_are_one_estimate() -> None:
    [estimate] = made(a_change("la-cocina", longer(1000), MODEL))

    tokens = 1_800_000 * 1000 // 4 + 1_800_000 * 100 * 3 // 4
    assert estimate == Estimate("la-cocina", ANSWERS, OLD_COSTS * 9 - 40 * 90_000_000 + tokens, 1000, (LUNA, SOL))


def test_a_prompt_cannot_get_shorter_than_nothing() -> None:
    [estimate] = made(a_change("la-cocina", FieldChange(("instructions",), "a" * 40_000, "")))

    assert estimate.nano_usd == -(900_000 * 100 + 2_700_000 * 10)


def test_the_price_of_another_model_may_not_be_known() -> None:
    [estimate] = made(a_change("la-cocina", FieldChange(("model",), LUNA, "gpt-9")))

    assert (estimate.nano_usd, estimate.answers) == (None, ANSWERS)


def test_what_was_used_may_have_no_known_price() -> None:
    history = [used("model_input", 1000, priced=False), used("model_output", 100, priced=False)]

    [estimate] = made(a_change("la-cocina", longer(10)), history=history)
    assert estimate.nano_usd is None


def test_only_answers_of_the_model_that_is_replaced_are_counted() -> None:
    dated = used("model_output", 1000, 10, f"{LUNA}-2026-09-01")
    other = used("model_output", 1000, 99, "gpt-6-lunatic")

    [estimate] = made(a_change("la-cocina", MODEL), history=[dated, other])
    assert (estimate.answers, estimate.nano_usd) == (10, 1000 * 500 * 9)


@pytest.mark.parametrize(
    "change",
    [
        a_change("otro", longer(1000)),
        a_change("la-cocina", FieldChange(("instructions",), "Hola.", "Hola!")),
        a_change("la-cocina", FieldChange(("instructions",), None, "Hola." * 100)),
        a_change("la-cocina", FieldChange(("tools", 1), None, {"type": "web_search"})),
        a_change("la-cocina", FieldChange(("tools", 0), {"type": "function", "name": "f"}, None)),
        a_change("la-cocina", FieldChange(("settings", "max_output_tokens"), 800, 400)),
        a_change("la-cocina", longer(1000), action="create"),
        a_change("la-cocina", FieldChange(("profile", "about"), "a", "b" * 9000), kind="sender"),
    ],
)
def test_nothing_is_said_without_a_history_or_a_known_effect(change: Change) -> None:
    assert made(change) == []


def test_the_history_is_read_of_clients_with_such_a_change_only() -> None:
    about = a_change("cliente-a", FieldChange(("profile", "about"), "a", "b"), kind="sender")
    plan = a_plan(about, a_change("otro", MODEL), a_change("la-cocina", longer(9), kind="bot"))

    assert clients_to_estimate(plan) == ["la-cocina", "otro"]


def test_an_estimate_is_no_part_of_the_digest() -> None:
    change = a_change("la-cocina", MODEL)

    assert digest(a_plan(change, estimates=made(change))) == digest(a_plan(change))
