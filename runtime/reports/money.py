"""What a month costs a client, in the agency's currency, and what the agency earns with it.

    a client's amount = our cost x (1 + margin) x the dollar's rate on the month's last day      + the monthly fee

`Bill` is what a client may see: nothing in it tells the margin, or the cost, apart from their product. `Earnings` is
for the agency. Amounts are exact; they are rounded when they are shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal, TypeAlias

from runtime.errors import OperatorError
from runtime.reports.figures import Figures
from runtime.reports.month import Month
from runtime.store.usage.reporting import UsageTotal
from schemas.money import exact, rate_on
from schemas.prices import Confidence, Kind
from schemas.tariffs import NANOS, Agency, ExchangeRate

Group: TypeAlias = Literal[
    "model",
    "transcription",
    "web_search",
    "file_search",
    "twilio_in",
    "twilio_out",
    "twilio_failed",
    "meta_service",
    "meta_utility",
    "meta_marketing",
    "meta_authentication",
]
GROUPS: Final[Mapping[Group, tuple[Kind, ...]]] = {
    "model": ("model_input", "model_cached", "model_cache_write", "model_output"),
    "transcription": ("transcription",),
    "web_search": ("web_search",),
    "file_search": ("file_search",),
    "twilio_in": ("twilio_in",),
    "twilio_out": ("twilio_out",),
    "twilio_failed": ("twilio_failed",),
    "meta_service": ("meta_service",),
    "meta_utility": ("meta_utility",),
    "meta_marketing": ("meta_marketing",),
    "meta_authentication": ("meta_authentication",),
}
"""Kinds of usage that are one line of a bill, in their order."""


class NoRate(OperatorError):
    """Nothing says what a dollar costs in the agency's currency."""


@dataclass(frozen=True, slots=True)
class BillLine:
    """One sort of usage."""

    group: Group
    quantity: int
    """Messages, tokens, searches; of audio milliseconds."""
    amount: Fraction | None
    """Of all that has a known price; None where nothing of it has."""
    before: Fraction | None
    """The amount of the month before; None where it is not known."""
    unpriced: int
    """How many of `quantity` have no known price."""


@dataclass(frozen=True, slots=True)
class SpentBudget:
    """What a client wants to spend on messages, and how much of it is spent."""

    limit: Fraction
    share: Fraction
    """1 is all of it."""


@dataclass(frozen=True, slots=True)
class Bill:
    """A client's month, in the agency's currency."""

    currency: str
    rate: ExchangeRate | None
    """What a dollar costs; None where clients pay in dollars."""
    lines: Sequence[BillLine]
    usage: Fraction
    """The sum of the lines."""
    monthly: Fraction | None
    """The monthly fee; None without one."""
    net: Fraction
    net_before: Fraction | None
    vat_percent: Fraction | None
    """None where no tax is shown."""
    vat: Fraction
    is_taxed: bool
    """Whether the tariffs name a tax, shown or not."""
    shares: Mapping[Confidence, Fraction]
    """How much of `usage` is known how well; {} without usage that has a price."""
    budget: SpentBudget | None

    @property
    def total(self) -> Fraction:
        """With tax, where that is shown."""
        return self.net + self.vat


@dataclass(frozen=True, slots=True)
class Earnings:
    """What the agency has of a client in a month. Never for the client."""

    client: str
    name: str
    messages: int
    """In and out."""
    cost: Fraction
    """What its messages cost the agency, in its currency."""
    revenue: Fraction
    """What the client pays, without tax."""
    unpriced: bool
    """Whether a part of the cost is not known."""

    @property
    def margin(self) -> Fraction:
        """What is left."""
        return self.revenue - self.cost


def bill(figures: Figures, agency: Agency, *, with_vat: bool) -> Bill:
    """A client's bill. Raises `NoRate`."""
    rate = rate_for(agency, figures.month)
    factor = _factor(agency, rate)
    before = _factor_before(figures, agency)
    lines = [line for group in GROUPS if (line := _line(group, figures, factor, before)) is not None]
    usage = sum((line.amount for line in lines if line.amount is not None), Fraction(0))
    monthly = None if agency.fees.monthly is None else exact(agency.fees.monthly)
    net = usage + (monthly or 0)
    percent = exact(agency.vat_percent) if with_vat and agency.vat_percent is not None else None
    return Bill(
        currency=agency.currency,
        rate=rate,
        lines=lines,
        usage=usage,
        monthly=monthly,
        net=net,
        net_before=None if before is None else _cost(figures.usage_before) * before + (monthly or 0),
        vat_percent=percent,
        vat=net * (percent or 0) / 100,
        is_taxed=agency.vat_percent is not None,
        shares=_shares(figures.usage),
        budget=_budget(figures, agency, factor, usage),
    )


def earnings(figures: Figures, agency: Agency) -> Earnings:
    """What the agency has of a client. Raises `NoRate`."""
    rate = rate_for(agency, figures.month)
    return Earnings(
        client=figures.client,
        name=figures.name,
        messages=figures.traffic.received + messages_out(figures.usage),
        cost=_cost(figures.usage) * _per_nano(rate),
        revenue=bill(figures, agency, with_vat=False).net,
        unpriced=any(total.amount is None for total in figures.usage),
    )


def messages_out(usage: Sequence[UsageTotal]) -> int:
    """How many messages were sent."""
    return sum(total.quantity for total in usage if total.kind in ("twilio_out", "twilio_failed"))


def rate_for(agency: Agency, month: Month) -> ExchangeRate | None:
    """The rate on a month's last day; None where clients pay in dollars. Raises `NoRate`."""
    if agency.currency == "USD":
        return None
    rate = rate_on(agency, month.last.isoformat())
    if rate is None:
        raise NoRate(
            f"No rate says what a dollar costs in {agency.currency} on {month.last}. Add a row to agency.exchange in "
            "tariffs.yaml and apply it with `reconcile`."
        )
    return rate


def _factor_before(figures: Figures, agency: Agency) -> Fraction | None:
    """The factor of the month before; None where nothing is known of it, or of the dollar then."""
    if not figures.usage_before:
        return None
    try:
        return _factor(agency, rate_for(agency, figures.month.before))
    except NoRate:
        return None


def _per_nano(rate: ExchangeRate | None) -> Fraction:
    """What 10⁻⁹ USD are in the agency's currency."""
    return (exact(rate.per_usd) if rate else Fraction(1)) / NANOS


def _factor(agency: Agency, rate: ExchangeRate | None) -> Fraction:
    """What a client pays for 10⁻⁹ USD of our cost."""
    return (1 + exact(agency.margin_percent) / 100) * _per_nano(rate)


def _cost(usage: Sequence[UsageTotal]) -> int:
    return sum(total.amount or 0 for total in usage)


def _line(group: Group, figures: Figures, factor: Fraction, before: Fraction | None) -> BillLine | None:
    """A line of the bill; None where there was nothing of it in either month."""
    mine = [total for total in figures.usage if total.kind in GROUPS[group]]
    earlier = [total for total in figures.usage_before if total.kind in GROUPS[group]]
    if not mine and not (earlier and before is not None):
        return None
    return BillLine(
        group=group,
        quantity=sum(total.quantity for total in mine),
        amount=_amount(mine, factor),
        before=None if before is None else _amount(earlier, before),
        unpriced=sum(total.quantity for total in mine if total.amount is None),
    )


def _amount(totals: Sequence[UsageTotal], factor: Fraction) -> Fraction | None:
    is_known = not totals or any(total.amount is not None for total in totals)
    return _cost(totals) * factor if is_known else None


def _shares(usage: Sequence[UsageTotal]) -> dict[Confidence, Fraction]:
    whole = _cost(usage)
    sums: dict[Confidence, int] = {"exact": 0, "list_price": 0, "estimated": 0}
    for total in usage:
        if total.amount:
            sums[total.confidence] = sums.get(total.confidence, 0) + total.amount
    return {confidence: Fraction(amount, whole) for confidence, amount in sums.items() if amount} if whole else {}


def _budget(figures: Figures, agency: Agency, factor: Fraction, usage: Fraction) -> SpentBudget | None:
    """The policy's budget, which is for messages at our cost, as the client pays for them: the same share is spent."""
    budget = figures.budget
    if budget is None:
        return None
    if budget.currency == "USD":
        limit = exact(budget.monthly) * NANOS * factor
    elif budget.currency == agency.currency:
        limit = exact(budget.monthly) * (1 + exact(agency.margin_percent) / 100)
    else:
        return None
    return SpentBudget(limit, usage / limit)
