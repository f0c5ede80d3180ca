"""What providers charged for a month, as plain values. Amounts are whole numbers of 10⁻⁹ US dollars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import reduce
from typing import Final

from runtime.errors import OperatorError
from schemas.prices import Kind, ModelKind
from schemas.tariffs import NANOS

MESSAGING: Final = "channels-messaging"
FAILED: Final = "failed-message-processing-fee"
WHATSAPP: Final = "channels-whatsapp"


class BillUnread(OperatorError):
    """A provider's charges cannot be read, or not be compared; the text says of which account, and why."""


@dataclass(frozen=True, slots=True)
class BilledSum:
    """What one category comes to."""

    quantity: int = 0
    nano_usd: int = 0

    def __add__(self, other: BilledSum) -> BilledSum:
        return BilledSum(self.quantity + other.quantity, self.nano_usd + other.nano_usd)


@dataclass(frozen=True, slots=True)
class MessagePriceSum:
    """The prices that Twilio's messages have, of all WhatsApp messages of a month."""

    priced: int = 0
    unpriced: int = 0
    """Messages without a price: Twilio adds it some time after the send."""
    nano_usd: int = 0

    def __add__(self, other: MessagePriceSum) -> MessagePriceSum:
        return MessagePriceSum(
            self.priced + other.priced, self.unpriced + other.unpriced, self.nano_usd + other.nano_usd
        )


@dataclass(frozen=True, slots=True)
class TwilioBill:
    """One account, or several added up.

    Twilio: a charge counts in several categories of its Usage Records. `channels-messaging` is Twilio's own fee and
    `channels-whatsapp` what it passes to Meta; both have parts of their own. The sum over all categories means nothing.
    """

    categories: Mapping[str, BilledSum] = field(default_factory=dict)
    messages: MessagePriceSum = MessagePriceSum()

    def of(self, category: str) -> BilledSum:
        """What a category comes to; nothing, where it is not listed."""
        return self.categories.get(category, BilledSum())

    @property
    def fee(self) -> BilledSum:
        """Twilio's own part."""
        return self.of(MESSAGING) + self.of(FAILED)

    @property
    def meta(self) -> BilledSum:
        """Meta's part."""
        return self.of(WHATSAPP)

    def __add__(self, other: TwilioBill) -> TwilioBill:
        names = {*self.categories, *other.categories}
        return TwilioBill({name: self.of(name) + other.of(name) for name in names}, self.messages + other.messages)


def added(bills: Sequence[TwilioBill]) -> TwilioBill:
    """The bill of all accounts together."""
    return reduce(TwilioBill.__add__, bills, TwilioBill())


@dataclass(frozen=True, slots=True)
class OpenAIBill:
    """The costs of the organization, by line item (`gpt-6-luna, input_tokens`)."""

    line_items: Mapping[str, int]

    def by_kind(self) -> Mapping[Kind | None, int]:
        """The same by what was used; None is what the ledger has no kind for."""
        sums: dict[Kind | None, int] = {}
        for name, amount in self.line_items.items():
            kind = kind_of(name)
            sums[kind] = sums.get(kind, 0) + amount
        return sums


_MARKS: Final[tuple[tuple[str, ModelKind], ...]] = (
    ("cache_write", "model_cache_write"),
    ("cached", "model_cached"),
    ("transcription", "transcription"),
    ("web_search", "web_search"),
    ("file_search", "file_search"),
    ("output", "model_output"),
    ("input", "model_input"),
)
"""What the name of a line item has after the model's. OpenAI documents one of them; the others are the fields of its
usage objects. The first that fits decides."""


def kind_of(line_item: str) -> ModelKind | None:
    """The kind of a line item; None where the ledger has none."""
    words = line_item.rpartition(", ")[2].replace(" ", "_").lower()
    return next((kind for mark, kind in _MARKS if mark in words), None)


def nanos_of(amount: Decimal | float | str) -> int:
    """10⁻⁹ USD of a provider's amount, which may have more decimals."""
    return round(Decimal(str(amount)) * NANOS)
