"""The figures of one client's month, read from the store in one transaction, into frozen values. No money of the
agency's and no words.

Messages are those of the month in the client's zone; the ledger's months are in UTC. How many messages lie between the
two borders is one of the figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from runtime.reports.month import Month
from runtime.store.activity_records import VariantRecord
from runtime.store.usage.reporting import ReportReader, UsageTotal
from runtime.store.usage.traffic import Traffic, month_span, read_traffic, traffic_of, zone_of
from schemas.policy import Budget
from schemas.policy_document import read_document


@dataclass(frozen=True, slots=True)
class Figures:
    """One client's month."""

    client: str
    name: str
    numbers: Sequence[str]
    zone: str
    month: Month
    made_at: datetime
    """In UTC."""
    traffic: Traffic
    usage: Sequence[UsageTotal]
    usage_before: Sequence[UsageTotal]
    """Of the month before."""
    messages_since: str | None
    """From when on the ledger has messages; None where it has none."""
    free_used: int
    """Messages that were free at Meta."""
    budget: Budget | None = None
    """The policy's."""
    variants: Sequence[VariantRecord] = ()
    """How a canary of the month compares; nothing without one."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known of this month."""
        return not self.traffic.received and not self.usage

    @property
    def is_over(self) -> bool:
        """Whether the month has ended, in the client's zone and in UTC."""
        return self.made_at >= max(self.month.after.begins(ZoneInfo(self.zone)), self.month.after.begins(UTC))


def read_figures(reader: ReportReader, client: str, month: Month, default_zone: str, made_at: datetime) -> Figures:
    """The figures of a client, which must be one of `reader.clients()`."""
    bots = reader.bots(client)
    rolled_up = reader.rolled_up(client, str(month))
    zone = rolled_up.zone if rolled_up is not None else zone_of(bots) or default_zone
    if rolled_up is not None:
        traffic = traffic_of(rolled_up.figures)
    else:
        span = month_span(month.year, month.number, ZoneInfo(zone))
        traffic = read_traffic(reader, [bot.id for bot in bots] or [client], span)
    totals = reader.totals(client, str(month))
    numbers = [bot.twilio_phone_number for bot in bots]
    return Figures(
        client=client,
        name=bots[0].name if bots else client,
        numbers=numbers,
        zone=zone,
        month=month,
        made_at=made_at,
        traffic=traffic,
        usage=totals,
        usage_before=reader.totals(client, str(month.before)),
        messages_since=reader.first_message(client),
        free_used=sum(reader.free_used(number, str(month)) for number in numbers),
        budget=next((budget for bot in bots if (budget := read_document(bot.policy).policy.budget) is not None), None),
        variants=reader.variants(client, month.begins_text(ZoneInfo(zone)), month.after.begins_text(ZoneInfo(zone))),
    )
