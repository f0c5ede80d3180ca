"""What messages cost a client: our cost, with the agency's margin, in the agency's currency.

an answer = one message in and one out at Twilio + one call of the model
            + Meta's price, from the 1,001st of a number's month on
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import Final

from reconciler.errors import ReconcileError
from reconciler.proposals.subject import Subject
from schemas.money import exact, rate_on
from schemas.prices import Kind, price
from schemas.tariffs import NANOS, Agency, ExchangeRate, Tariffs

FREE_REPLIES: Final = 1000
"""Meta: replies that are delivered and free, of each number in each month."""
HISTORY_TOKENS, NEW_TOKENS, ANSWER_TOKENS = 1000, 500, 200
"""A typical turn: what was said before, read from the cache like the prompt; what is new; the answer."""


class UnknownPrice(ReconcileError):
    """A price without which a proposal would promise too little."""


@dataclass(frozen=True, slots=True)
class MessageCosts:
    """What an answer costs the client, in its currency, without tax."""

    free: Fraction
    """Of the first ones of a month."""
    beyond: Fraction
    """Of each one after them."""

    def of(self, messages: int) -> Fraction:
        """A month with this number of answers."""
        return self.free * min(messages, FREE_REPLIES) + self.beyond * max(0, messages - FREE_REPLIES)


def message_costs(subject: Subject, tariffs: Tariffs, at: datetime) -> MessageCosts:
    """What an answer costs at a time. Raises `UnknownPrice` where a price or the exchange rate is not known."""
    turn: tuple[tuple[Kind, int], ...] = (
        ("twilio_in", 1),
        ("twilio_out", 1),
        ("model_input", NEW_TOKENS),
        ("model_cached", subject.prompt_tokens + HISTORY_TOKENS),
        ("model_output", ANSWER_TOKENS),
    )
    own = _nano_usd(turn, subject, tariffs, at)
    meta = _nano_usd((("meta_service", 1),), subject, tariffs, at)
    agency = tariffs.agency
    rate = exchange_rate(agency, at)
    factor = (1 + exact(agency.margin_percent) / 100) * (exact(rate.per_usd) if rate else 1) / NANOS
    return MessageCosts(own * factor, (own + meta) * factor)


def exchange_rate(agency: Agency, at: datetime) -> ExchangeRate | None:
    """The rate that holds at a time; None where clients pay in dollars. Raises `UnknownPrice` without one."""
    if agency.currency == "USD":
        return None
    day = at.astimezone(UTC).date().isoformat()
    rate = rate_on(agency, day)
    if rate is None:
        raise UnknownPrice(
            f"No rate says what a dollar costs in {agency.currency} on {day}. Add a row to agency.exchange in the "
            "tariffs."
        )
    return rate


def _nano_usd(quantities: Iterable[tuple[Kind, int]], subject: Subject, tariffs: Tariffs, at: datetime) -> int:
    total = 0
    for kind, quantity in quantities:
        found = price(tariffs, kind, subject.country, at, subject.model)
        amount = found.amount(quantity)
        if amount is None:
            raise UnknownPrice(
                f"A proposal needs the price of {kind}, and there is {found.source}. Add a row to the tariffs; "
                "docs/tariffs.md shows one."
            )
        total += amount
    return total
