"""Money of the agency: exact until it is shown, and how it is written for people."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Final, Literal, TypeAlias

from schemas.tariffs import Agency, ExchangeRate

Language: TypeAlias = Literal["es", "en"]

SYMBOLS: Final = {"USD": "US$", "CLP": "$"}
"""How a currency is written in Spanish where that is not its code."""
WHOLE: Final = frozenset("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split())  # noqa: SIM905
"""Currencies without smaller coins, by ISO 4217."""


def exact(number: float) -> Fraction:
    """A number of the tariffs as it is written there."""
    return Fraction(Decimal(repr(number)))


def rate_on(agency: Agency, day: str) -> ExchangeRate | None:
    """The rate that holds on a day (`2026-11-29`); None where none has begun."""
    return max((rate for rate in agency.exchange if rate.since <= day), key=lambda rate: rate.since, default=None)


def places_of(currency: str) -> int:
    """With how many decimals amounts of a currency are written."""
    return 0 if currency in WHOLE else 2


def money_text(amount: Fraction, currency: str, decimals: int | None = None, language: Language = "es") -> str:
    """`$ 118.750`, `US$ 12,50`, in English `CLP 118,750`, `US$ 12.50`: rounded here, and nowhere before."""
    symbol = SYMBOLS.get(currency, currency)
    if language == "en" and currency != "USD":
        symbol = currency  # `$` alone reads as dollars
    return f"{symbol} {decimal_text(amount, places_of(currency) if decimals is None else decimals, language)}"


def decimal_text(amount: Fraction, places: int, language: Language = "es") -> str:
    """A number with that many decimals and the language's marks: `12.000,5` in Spanish, `12,000.5` in English."""
    scaled = round(amount * 10**places)
    whole, rest = divmod(abs(scaled), 10**places)
    thousands, point = (".", ",") if language == "es" else (",", ".")
    fraction = f"{point}{rest:0{places}}" if places else ""
    return f"{'−' if scaled < 0 else ''}{whole:,}".replace(",", thousands) + fraction
