"""Prices that rows of the ledger refer to, each written once and never changed: history stays as it was charged.
Functions over a connection."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from sqlalchemy import Connection

from runtime.store.codec import dump_json
from runtime.store.database.statement import Statement
from schemas.prices import Confidence, Kind, UnitPrice

CURRENCY = "USD"

PUT = Statement(
    "INSERT INTO usage_prices (id, kind, model, country, nano_usd, per, currency, source, since, confidence)"
    " VALUES (:id, :kind, :model, :country, :nano_usd, :per, :currency, :source, :since, :confidence)"
    " ON CONFLICT (id) DO NOTHING"
)


@dataclass(frozen=True)
class Price:
    """What one of a kind costs, with all that decided it."""

    kind: Kind
    model: str | None
    country: str | None
    """Of the recipient."""
    unit: UnitPrice

    @cached_property
    def id(self) -> int:
        """Its key, which is the same in every process: 63 bits of a hash over all fields."""
        unit = self.unit
        fields = [self.kind, self.model, self.country, unit.nano_usd, unit.per, CURRENCY]
        fields += [unit.source, unit.since, unit.confidence]
        return int.from_bytes(hashlib.sha256(dump_json(fields).encode()).digest()[:8], "big") >> 1

    def amount(self, quantity: int) -> int | None:
        """10⁻⁹ USD of a quantity; None where no price is known."""
        return self.unit.amount(quantity)


def free(kind: Kind, country: str | None, source: str, confidence: Confidence = "list_price") -> Price:
    """The price of what costs nothing, for a reason."""
    return Price(kind, None, country, UnitPrice(0, 1, source, None, confidence))


def put_prices(connection: Connection, prices: Sequence[Price]) -> None:
    """Stores prices; those that are there already stay."""
    PUT.each(
        connection,
        [
            {
                "id": price.id,
                "kind": price.kind,
                "model": price.model,
                "country": price.country,
                "nano_usd": price.unit.nano_usd,
                "per": price.unit.per,
                "currency": CURRENCY,
                "source": price.unit.source,
                "since": price.unit.since,
                "confidence": price.unit.confidence,
            }
            for price in prices
        ],
    )
