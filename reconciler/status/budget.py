"""How much of a client's budget is used up this month. Pure: of its manifest, the ledger and the tariffs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from reconciler.manifest import Fleet, Manifest
from runtime.store.activity_records import SpentRecord
from schemas.budgets import nanos_of
from schemas.default_tariffs import DEFAULT


@dataclass(frozen=True, slots=True)
class BudgetStatus:
    """A month's budget, in its currency."""

    month: str
    """`2026-11`, in UTC."""
    monthly: float
    currency: str
    spent: float
    percent: float
    """100: all of it."""
    on_exceeded: str
    unknown: int
    """Number of rows of the ledger without a known price, which are not in `spent`."""

    @property
    def is_silent(self) -> bool:
        """Whether the client gets no answers, since it is used up."""
        return self.on_exceeded == "pause" and self.percent >= 100


def budget_status(fleet: Fleet, manifest: Manifest, spent: SpentRecord | None) -> BudgetStatus | None:
    """The status of a client's budget; None where it has none, or the tariffs have no rate of its currency."""
    budget = manifest.client.budget
    now = datetime.now(UTC)
    agency = (fleet.tariffs.tariffs if fleet.tariffs is not None else DEFAULT).agency
    limit = nanos_of(budget, agency, now.date()) if budget is not None else None
    if budget is None or not limit:
        return None
    used = (spent.amount if spent is not None else 0) / limit
    unknown = spent.unknown if spent is not None else 0
    return BudgetStatus(
        now.strftime("%Y-%m"),
        budget.monthly,
        budget.currency,
        round(budget.monthly * used, 4),
        round(100 * used, 1),
        budget.on_exceeded,
        unknown,
    )


def budget_text(status: BudgetStatus) -> str:
    """`12.40 of 40.00 USD (31 %)`, with what is not counted."""
    text = f"{status.spent:,.2f} of {status.monthly:,.2f} {status.currency} ({status.percent:.0f} %) in {status.month}"
    return text + (f", without {status.unknown} rows whose price is not known" if status.unknown else "")
