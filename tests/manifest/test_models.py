"""What a manifest asks of a model that it cannot do, and models that are shut down."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import openai.types.shared.chat_model as listed
import pytest

from reconciler.manifest.checks import model_violations
from schemas.models import MODELS, facts_of

TODAY = date(2026, 6, 1)
THINKS = "thinks before each answer, which may take all of"


def found(today: date = TODAY, **assistant: Any) -> list[tuple[str, str, str]]:
    """Severity, key and message of each violation."""
    values = {"assistant": {"instructions": "Atiende.", **assistant}}
    return [
        (violation.severity, ".".join(map(str, violation.loc[1:])), violation.message.partition(": ")[2])
        for violation in model_violations(values, today)
    ]


@pytest.mark.parametrize("model", ["gpt-6-luna", "gpt-6.2-sol", "gpt-5.5", "llama3", "gpt-9", 7, None])
def test_a_model_that_can_or_is_not_known_has_no_violation(model: Any) -> None:
    assert found(model=model, tools=[{"type": "web_search"}], reasoning_effort="high") == []


@pytest.mark.parametrize(
    ("assistant", "said"),
    [
        (
            {"model": "gpt-5-mini"},
            [
                ("error", "model", 'gpt-5-mini has no reasoning_effort "none", which is the default here'),
                ("warning", "model", f"gpt-5-mini {THINKS} 800 max_output_tokens"),
            ],
        ),
        (
            {"model": "gpt-5-2025-08-07", "reasoning_effort": "xhigh", "max_output_tokens": 2000},
            [("error", "reasoning_effort", 'gpt-5-2025-08-07 has no reasoning_effort "xhigh"')],
        ),
        (
            {"model": "gpt-5", "reasoning_effort": "minimal", "max_output_tokens": 1999},
            [
                ("warning", "max_output_tokens",
                 f"gpt-5 {THINKS} 1999 max_output_tokens"),
            ],
        ),
        ({"model": "gpt-5", "reasoning_effort": "minimal", "max_output_tokens": 2000}, []),
        ({"model": "gpt-4o-mini"}, []),
        ({"model": "gpt-4o-mini", "reasoning_effort": "low"},
         [("error", "reasoning_effort", "gpt-4o-mini does not think")]),
        ({"model": "gpt-5.1", "reasoning_effort": "minimal"},
         [("error", "reasoning_effort", 'gpt-5.1 has no reasoning_effort "minimal"')]),
        ({"model": "gpt-4.1-nano", "tools": [{"type": "function"}, {"type": "web_search"}]},
         [("error", "tools.1.type", "gpt-4.1-nano cannot use web_search")]),
    ],
)  # fmt: skip
def test_what_a_model_cannot_do_is_named_where_it_is_asked(assistant: Any, said: list[tuple[str, str, str]]) -> None:
    assert found(**assistant) == said


@pytest.mark.parametrize(
    ("today", "said"),
    [
        (date(2026, 10, 15), []),
        (date(2026, 10, 16), [("warning", "model", "OpenAI's gpt-4o-mini is shut down on 2027-01-14, in 90 days")]),
        (date(2027, 1, 13), [("warning", "model", "OpenAI's gpt-4o-mini is shut down on 2027-01-14, in 1 day")]),
        (date(2027, 1, 14), [("warning", "model", "OpenAI's gpt-4o-mini was shut down on 2027-01-14")]),
    ],
)
def test_a_shutdown_is_warned_of_three_months_before_and_never_an_error(today: date, said: list[Any]) -> None:
    assert found(today, model="gpt-4o-mini") == said


def test_the_dates_are_those_of_the_sdk() -> None:
    text = " ".join(Path(listed.__file__).read_text().partition('"""')[2].split())
    for model, facts in MODELS.items():
        entries = [entry for entry in text.split(' - "') if f'"{model}"' in f'"{entry}']
        dated = [entry.partition("Announced shutdown date: ")[2][:10] for entry in entries]
        assert dated == ([facts.ends.isoformat()] if facts.ends else []), model


def test_a_dated_release_is_its_model() -> None:
    assert facts_of("gpt-4o-mini-2024-07-18") is facts_of("gpt-4o-mini")
    assert facts_of("gpt-4o-mini-2024") is None


def test_every_model_with_a_successor_leads_to_one_that_lasts() -> None:
    for model, facts in MODELS.items():
        if facts.successor is not None:
            following = facts_of(facts.successor)
            assert following is not None, model
            assert following.ends is None, model
