"""What a report reads of the store: one client's month, by the indexes of that client.

usage      ──► what was used, by price: kind, how much of its amount is known, quantity, amount
inbox      ──► messages in by their bot and time, each with its turn's end and when its answer was claimed
outbox     ──► messages that reached no phone
turns      ──► functions that were called and documents that were read

People who are blocked are in none of it but the first: what they cost stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Concatenate, NamedTuple

from sqlalchemy import Connection

from runtime.store.activity_records import VariantRecord
from runtime.store.catalog import list_all
from runtime.store.database.once import read_only
from runtime.store.database.operation import P, T
from runtime.store.database.statement import Statement
from runtime.store.records import BotRecord
from runtime.store.tariffs import stored_tariffs
from runtime.store.variants import variants
from schemas.prices import Confidence, Kind
from schemas.tariffs import Tariffs


@dataclass(frozen=True, slots=True)
class UsageTotal:
    """All rows of the ledger of one client, month and price."""

    kind: Kind
    model: str | None
    confidence: Confidence
    quantity: int
    """Messages, tokens, searches; of audio milliseconds."""
    amount: int | None
    """10⁻⁹ USD; None where no price is known."""


class RolledUp(NamedTuple):
    """A month's traffic, as it was counted before its messages were deleted."""

    zone: str
    figures: str
    """JSON, of `runtime.store.usage.traffic`."""


class MessageOfMonth(NamedTuple):
    """A message of a user. A named tuple, since a month has many."""

    received_at: str
    conversation_id: int
    state: str
    """Of the inbox: open | answered | unanswered | limited | dead | dropped."""
    turn_id: int | None
    reason: str | None
    """Why its turn was not answered."""
    used: str | None
    """What its turn's answer was made with, as JSON: `{"documents": […], "functions": […]}`."""
    answered_at: str | None
    """When the first part of its turn's answer was claimed to be sent."""


LABELS = Statement(
    # A loose scan of the index: one look-up for each client, whatever the number of rows.
    "WITH RECURSIVE labels (client) AS (SELECT min(client) FROM usage UNION ALL"
    " SELECT (SELECT min(usage.client) FROM usage WHERE usage.client > labels.client) FROM labels"
    " WHERE labels.client IS NOT NULL) SELECT client FROM labels WHERE client IS NOT NULL"
    " UNION SELECT coalesce(client, id) FROM bots ORDER BY 1"
)
TOTALS = Statement(
    "SELECT usage_prices.kind, usage_prices.model, usage_prices.confidence, summed.quantity, summed.amount"
    " FROM (SELECT price_id, sum(quantity) AS quantity, sum(amount) AS amount FROM usage"
    " WHERE client = :client AND month = :month GROUP BY price_id) AS summed"
    " JOIN usage_prices ON usage_prices.id = summed.price_id ORDER BY 1, 2, 3"
)
MONTHS = Statement(
    "WITH RECURSIVE months (month) AS (SELECT min(month) FROM usage WHERE client = :client UNION ALL"
    " SELECT (SELECT min(usage.month) FROM usage WHERE usage.client = :client AND usage.month > months.month)"
    " FROM months WHERE months.month IS NOT NULL) SELECT month FROM months WHERE month IS NOT NULL ORDER BY 1"
)
FIRST_MESSAGE = Statement(
    "SELECT at FROM usage WHERE client = :client AND kind IN ('twilio_in', 'twilio_out', 'twilio_failed')"
    " ORDER BY month, at LIMIT 1"
)
FREE_USED = Statement("SELECT used FROM free_service_messages WHERE number = :number AND month = :month")
ROLLED_UP = Statement("SELECT zone, figures FROM rolled_up_months WHERE client = :client AND month = :month")
RECEIVED = Statement(
    "SELECT inbox.received_at, inbox.conversation_id, inbox.state, inbox.turn_id, turns.reason, turns.used,"
    " (SELECT min(coalesce(outbox.claimed_at, outbox.created_at)) FROM outbox"
    " WHERE outbox.turn_id = inbox.turn_id AND outbox.part = 0)"
    " FROM inbox LEFT JOIN turns ON turns.id = inbox.turn_id"
    " WHERE inbox.bot_id = :bot_id AND inbox.received_at >= :since AND inbox.received_at < :until"
    " AND inbox.conversation_id NOT IN (SELECT id FROM conversations WHERE blocked_at IS NOT NULL)"
    " ORDER BY inbox.received_at"
)
COUNTED = Statement(
    "SELECT count(*) FROM inbox WHERE bot_id = :bot_id AND received_at >= :since AND received_at < :until"
    " AND conversation_id NOT IN (SELECT id FROM conversations WHERE blocked_at IS NOT NULL)"
)
USERS = Statement(
    "SELECT DISTINCT conversations.user_key FROM conversations WHERE blocked_at IS NULL"
    " AND conversations.id IN (SELECT conversation_id FROM inbox"
    " WHERE bot_id = :bot_id AND received_at >= :since AND received_at < :until)"
)
UNDELIVERED = Statement(
    "SELECT error_code, count(*) FROM outbox WHERE bot_id = :bot_id AND created_at >= :since AND created_at < :until"
    " AND error_code IS NOT NULL AND coalesce(conversation_id, 0) NOT IN"
    " (SELECT id FROM conversations WHERE blocked_at IS NOT NULL) GROUP BY error_code ORDER BY error_code"
)


class ReportReader:
    """Reads one state of the store, in a transaction that only reads."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def tariffs(self) -> Tariffs:
        """The installation's; see `stored_tariffs`."""
        return stored_tariffs(self._connection)

    def clients(self) -> list[str]:
        """Every client that has a bot or a row of the ledger, sorted."""
        return [str(label) for (label,) in LABELS.rows(self._connection)]

    def bots(self, client: str) -> list[BotRecord]:
        """The bots of a client; without rows that are damaged."""
        found = list_all(self._connection, BotRecord, clients={client})
        return [bot for bot in found if isinstance(bot, BotRecord)]

    def variants(self, client: str, since: str, until: str) -> list[VariantRecord]:
        """How the variants of a client compare, by turns that ended between two timestamps."""
        return variants(self._connection, client, since, until, of_this=False)

    def months(self, client: str) -> list[str]:
        """The months of which the ledger has rows of a client, oldest first."""
        return [str(month) for (month,) in MONTHS.rows(self._connection, client=client)]

    def totals(self, client: str, month: str) -> list[UsageTotal]:
        """What a client used in a month (in UTC), by price."""
        return [
            UsageTotal(kind, model, confidence, int(quantity), None if amount is None else int(amount))
            for kind, model, confidence, quantity, amount in TOTALS.rows(self._connection, client=client, month=month)
        ]

    def first_message(self, client: str) -> str | None:
        """From when on the ledger has a client's messages; None where it has none."""
        row = FIRST_MESSAGE.first(self._connection, client=client)
        return None if row is None else str(row[0])

    def free_used(self, number: str, month: str) -> int:
        """How many of the messages that are free of a number and a month (in UTC) were delivered."""
        row = FREE_USED.first(self._connection, number=number, month=month)
        return 0 if row is None else int(row[0])

    def rolled_up(self, client: str, month: str) -> RolledUp | None:
        """The traffic of a month whose messages were deleted, or begin to be; None for any other."""
        row = ROLLED_UP.first(self._connection, client=client, month=month)
        return None if row is None else RolledUp(*row)

    def received(self, bot_id: str, since: str, until: str) -> Iterator[MessageOfMonth]:
        """A bot's messages in, oldest first, one by one. `since`, `until`: texts of `timestamp`, the latter not
        included; so in all that follows."""
        rows = RECEIVED.each_row(self._connection, bot_id=bot_id, since=since, until=until)
        return map(MessageOfMonth._make, rows)

    def count_received(self, bot_id: str, since: str, until: str) -> int:
        """How many those are."""
        return int(COUNTED.one(self._connection, bot_id=bot_id, since=since, until=until)[0])

    def people(self, bot_ids: Sequence[str], since: str, until: str) -> int:
        """How many people wrote to any of these bots."""
        span = {"since": since, "until": until}
        return len({key for bot_id in bot_ids for (key,) in USERS.rows(self._connection, bot_id=bot_id, **span)})

    def undelivered(self, bot_id: str, since: str, until: str) -> dict[str, int]:
        """How many messages of a bot reached no phone, by Twilio's code."""
        return dict(UNDELIVERED.rows(self._connection, bot_id=bot_id, since=since, until=until))


def with_reader(
    connection: Connection,
    operation: Callable[Concatenate[ReportReader, P], T],
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Runs what reads for a report, in the caller's transaction."""
    return operation(ReportReader(connection), *args, **kwargs)


def all_received(connection: Connection, bot_id: str, since: str, until: str) -> list[MessageOfMonth]:
    """As `ReportReader.received`, read to the end."""
    return list(ReportReader(connection).received(bot_id, since, until))


def read_with(
    connection: Connection,
    operation: Callable[Concatenate[ReportReader, P], T],
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Runs a function that reads by a reader, for the runtime."""
    return operation(ReportReader(connection), *args, **kwargs)


@contextmanager
def reading(url: str) -> Iterator[ReportReader]:
    """A reader of an existing store, whose schema is brought to head first. Messages are stored meanwhile. Raises
    StoreError."""
    with read_only(url) as connection:
        yield ReportReader(connection)
