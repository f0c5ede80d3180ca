"""The block `assistant.canary` of a manifest: another assistant, which some of a client's people get until a day.

    manifest ──► CanaryRules + the text of its instructions ──► StoredCanary ──► the key `canary` of a bot's policy

What the block does not name is the assistant's own.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from schemas.strict import Strict

MARGIN: Final = 10
VARIED: Final = ("instructions", "model", "reasoning_effort", "max_output_tokens")
"""What a canary may have of its own."""
ModelId = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Prompt = Annotated[str, StringConstraints(min_length=1, max_length=262_144)]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
Variant = Literal["stable", "canary"]


def _is_day(text: str) -> str:
    try:
        date.fromisoformat(text)
    except ValueError:
        raise PydanticCustomError("calendar_date", "is not a date") from None
    return text


Day = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}$"), AfterValidator(_is_day)]


def digest_of(canary: Mapping[str, Any] | None) -> str | None:
    """By which two canaries of bots' rows are the same; None without one."""
    if not canary:
        return None
    return hashlib.sha256(json.dumps(canary, sort_keys=True).encode()).hexdigest()[:16]


class CanaryRules(Strict):
    """Who gets a canary, how long, when it is stopped, and what it has of its own beside instructions."""

    percent: int = Field(
        ge=1,
        le=99,
        description=(
            "Percent of the client's conversations that it answers. A conversation is always answered by the same of "
            "the two, also when this number grows."
        ),
        examples=[10],
    )
    until: Day = Field(
        description="The last day on which it answers, in the client's time zone; the assistant does afterwards.",
        examples=["2026-12-15"],
    )
    margin: int = Field(
        default=MARGIN,
        ge=1,
        le=100,
        description=(
            "Percentage points by which its share of failed turns, or of handoffs to people, may exceed the "
            f"assistant's; {MARGIN} without it. Beyond it, from 30 turns of each on, the runtime stops it; also after "
            "3 failed turns among its last 30."
        ),
        examples=[10],
    )
    model: ModelId | None = Field(
        default=None, description="The model that it answers with.", examples=["gpt-5.6-luna"]
    )
    reasoning_effort: Effort | None = Field(
        default=None, description="How long that model may think before it answers.", examples=["low"]
    )
    max_output_tokens: int | None = Field(
        default=None,
        ge=16,
        le=128_000,
        description="Upper bound of an answer's length, in tokens.",
        examples=[800],
    )
