"""Which variant answers a conversation, and when a canary is stopped."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.catalog import Configuration
from runtime.store.canaries import CanaryTally, VariantTally
from runtime.store.records import AssistantRecord, BotRecord
from runtime.turns.canaries import StopReason, assigned, reason_to_stop, share_of
from schemas.canary import digest_of
from schemas.policy_document import PolicyDocument, StoredCanary

NOON = "2026-12-10T12:00:00.000Z"
ASSISTANT = AssistantRecord("shop", "Shop", "Sé formal.", "gpt-6-luna", settings={"max_output_tokens": 800})
BOT = BotRecord("shop", "Shop", "+56212345678", assistant_id="shop")
CANARY = StoredCanary(percent=50, until="2026-12-15", instructions="Sé breve.", max_output_tokens=200)
CANARYS, OTHERS = 2, 1
"""Conversations: the first has a share below 50, the second one above."""

conversations = st.integers(min_value=1, max_value=10**12)
percents = st.integers(min_value=1, max_value=99)


def configured(canary: StoredCanary = CANARY, **fields: Any) -> Configuration:
    return replace(Configuration(BOT, ASSISTANT, PolicyDocument(canary=canary)), **fields)


def variant(configuration: Configuration, conversation: int, now: str = NOON) -> str | None:
    return assigned(configuration, conversation, now, "America/Santiago").variant


@given(conversations, percents, percents)
def test_a_conversation_stays_with_its_variant_and_a_larger_share_takes_nobody_out_of_the_canary(
    conversation: int, one: int, other: int
) -> None:
    smaller, larger = sorted((one, other))
    before, after = (
        variant(configured(CANARY.model_copy(update={"percent": percent})), conversation)
        for percent in (smaller, larger)
    )
    assert before == variant(configured(CANARY.model_copy(update={"percent": smaller})), conversation)
    assert (before, after) != ("canary", "stable")


@pytest.mark.parametrize("percent", [1, 10, 50, 99])
def test_of_many_conversations_the_canary_has_its_percent(percent: int) -> None:
    asked = range(1, 20_001)
    got = sum(share_of(one) < percent for one in asked) / len(asked) * 100
    assert abs(got - percent) < 1.2


def test_the_canary_answers_with_what_it_names_and_with_the_assistants_rest() -> None:
    canary = assigned(configured(), CANARYS, NOON, "UTC")
    assert canary.variant == "canary"
    assert (canary.bot.instructions, canary.bot.model) == ("Sé breve.", None)
    assert canary.assistant is not None
    assert canary.assistant.settings == {"max_output_tokens": 200}
    stable = assigned(configured(), OTHERS, NOON, "UTC")
    assert (stable.variant, stable.bot, stable.assistant) == ("stable", BOT, ASSISTANT)


@pytest.mark.parametrize(
    ("configuration", "now", "expected"),
    [
        (configured(), "2026-12-16T02:59:59.999Z", "canary"),
        (configured(), "2026-12-16T03:00:00.000Z", None),
        (configured(timezone="Europe/Madrid"), "2026-12-15T23:00:00.000Z", None),
        (configured(is_canary_stopped=True), NOON, None),
        (configured(assistant=None, bot=replace(BOT, assistant_id="agent_1")), NOON, None),
        (replace(configured(), policy=PolicyDocument()), NOON, None),
    ],
    ids=["last-second", "day-after", "day-after-in-its-zone", "stopped", "live-object", "none"],
)
def test_a_canary_ends_with_its_last_day_in_the_clients_zone_and_when_it_is_stopped(
    configuration: Configuration, now: str, expected: str | None
) -> None:
    assert variant(configuration, CANARYS, now) == expected


@pytest.mark.parametrize(
    ("canary", "stable", "newest_failed", "expected"),
    [
        ((2, 2, 0), (0, 0, 0), 2, None),
        ((3, 3, 0), (0, 0, 0), 3, "failing"),
        ((1000, 40, 0), (1000, 40, 0), 2, None),
        ((29, 0, 29), (300, 0, 0), 0, None),
        ((300, 0, 300), (29, 0, 0), 0, None),
        ((30, 0, 3), (30, 0, 0), 0, None),
        ((30, 0, 4), (30, 0, 0), 0, "handoffs"),
        ((30, 0, 4), (30, 0, 1), 0, None),
        ((100, 13, 0), (100, 2, 0), 2, "failures"),
        ((100, 13, 30), (100, 2, 0), 2, "failures"),
        ((100, 2, 2), (100, 50, 50), 2, None),
    ],
)
def test_a_canary_is_stopped_after_three_failures_or_beyond_the_margin_from_thirty_turns_of_each_on(
    canary: tuple[int, int, int], stable: tuple[int, int, int], newest_failed: int, expected: StopReason | None
) -> None:
    assert reason_to_stop(CanaryTally(VariantTally(*canary), VariantTally(*stable), newest_failed), 10) == expected


@given(
    st.integers(30, 10_000).flatmap(lambda turns: st.tuples(st.just(turns), st.integers(0, turns))),
    st.integers(30, 10_000).flatmap(lambda turns: st.tuples(st.just(turns), st.integers(0, turns))),
    st.integers(1, 100),
)
def test_one_that_does_no_worse_is_never_stopped_and_one_beyond_the_margin_always(
    canary: tuple[int, int], stable: tuple[int, int], margin: int
) -> None:
    tally = CanaryTally(VariantTally(canary[0], 0, canary[1]), VariantTally(stable[0], 0, stable[1]), 0)
    difference = 100 * (canary[1] / canary[0] - stable[1] / stable[0])
    if difference < margin - 1e-6:
        assert reason_to_stop(tally, margin) is None
    if difference > margin + 1e-6:
        assert reason_to_stop(tally, margin) == "handoffs"


def test_a_digest_is_of_every_value_and_not_of_their_order() -> None:
    said = CANARY.model_dump(mode="json", exclude_none=True)
    assert digest_of(said) == digest_of(dict(reversed(said.items())))
    tomorrow = (date(2026, 12, 15) + timedelta(days=1)).isoformat()
    others = {"percent": 51, "until": tomorrow, "instructions": "Sé breve!", "max_output_tokens": 201, "margin": 11}
    assert len({digest_of(said | {key: value}) for key, value in others.items()} | {digest_of(said)}) == 6
    assert digest_of(None) is digest_of({}) is None
