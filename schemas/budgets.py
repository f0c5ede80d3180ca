"""A budget in the unit that costs are counted in: the agency's currency by the rate of a day."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Final

from schemas.policy import Budget
from schemas.tariffs import NANOS, Agency

DOLLAR: Final = "USD"
EXCEEDED: Final = 100
"""Percent at which a budget is used up: a warning is sent there whatever `warn_at` names."""


def nanos_of(budget: Budget, agency: Agency, day: date) -> int | None:
    """10⁻⁹ USD of a month's budget; None where the tariffs have no rate of its currency for that day (UTC)."""
    rate = rate_of(budget.currency, agency, day)
    return None if rate is None else int(Decimal(repr(budget.monthly)) * NANOS / rate)


def rate_of(currency: str, agency: Agency, day: date) -> Decimal | None:
    """What a US dollar costs in a currency on a day; None where the tariffs do not have it."""
    if currency == DOLLAR:
        return Decimal(1)
    if currency != agency.currency:
        return None
    rates = [row for row in agency.exchange if row.since <= day.isoformat()]
    return Decimal(repr(max(rates, key=lambda row: row.since).per_usd)) if rates else None


def thresholds(budget: Budget) -> list[int]:
    """The percentages at which a warning is sent, each once, the lowest first."""
    return sorted({*budget.warn_at, EXCEEDED})
