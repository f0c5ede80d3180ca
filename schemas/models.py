"""OpenAI's models as far as a manifest depends on them: what they can do, how they think, and when they end.

One table, for whatever has to know before the provider says so. A name that is not in it (a later model, another
provider's) is not an error: nothing is known of it here. On a date, `GET /v1/models` has the newer word, and the
installation's file of models (`schemas.model_overrides`) the last one.

Sources: dates from the docstring of `ChatModel` in OpenAI's SDK 3.54; efforts from its API reference ("all models
before gpt-5.1 default to medium reasoning effort, and do not support none") and from the provider's refusals;
successors from its deprecations page as copied in October and November 2026, where it names one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Final, Literal, NamedTuple, TypeAlias

Effort: TypeAlias = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]

_MANIFEST_TOOLS: Final = frozenset({"function", "file_search", "web_search", "mcp"})
_SNAPSHOT = re.compile(r"-20[0-9]{2}-[01][0-9]-[0-3][0-9]")
"""What a dated release of a model has after its name."""
NOTICE_DAYS: Final = (90, 30, 7)
"""Days before a model's end at which people are warned of it, each once; and on the day itself."""


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


class ModelEnd(NamedTuple):
    """When a model is shut down."""

    model: str
    on: date
    days: int
    """From today on; 0 or less once it is."""
    successor: str | None

    @property
    def notice(self) -> int | None:
        """Which warning is due: 90, 30 or 7 days before it, 0 from the day on; None before all of them."""
        return 0 if self.days <= 0 else min((days for days in NOTICE_DAYS if self.days <= days), default=None)

    @property
    def text(self) -> str:
        """What is said of the model: `is shut down on 2027-01-14, in 46 days`."""
        if self.days <= 0:
            return f"was shut down on {self.on}"
        return f"is shut down on {self.on}, in {self.days} day{'s' if self.days > 1 else ''}"


def facts_of(model: str) -> ModelFacts | None:
    """What is known of a model, by its name or that of a dated release; None for one that is not known here."""
    base = _SNAPSHOT.sub("", model)
    return _installation.get(model) or MODELS.get(model) or _installation.get(base) or MODELS.get(base)


def end_of(model: str, today: date, listed: Mapping[str, date | None] | None = None) -> ModelEnd | None:
    """When a model is shut down; None where no date is known. `listed`: the dates of `GET /v1/models`, where it was
    read; a model without a date there has none announced."""
    facts = facts_of(model)
    ends = facts.ends if facts is not None else None
    if listed is not None and model in listed and model not in _dated_here:
        ends = listed[model]
    if ends is None:
        return None
    return ModelEnd(model, ends, (ends - today).days, facts.successor if facts is not None else None)


def end_finding(client: str, model: str) -> str:
    """The key in the store of a notice that a client's model ends."""
    return f"{client}/model/{model}"


def gone_finding(client: str, model: str) -> str:
    """The key in the store of a notice that a client's model is not available any more."""
    return f"{client}/model-gone/{model}"


def nearest_models(name: str, listed: Iterable[str] = (), count: int = 3, cutoff: float = 0.6) -> list[str]:
    """The names most like one that is not known, the nearest first: among those that are `listed`, or all known here
    that are not shut down. `cutoff`: how like it they must be; 1 is the same."""
    import difflib  # for a mistake only

    today = date.today()
    known = [model for model, facts in known_models().items() if facts.ends is None or facts.ends > today]
    return difflib.get_close_matches(name, list(listed) or known, n=count, cutoff=cutoff)


def known_models() -> Mapping[str, ModelFacts]:
    """Every model that is known here, those of the installation's file included."""
    return {**MODELS, **_installation}


def use_models(rows: Mapping[str, ModelFacts], dated: Iterable[str] = ()) -> None:
    """Puts rows of the installation's file over the table, in this process. `dated`: those whose date it gives."""
    _installation.clear()
    _installation.update(rows)
    _dated_here.clear()
    _dated_here.update(dated)


_installation: Final[dict[str, ModelFacts]] = {}
_dated_here: Final[set[str]] = set()


_THINKS_OR_NOT: Final[tuple[Effort, ...]] = ("none", "low", "medium", "high", "xhigh")

_SIX = ModelFacts()
_LATER_FIVE = ModelFacts(efforts=_THINKS_OR_NOT)
_FIVE = ModelFacts(efforts=("minimal", "low", "medium", "high"), context=400_000, ends=date(2026, 12, 11))
_O = ModelFacts(efforts=("low", "medium", "high"), context=200_000, ends=date(2026, 10, 23), successor="gpt-5.6-sol")
_FOUR = ModelFacts(efforts=(), context=128_000, ends=date(2027, 1, 14), successor="gpt-6-luna")
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
    "gpt-5": replace(_FIVE, successor="gpt-6.1-sol"),
    "gpt-5-mini": replace(_FIVE, successor="gpt-6.1-terra"),
    "gpt-5-nano": replace(_FIVE, successor="gpt-6-luna"),
    "gpt-4.1": replace(_FOUR, context=1_047_576),
    "gpt-4.1-mini": replace(_FOUR, context=1_047_576),
    "gpt-4.1-nano": replace(
        _FOUR,
        context=1_047_576,
        tools=_MANIFEST_TOOLS - {"web_search"},
        ends=date(2026, 10, 23),
        successor="gpt-5.6-luna",
    ),
    "gpt-4o": _FOUR,
    "gpt-4o-mini": _FOUR,
    "o3": replace(_O, ends=date(2026, 12, 11)),
    "o4-mini": replace(_O, successor="gpt-5.6-terra"),
    "o3-mini": replace(_O, images=False),
    "o1": _O,
    "gpt-4-turbo": replace(_FOUR, ends=date(2026, 10, 23), successor="gpt-5.6-sol"),
    "gpt-4": replace(_WORDS_ONLY, successor="gpt-5.6-sol"),
    "gpt-3.5-turbo": replace(_WORDS_ONLY, successor="gpt-5.6-terra"),
}
