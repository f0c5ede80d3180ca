"""Adds up the ledger: what was used in a month, by client and kind. Functions over a connection; they only read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection

from runtime.store.catalog import bot_of_each_account
from runtime.store.database.statement import Statement
from runtime.store.database.times import timestamp
from runtime.store.records import BotRecord
from runtime.store.usage.ledger import FREE_SERVICE_MESSAGES
from schemas.prices import Confidence, Kind

BORDER = timedelta(hours=14)
"""By how much a time zone differs from UTC at most."""


class FreeMessages(NamedTuple):
    """How many service messages of a bot's number Meta still charges nothing for in the current month."""

    client: str
    number: str
    """The bot's own."""
    left: int


class UsageSum(NamedTuple):
    """What one client used of one kind, as far as its price is known equally well."""

    client: str
    kind: Kind
    model: str | None
    confidence: Confidence
    quantity: int
    """Messages, tokens, searches; of audio milliseconds."""
    free: int
    """How much of it cost nothing."""
    nano_usd: int | None
    """None where no price is known."""


@dataclass(frozen=True, slots=True)
class BorderSum:
    """Meta's part of messages that were sent near the beginning or the end of a month."""

    messages: int
    nano_usd: int


_SELECT = (
    "SELECT usage.client, usage.kind, usage_prices.model, usage_prices.confidence, sum(usage.quantity),"
    " sum(CASE WHEN usage.amount = 0 THEN usage.quantity ELSE 0 END), sum(usage.amount)"
    " FROM usage JOIN usage_prices ON usage_prices.id = usage.price_id"
)
_GROUPED = "GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"
SUMS = Statement(f"{_SELECT} WHERE usage.month = :month {_GROUPED}")
SUMS_OF_CLIENT = Statement(f"{_SELECT} WHERE usage.client = :client AND usage.month = :month {_GROUPED}")
FREE_LEFT = Statement(
    "SELECT coalesce(bots.client, bots.id), bots.twilio_phone_number, coalesce(free_service_messages.used, 0) FROM bots"
    " LEFT JOIN free_service_messages ON free_service_messages.number = bots.twilio_phone_number"
    " AND free_service_messages.month = :month ORDER BY 1, 2"
)
AT_BORDER = Statement(
    "SELECT count(*), coalesce(sum(usage.amount), 0) FROM usage JOIN outbox ON outbox.id = usage.outbox_id"
    " WHERE usage.month IN (:before, :month, :after)"
    " AND usage.kind IN ('meta_service', 'meta_utility', 'meta_marketing', 'meta_authentication')"
    " AND (coalesce(outbox.claimed_at, outbox.created_at) BETWEEN :first_from AND :first_until"
    " OR coalesce(outbox.claimed_at, outbox.created_at) BETWEEN :last_from AND :last_until)"
)


@dataclass(frozen=True, slots=True)
class LedgerOfMonth:
    """What a comparison with the providers needs of the store."""

    sums: Sequence[UsageSum]
    border: BorderSum
    bots: Sequence[BotRecord]
    """One of each Twilio account that is in use."""


def read_ledger_of_month(connection: Connection, month: str) -> LedgerOfMonth:
    """The sums of a month, with a bot of each account, as of one time."""
    return LedgerOfMonth(
        usage_sums(connection, month), sums_at_border(connection, month), bot_of_each_account(connection)
    )


def free_messages_left(connection: Connection) -> Sequence[FreeMessages]:
    """One for each bot."""
    rows = FREE_LEFT.rows(connection, month=timestamp()[:7])
    return [FreeMessages(client, number, FREE_SERVICE_MESSAGES - used) for client, number, used in rows]


def month_bounds(month: str) -> tuple[datetime, datetime]:
    """When a month (`2026-11`) begins in UTC, and when the next one does."""
    first = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
    return first, (first + timedelta(days=32)).replace(day=1)


def usage_sums(connection: Connection, month: str, client: str | None = None) -> Sequence[UsageSum]:
    """The sums of a month, or those of one client in it. `client`: the label under which its rows are kept."""
    rows = (
        SUMS.rows(connection, month=month)
        if client is None
        else SUMS_OF_CLIENT.rows(connection, month=month, client=client)
    )
    # PostgreSQL adds bigints up to numeric.
    return [
        UsageSum(label, kind, model, confidence, int(quantity), int(free), None if amount is None else int(amount))
        for label, kind, model, confidence, quantity, free, amount in rows
    ]


def sums_at_border(connection: Connection, month: str) -> BorderSum:
    """Delivered messages that are of another month in some time zone: sent less than BORDER from either end of it."""
    first, following = month_bounds(month)
    count, amount = AT_BORDER.one(
        connection,
        before=f"{first - timedelta(days=1):%Y-%m}",
        month=month,
        after=f"{following:%Y-%m}",
        first_from=_text(first - BORDER),
        first_until=_text(first + BORDER),
        last_from=_text(following - BORDER),
        last_until=_text(following + BORDER),
    )
    return BorderSum(int(count), int(amount))


def _text(time: datetime) -> str:
    return timestamp(time.timestamp())
