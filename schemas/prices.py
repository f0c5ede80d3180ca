"""One question for whatever counts money: what does one of these cost, there, then?

    kind ──► meta_…, twilio_…   the tariffs' row of the country or direction, the last one whose date has come
         └─► model_…, …         the tariffs' row of the model, else the list price in the package genai-prices

What neither knows is `unknown`, and has no amount: never zero. Which messages are among Meta's free ones, and that an
ad makes them free, is for the caller, who counts them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from functools import lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, TypeVar, get_args

from schemas.tariffs import NANOS, Dated, MetaTariff, ModelTariff, Tariffs, TwilioTariff, nanos

if TYPE_CHECKING:
    from genai_prices.types import ModelPrice

MetaKind: TypeAlias = Literal["meta_service", "meta_utility", "meta_marketing", "meta_authentication"]
TwilioKind: TypeAlias = Literal["twilio_in", "twilio_out", "twilio_failed"]
ModelKind: TypeAlias = Literal[
    "model_input",
    "model_cached",
    "model_cache_write",
    "model_output",
    "transcription",
    "web_search",
    "file_search",
]
Kind: TypeAlias = Literal[MetaKind, TwilioKind, ModelKind]
Confidence: TypeAlias = Literal["exact", "list_price", "estimated", "unknown"]

MILLION: Final = 1_000_000
UNITS: Final[dict[ModelKind, int]] = {
    "model_input": MILLION,
    "model_cached": MILLION,
    "model_cache_write": MILLION,
    "model_output": MILLION,
    "transcription": 60_000,
    "web_search": 1,
    "file_search": 1,
}
"""How many of a kind a model's price is of: tokens, milliseconds, searches. `model_input` is what was neither read from
the cache nor written to it."""
_DECLARED: Final[dict[ModelKind, tuple[str, ...]]] = {
    "model_input": ("input",),
    "model_cached": ("cached", "input"),
    "model_cache_write": ("cache_write", "input"),
    "model_output": ("output",),
    "transcription": ("transcription",),
    "web_search": ("web_search",),
    "file_search": ("file_search",),
}
"""Where a row of the tariffs has it."""
_LISTED: Final[dict[ModelKind, tuple[tuple[str, ...], Fraction]]] = {
    "model_input": (("input_mtok",), Fraction(1)),
    "model_cached": (("cache_read_mtok", "input_mtok"), Fraction(1)),
    "model_cache_write": (("cache_write_mtok", "input_mtok"), Fraction(1)),
    "model_output": (("output_mtok",), Fraction(1)),
    "transcription": (("audio_hours",), Fraction(1, 60)),
    "web_search": (("web_searches_kcount",), Fraction(1, 1000)),
    "file_search": (("storage_searches_kcount",), Fraction(1, 1000)),
}
"""Where genai-prices has it, and how much of that is a unit of ours. A model without a price of its own for the cache
is charged input for it. The package itself prices a search, or audio, that a model has no price for at zero."""

OPENAI: Final = "openai"


@dataclass(frozen=True, slots=True)
class UnitPrice:
    """What one costs, and how much is known of that."""

    nano_usd: int | None
    """10⁻⁹ USD for `per` of them; None where no price is known."""
    per: int
    source: str
    since: str | None
    """The day from which the price holds; None of a list price, which is that of the package's release in `source`."""
    confidence: Confidence

    def amount(self, quantity: float) -> int | None:
        """10⁻⁹ USD of a quantity of messages, tokens, milliseconds or searches, rounded half to even; None where no
        price is known."""
        if self.nano_usd is None:
            return None
        # Of whole numbers: a Fraction takes ten times as long, and every message is priced several times.
        numerator, denominator = quantity.as_integer_ratio()
        denominator *= self.per
        whole, rest = divmod(numerator * self.nano_usd, denominator)
        return whole + (2 * rest + whole % 2 > denominator)


def price(
    tariffs: Tariffs, kind: Kind, country: str | None = None, at: datetime | None = None, model: str | None = None
) -> UnitPrice:
    """The price of a kind at a time (now without one): of Meta's kinds for the recipient's `country`, of a model's
    kinds for the `model`.

    The first call about a model takes seconds, since it imports the list of prices; make it in a thread.
    """
    moment = at or datetime.now(UTC)
    group, _, detail = kind.partition("_")
    if kind in get_args(MetaKind):
        rows = [row for row in tariffs.meta if row.country == country and row.category == detail]
        return _of_message(_latest(rows, moment), f"no tariff of Meta for {country or 'an unknown country'}")
    if kind in get_args(TwilioKind):
        return _of_message(
            _latest([row for row in tariffs.twilio if row.direction == detail], moment), f"no tariff of {group.title()}"
        )
    return _of_model(tariffs, _model_kind(kind), model, moment)


RowOfTariffs = TypeVar("RowOfTariffs", bound=Dated)


def _latest(rows: Iterable[RowOfTariffs], at: datetime) -> RowOfTariffs | None:
    """The row that holds at a time: the last one that has begun."""
    day = at.astimezone(UTC).date().isoformat()
    return max((row for row in rows if row.since <= day), key=lambda row: row.since, default=None)


def _of_message(row: MetaTariff | TwilioTariff | None, missing: str) -> UnitPrice:
    if row is None:
        return UnitPrice(None, 1, missing, None, "unknown")
    return UnitPrice(nanos(row.usd), 1, row.source or "tariffs.yaml", row.since, row.confidence)


def _model_kind(kind: Kind) -> ModelKind:
    for known in UNITS:
        if known == kind:
            return known
    raise ValueError(f"{kind!r} is not a kind of usage.")


def _of_model(tariffs: Tariffs, kind: ModelKind, model: str | None, at: datetime) -> UnitPrice:
    row = _latest([row for row in tariffs.models if row.model == model], at)
    if row is not None and (usd := _declared(row, kind)) is not None:
        return UnitPrice(nanos(usd), UNITS[kind], row.source or "tariffs.yaml", row.since, row.confidence)
    listed = _listed(kind, model, at.astimezone(UTC)) if model else None
    if listed is None:
        return UnitPrice(None, UNITS[kind], f"no price of {kind} for {model or 'an unknown model'}", None, "unknown")
    return UnitPrice(listed, UNITS[kind], f"genai-prices {_release()}", None, "list_price")


def _declared(row: ModelTariff, kind: ModelKind) -> float | None:
    return next((usd for name in _DECLARED[kind] if (usd := getattr(row, name)) is not None), None)


def _listed(kind: ModelKind, model: str, at: datetime) -> int | None:
    listed = _model_price(model, at.replace(hour=0, minute=0, second=0, microsecond=0))
    if listed is None:
        return None
    names, share = _LISTED[kind]
    for name in names:
        found = getattr(listed, name)
        if found is not None:
            # Tiers are for requests of hundreds of thousands of tokens: a turn's memory is bounded far below them.
            return round(Fraction(getattr(found, "base", found)) * share * NANOS)
    return None


def import_model_prices() -> None:
    """Imports the list of models' prices and reads it, which takes part of a second."""
    _model_price("", datetime.now(UTC))


@lru_cache(512)
def _model_price(model: str, day: datetime) -> ModelPrice | None:
    from genai_prices import Usage, calc_price

    _keep_openai_only()
    try:
        return calc_price(Usage(input_tokens=0), model, provider_id=OPENAI, genai_request_timestamp=day).model_price
    except LookupError:
        return None


@lru_cache(1)
def _keep_openai_only() -> None:
    """Drops the models of 46 other providers, which nothing asks for: a service would hold 4 MB of them for ever."""
    from genai_prices.data import providers

    providers[:] = [provider for provider in providers if provider.id == OPENAI]


@lru_cache(1)
def _release() -> str:
    return version("genai-prices")
