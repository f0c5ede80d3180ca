"""OpenAI's models as far as a manifest depends on them: what they can do, how they think, and when they end.

One table, for whatever has to know before the provider says so. A name that is not in it (a later model, another
provider's) is not an error: nothing is known of it here. `GET /v1/models` has the newer word on a date.

Sources: dates from the docstring of `ChatModel` in OpenAI's SDK 3.54; efforts from its API reference ("all models
before gpt-5.1 default to medium reasoning effort, and do not support none") and from the provider's refusals.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Final, Literal, TypeAlias

Effort: TypeAlias = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]

_MANIFEST_TOOLS: Final = frozenset({"function", "file_search", "web_search"})
_SNAPSHOT = re.compile(r"-20[0-9]{2}-[01][0-9]-[0-3][0-9]")
"""What a dated release of a model has after its name."""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """One model."""

    efforts: tuple[Effort, ...] | None = None
    """How long it can be asked to think; () for one that does not think, None where it is not known."""
    context: int | None = None
    """Tokens of input and answer together, at most; None where it is not known."""
    images: bool = True
    files: bool = True
    """Whether it reads PDF documents."""
    tools: frozenset[str] = _MANIFEST_TOOLS
    """Types of tools, as a manifest has them."""
    ends: date | None = None
    """When it is shut down; None where that is not announced."""
    successor: str | None = None
    """OpenAI's recommendation."""

    @property
    def always_thinks(self) -> bool:
        """Whether it thinks before every answer: its thoughts count as output."""
        return bool(self.efforts) and "none" not in (self.efforts or ())


def facts_of(model: str) -> ModelFacts | None:
    """What is known of a model, by its name or that of a dated release; None for one that is not known here."""
    return MODELS.get(model) or MODELS.get(_SNAPSHOT.sub("", model))


_THINKS_OR_NOT: Final[tuple[Effort, ...]] = ("none", "low", "medium", "high", "xhigh")

_SIX = ModelFacts()
_LATER_FIVE = ModelFacts(efforts=_THINKS_OR_NOT)
_FIVE = ModelFacts(efforts=("minimal", "low", "medium", "high"), context=400_000, ends=date(2026, 12, 11))
_O = ModelFacts(efforts=("low", "medium", "high"), context=200_000, ends=date(2026, 10, 23))
_FOUR = ModelFacts(efforts=(), context=128_000, ends=date(2027, 1, 14))
_WORDS_ONLY = ModelFacts(efforts=(), images=False, files=False, ends=date(2026, 10, 23))

MODELS: Final[Mapping[str, ModelFacts]] = {
    "gpt-6.2-astra": _SIX,
    "gpt-6.2-sol": _SIX,
    "gpt-6.1-sol": _SIX,
    "gpt-6.1-terra": _SIX,
    "gpt-6-astra": _SIX,
    "gpt-6-sol": _SIX,
    "gpt-6-luna": ModelFacts(efforts=("none", "minimal", "low", "medium", "high", "xhigh", "max"), context=1_050_000),
    "gpt-5.6-sol": _SIX,
    "gpt-5.6-terra": _SIX,
    "gpt-5.6-luna": _SIX,
    "gpt-5.5": _LATER_FIVE,
    "gpt-5.4": _LATER_FIVE,
    "gpt-5.4-mini": _LATER_FIVE,
    "gpt-5.4-nano": replace(_LATER_FIVE, ends=date(2027, 4, 1)),
    "gpt-5.2": _LATER_FIVE,
    "gpt-5.1": ModelFacts(efforts=("none", "low", "medium", "high"), context=400_000, ends=date(2027, 4, 1)),
    "gpt-5": _FIVE,
    "gpt-5-mini": _FIVE,
    "gpt-5-nano": _FIVE,
    "gpt-4.1": replace(_FOUR, context=1_047_576),
    "gpt-4.1-mini": replace(_FOUR, context=1_047_576),
    "gpt-4.1-nano": replace(_FOUR, context=1_047_576, tools=_MANIFEST_TOOLS - {"web_search"}, ends=date(2026, 10, 23)),
    "gpt-4o": _FOUR,
    "gpt-4o-mini": replace(_FOUR, successor="gpt-6-luna"),
    "o3": replace(_O, ends=date(2026, 12, 11)),
    "o4-mini": _O,
    "o3-mini": replace(_O, images=False),
    "o1": _O,
    "gpt-4-turbo": replace(_FOUR, ends=date(2026, 10, 23)),
    "gpt-4": _WORDS_ONLY,
    "gpt-3.5-turbo": _WORDS_ONLY,
}
