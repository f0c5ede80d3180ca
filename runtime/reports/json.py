"""A report as JSON, for other programs: keys in English, amounts as exact decimals in the agency's currency."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

from runtime.reports.figures import Figures
from runtime.reports.money import Bill, messages_out
from runtime.reports.variants import variants_json
from schemas.money import places_of

FORMAT_VERSION = 1
MORE_PLACES = 4
"""Decimals of an amount beyond those of its currency: lines of a bill are fractions of a coin."""


def report_json(figures: Figures, bill: Bill) -> str:
    """The whole report; see docs/cli.md for its keys."""
    return json.dumps(_report(figures, bill), ensure_ascii=False, indent=2) + "\n"


def _report(figures: Figures, bill: Bill) -> dict[str, Any]:
    traffic = figures.traffic
    return {
        "format_version": FORMAT_VERSION,
        "client": figures.client,
        "name": figures.name,
        "month": str(figures.month),
        "timezone": figures.zone,
        "made_at": figures.made_at.isoformat(timespec="seconds"),
        "is_over": figures.is_over,
        "conversations": traffic.conversations,
        "people": traffic.people,
        "messages": {
            "received": traffic.received,
            "sent": messages_out(figures.usage),
            "undelivered": traffic.undelivered,
            "undelivered_codes": dict(traffic.undelivered_codes),
            "free_at_meta": figures.free_used,
            "at_the_border": traffic.at_the_border,
            "counted_since": figures.messages_since,
        },
        "seconds_to_answer": {"median": traffic.half_within, "p90": traffic.most_within},
        "outcomes": {
            "answered": traffic.answered,
            "unanswered": dict(traffic.unanswered),
            "failed": traffic.failed,
            "waiting": traffic.waiting,
        },
        "hours": [list(hours) for hours in traffic.hours],
        "days": list(traffic.days),
        "documents": dict(traffic.documents),
        "functions": dict(traffic.functions),
        "variants": variants_json(figures.variants),
        "costs": _costs(bill),
    }


def _costs(bill: Bill) -> dict[str, Any]:
    def amount(value: Fraction | None) -> str | None:
        return None if value is None else amount_text(value, bill.currency)

    return {
        "currency": bill.currency,
        "lines": [
            {
                "kind": line.group,
                "quantity": line.quantity,
                "amount": amount(line.amount),
                "month_before": amount(line.before),
                "unpriced": line.unpriced,
            }
            for line in bill.lines
        ],
        "monthly_fee": amount(bill.monthly),
        "net": amount(bill.net),
        "net_month_before": amount(bill.net_before),
        "vat_percent": None if bill.vat_percent is None else float(bill.vat_percent),
        "vat": None if bill.vat_percent is None else amount(bill.vat),
        "total": amount(bill.total),
        "exchange_rate": None if bill.rate is None else {"per_usd": bill.rate.per_usd, "since": bill.rate.since},
        "shares": {name: round(float(share), 4) for name, share in bill.shares.items()},
        "budget": None
        if bill.budget is None
        else {"amount": amount(bill.budget.limit), "used": round(float(bill.budget.share), 4)},
    }


def amount_text(amount: Fraction, currency: str) -> str:
    """`118750.1250`: a decimal for programs."""
    places = places_of(currency) + MORE_PLACES
    scaled = round(amount * 10**places)
    whole, rest = divmod(abs(scaled), 10**places)
    return f"{'-' if scaled < 0 else ''}{whole}.{rest:0{places}}"
