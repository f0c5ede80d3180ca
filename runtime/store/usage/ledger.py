"""Adds rows to the ledger. Functions over a connection, called in the transaction that records what a row is about.

    message in      1 twilio_in
    turn's end      its model_…, web_search, file_search: one row for each kind and model
    status sent     1 twilio_out                 also with `undelivered`; `failed` has Twilio's price for that
    delivered       1 meta_service, _utility, …  or `read`, whichever is first

A message out goes up the steps NOTHING → TWILIO → META, each once: the row of the outbox keeps the step, and is changed
only from the step that was read. An erasure cuts off the ids by which a row leads to a person; nothing else
changes a row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias

from sqlalchemy import Connection

from runtime.store.database.statement import InsertRows, Statement
from runtime.store.database.times import timestamp
from runtime.store.usage.prices import Price
from schemas.prices import Kind

NOTHING, TWILIO, META = 0, 1, 2
"""How much of a message out is in the ledger."""
CHARGED_BY_TWILIO: Final = frozenset({"sent", "delivered", "read", "undelivered", "failed"})
"""Statuses with which Twilio's part is known. `failed` before any of the others has a price of its own."""
CHARGED_BY_META: Final = frozenset({"delivered", "read"})
FREE_SERVICE_MESSAGES: Final = 1000
"""Meta: delivered messages of the category service that are free, of each business number in each calendar month."""

MessageCategory: TypeAlias = Literal["service", "utility", "marketing", "authentication", "template"]
"""Meta's categories; `template` where that of a template is not known."""


class Line(NamedTuple):
    """One row of the ledger."""

    price: Price
    quantity: int
    """Messages, tokens, searches; of audio milliseconds."""

    @property
    def kind(self) -> Kind:
        """What was used."""
        return self.price.kind

    @property
    def amount(self) -> int | None:
        """10⁻⁹ USD; None where no price is known."""
        return self.price.amount(self.quantity)


@dataclass(frozen=True, slots=True)
class MessagePrices:
    """The prices of messages of one client with one country, on one day."""

    client: str
    """The label under which the rows are kept: the client's id, or the bot's."""
    message_in: Price
    message_out: Price
    failed: Price
    """Of a message out that Twilio did not send."""
    meta: Mapping[MessageCategory, Price]
    """Of a delivered message."""
    within_free: Price
    """Of one of FREE_SERVICE_MESSAGES."""
    after_ad: Mapping[MessageCategory, Price]
    """Of one within 72 hours from the first reply to a click on an ad."""


@dataclass(frozen=True, slots=True)
class SentMessageFacts:
    """What the ledger needs to know of a row of the outbox."""

    id: int
    bot_id: str | None
    number: str
    """Of the business, in E.164."""
    turn_id: int | None
    sent_at: str
    category: MessageCategory
    is_after_ad: bool


ADD_MESSAGE_IN = Statement(
    "INSERT INTO usage (at, month, client, bot_id, number, inbox_id, kind, price_id, quantity, amount)"
    " VALUES (:at, :month, :client, :bot_id, :number, :inbox_id, :kind, :price_id, 1, :amount)"
)
ADD = InsertRows(
    "usage",
    *("at", "month", "client", "bot_id", "number", "turn_id", "outbox_id"),
    *("kind", "price_id", "quantity", "amount"),
)
COUNT_FREE = Statement(
    "INSERT INTO free_service_messages (number, month, used) VALUES (:number, :month, 1)"
    " ON CONFLICT (number, month) DO UPDATE SET used = free_service_messages.used + 1"
    " WHERE free_service_messages.used < :limit RETURNING used"
)

LIFE = Statement(
    "SELECT min(received_at), max(received_at) FROM inbox WHERE conversation_id = :id UNION ALL"
    " SELECT min(created_at), max(created_at) FROM outbox WHERE conversation_id = :id"
)
CUT_OFF = Statement(
    "UPDATE usage SET inbox_id = NULL, turn_id = NULL, outbox_id = NULL WHERE client = :client AND month >= :since"
    " AND (inbox_id IN (SELECT id FROM inbox WHERE conversation_id = :id)"
    " OR turn_id IN (SELECT id FROM turns WHERE conversation_id = :id)"
    " OR outbox_id IN (SELECT id FROM outbox WHERE conversation_id = :id))"
)


def add_message_in(
    connection: Connection, prices: MessagePrices, *, bot_id: str, number: str, inbox_id: int, at: str
) -> None:
    """Adds a message that was received. `at`: text of `timestamp`."""
    price = prices.message_in
    ADD_MESSAGE_IN.do(
        connection,
        at=at,
        month=at[:7],
        client=prices.client,
        bot_id=bot_id,
        number=number,
        inbox_id=inbox_id,
        kind=price.kind,
        price_id=price.id,
        amount=price.amount(1),
    )


def add_spent(
    connection: Connection, client: str, lines: Sequence[Line], *, bot_id: str | None, turn_id: int, at: str
) -> None:
    """Adds what the models used for a turn. `at`: text of `timestamp`."""
    _add(connection, client, lines, at, at, bot_id=bot_id, turn_id=turn_id)


def cut_off_conversation(connection: Connection, client: str, conversation_id: int) -> int:
    """Lets no row of a client lead to a conversation any more; returns how many did. Kinds, prices and amounts stay, so
    every sum is as it was."""
    first = min((row[0] for row in LIFE.rows(connection, id=conversation_id) if row[0] is not None), default=None)
    if first is None:
        return 0
    return CUT_OFF.run(connection, client=client, since=first[:7], id=conversation_id)


def step_of(status: str) -> int:
    """How much of a message with this status is charged."""
    if status in CHARGED_BY_META:
        return META
    return TWILIO if status in CHARGED_BY_TWILIO else NOTHING


def add_message_out(
    connection: Connection, prices: MessagePrices, message: SentMessageFacts, status: str, step: int
) -> list[Line]:
    """Adds what a status makes known of a message of which `step` is in the ledger already; returns the rows."""
    lines = []
    month = message.sent_at[:7]
    if step < TWILIO and status in CHARGED_BY_TWILIO:
        lines.append(Line(prices.failed if status == "failed" else prices.message_out, 1))
    if step < META and status in CHARGED_BY_META:
        lines.append(Line(_of_meta(connection, prices, message, month), 1))
    _add(
        connection,
        prices.client,
        lines,
        timestamp(),
        message.sent_at,
        bot_id=message.bot_id,
        number=message.number,
        turn_id=message.turn_id,
        outbox_id=message.id,
    )
    return lines


def _of_meta(connection: Connection, prices: MessagePrices, message: SentMessageFacts, month: str) -> Price:
    if message.is_after_ad:
        return prices.after_ad[message.category]
    if message.category == "service" and COUNT_FREE.first(
        connection, number=message.number, month=month, limit=FREE_SERVICE_MESSAGES
    ):
        return prices.within_free
    return prices.meta[message.category]


def _add(
    connection: Connection,
    client: str,
    lines: Iterable[Line],
    at: str,
    used_at: str,
    *,
    bot_id: str | None,
    number: str | None = None,
    turn_id: int | None = None,
    outbox_id: int | None = None,
) -> None:
    """`at`: when the ledger learnt of it; `used_at`: when it was used, which decides the month."""
    ADD.run(
        connection,
        [
            {
                "at": at,
                "month": used_at[:7],
                "client": client,
                "bot_id": bot_id,
                "number": number,
                "turn_id": turn_id,
                "outbox_id": outbox_id,
                "kind": line.price.kind,
                "price_id": line.price.id,
                "quantity": line.quantity,
                "amount": line.amount,
            }
            for line in lines
        ],
    )
