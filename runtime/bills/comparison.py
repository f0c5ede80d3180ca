"""The ledger against what the providers charged. Pure: values in, values out.

provider    ledger                     charged
Twilio      twilio_in, twilio_out      channels-messaging, failed-message-processing-fee
Meta        meta_…                     channels-whatsapp
OpenAI      model_…, …_search, …       costs of the organization
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

from runtime.bills.charged import FAILED, MESSAGING, WHATSAPP, BilledSum, BillUnread, OpenAIBill, TwilioBill, added
from runtime.store.usage.sums import BorderSum, UsageSum
from schemas.prices import Kind, MetaKind, ModelKind

Provider: TypeAlias = Literal["Twilio", "Meta", "OpenAI"]
Result: TypeAlias = Literal["within", "different", "unread", "not_compared"]
PriceLayer: TypeAlias = Literal["fee", "fee_and_meta", "either", "neither", "unknown"]
"""What the prices of messages add up to: Twilio's fee, the fee and Meta's part, either since Meta's part is nothing,
neither, or it is not known since messages have no price yet."""

KINDS: Final[Mapping[Provider, tuple[Kind, ...]]] = {
    "Twilio": ("twilio_in", "twilio_out"),
    "Meta": get_args(MetaKind),
    "OpenAI": get_args(ModelKind),
}
_CONVERSATION: Final = f"{WHATSAPP}-conversation-"
_TEMPLATE: Final = f"{WHATSAPP}-template-"


@dataclass(frozen=True, slots=True)
class KindComparison:
    """One kind of usage on both sides."""

    kind: Kind | None
    """None: what the provider charged beyond the kinds of the ledger."""
    ours: BilledSum
    """`quantity` is what is charged for, without what is free."""
    unpriced: int
    """Quantity of the ledger without a known price, which is in none of the sums."""
    theirs: BilledSum | None
    """None where the provider does not tell the kinds apart."""
    has_quantity: bool
    """Whether the provider's quantity is counted as ours is."""

    @property
    def difference(self) -> int | None:
        """10⁻⁹ USD by which the ledger has more."""
        return None if self.theirs is None else self.ours.nano_usd - self.theirs.nano_usd

    @property
    def reason(self) -> Literal["unpriced", "quantity", "price"] | None:
        """Why the two differ, where it can be seen."""
        if not self.difference or self.theirs is None:
            return None
        if self.unpriced:
            return "unpriced"
        if not self.has_quantity:
            return None
        return "price" if self.ours.quantity == self.theirs.quantity else "quantity"


@dataclass(frozen=True, slots=True)
class ProviderComparison:
    """One provider on both sides. Amounts are in 10⁻⁹ USD."""

    provider: Provider
    ours: int
    theirs: int | None
    """None where it is not known: see `problems`."""
    kinds: Sequence[KindComparison]
    tolerance: float
    problems: Sequence[str] = ()
    """Why the provider's side could not be read, for each account."""

    @property
    def difference(self) -> int | None:
        """By how much the ledger has more than was charged."""
        return None if self.theirs is None else self.ours - self.theirs

    @property
    def percent(self) -> float | None:
        """The difference in per cent of what was charged; None where nothing was charged, or it is not known."""
        if self.difference is None or not self.theirs:
            return None
        return self.difference / self.theirs * 100

    @property
    def result(self) -> Result:
        """How the two sides compare."""
        if self.problems:
            return "unread"
        if self.theirs is None:
            return "not_compared"
        return "within" if is_within(self.ours, self.theirs, self.tolerance) else "different"


@dataclass(frozen=True, slots=True)
class Comparison:
    """All providers, for one month."""

    month: str
    tolerance: float
    """In per cent of what was charged."""
    providers: Sequence[ProviderComparison]
    price_layer: PriceLayer
    twilio: TwilioBill
    other_categories: Mapping[str, BilledSum]
    """Categories of Twilio that name WhatsApp, outside of the two that are compared."""
    border: BorderSum

    @property
    def exit_code(self) -> int:
        """0 within the tolerance, 2 above it, 1 when a side could not be read."""
        results = {one.result for one in self.providers}
        if "unread" in results:
            return 1
        return 2 if "different" in results else 0


def is_within(ours: int, theirs: int, tolerance: float) -> bool:
    """Whether two amounts differ by at most `tolerance` per cent of the second."""
    return abs(ours - theirs) * 100 <= theirs * tolerance


@dataclass(frozen=True, slots=True)
class _Ledger:
    """Our side by kind."""

    charged: Mapping[Kind, BilledSum]
    unpriced: Mapping[Kind, int]

    def total(self, provider: Provider) -> int:
        return sum(self.charged[kind].nano_usd for kind in KINDS[provider] if kind in self.charged)

    def against(
        self, provider: Provider, theirs: Mapping[Kind | None, BilledSum] | None, *, has_quantity: bool
    ) -> list[KindComparison]:
        """The kinds that either side has, in the order of the ledger's kinds."""
        found = [
            KindComparison(
                kind,
                self.charged.get(kind, BilledSum()) if kind else BilledSum(),
                self.unpriced.get(kind, 0) if kind else 0,
                None if theirs is None else theirs.get(kind, BilledSum()),
                has_quantity,
            )
            for kind in (*KINDS[provider], None)
        ]
        return [
            one for one in found if one.ours != BilledSum() or one.unpriced or one.theirs not in (None, BilledSum())
        ]


def compare(
    month: str,
    tolerance: float,
    ledger: Iterable[UsageSum],
    twilio: Sequence[TwilioBill | BillUnread],
    openai: OpenAIBill | BillUnread | None,
    border: BorderSum,
) -> Comparison:
    """Compares a month. `tolerance` in per cent; `openai`: None where no admin key is set."""
    ours = _by_kind(ledger)
    bill = added([one for one in twilio if isinstance(one, TwilioBill)])
    problems = [str(one) for one in twilio if isinstance(one, BillUnread)]
    return Comparison(
        month,
        tolerance,
        [
            _of_layer("Twilio", ours, bill.fee, _fee_by_kind(bill), tolerance, problems),
            _of_layer("Meta", ours, bill.meta, _meta_by_kind(bill), tolerance, problems),
            _of_openai(ours, openai, tolerance),
        ],
        "unknown" if problems else price_layer(bill, tolerance),
        bill,
        other_categories(bill),
        border,
    )


def _of_layer(
    provider: Provider,
    ours: _Ledger,
    charged: BilledSum,
    by_kind: Mapping[Kind | None, BilledSum] | None,
    tolerance: float,
    problems: Sequence[str],
) -> ProviderComparison:
    kinds = ours.against(provider, None if problems else by_kind, has_quantity=True)
    theirs = None if problems else charged.nano_usd
    return ProviderComparison(provider, ours.total(provider), theirs, kinds, tolerance, problems)


def _of_openai(ours: _Ledger, bill: OpenAIBill | BillUnread | None, tolerance: float) -> ProviderComparison:
    total = ours.total("OpenAI")
    if isinstance(bill, OpenAIBill):
        charged: dict[Kind | None, BilledSum] = {kind: BilledSum(0, amount) for kind, amount in bill.by_kind().items()}
        kinds = ours.against("OpenAI", charged, has_quantity=False)
        return ProviderComparison("OpenAI", total, sum(bill.line_items.values()), kinds, tolerance)
    problems = [] if bill is None else [str(bill)]
    kinds = ours.against("OpenAI", None, has_quantity=False)
    return ProviderComparison("OpenAI", total, None, kinds, tolerance, problems)


def _by_kind(ledger: Iterable[UsageSum]) -> _Ledger:
    charged: dict[Kind, BilledSum] = {}
    unpriced: dict[Kind, int] = {}
    for row in ledger:
        if row.nano_usd is None:
            unpriced[row.kind] = unpriced.get(row.kind, 0) + row.quantity
        else:
            paid = BilledSum(row.quantity - row.free, row.nano_usd)
            charged[row.kind] = charged.get(row.kind, BilledSum()) + paid
    return _Ledger(charged, unpriced)


def _fee_by_kind(bill: TwilioBill) -> Mapping[Kind | None, BilledSum] | None:
    received, sent = bill.of(f"{MESSAGING}-inbound"), bill.of(f"{MESSAGING}-outbound")
    if received + sent != bill.of(MESSAGING):
        return None
    return {"twilio_in": received, "twilio_out": sent + bill.of(FAILED)}


def _meta_by_kind(bill: TwilioBill) -> Mapping[Kind | None, BilledSum] | None:
    """By category. Twilio has two families of names for them and does not document whether they overlap: the one that
    adds up to the whole is believed, then both together, else none."""
    for families in ((_CONVERSATION,), (_TEMPLATE,), (_CONVERSATION, _TEMPLATE)):
        found = {
            kind: sum((bill.of(family + kind.removeprefix("meta_")) for family in families), BilledSum())
            for kind in get_args(MetaKind)
        }
        if sum(charge.nano_usd for charge in found.values()) == bill.meta.nano_usd:
            return found
    return None


def price_layer(bill: TwilioBill, tolerance: float) -> PriceLayer:
    """What the prices of the messages are made of. Twilio does not document it."""
    prices, fee, meta = bill.messages, bill.fee.nano_usd, bill.meta.nano_usd
    if prices.unpriced or not prices.priced:
        return "unknown"
    is_fee = is_within(prices.nano_usd, fee, tolerance)
    is_both = is_within(prices.nano_usd, fee + meta, tolerance)
    if is_fee and is_both:
        return "either"
    if is_fee or is_both:
        return "fee" if is_fee else "fee_and_meta"
    return "neither"


def other_categories(bill: TwilioBill) -> Mapping[str, BilledSum]:
    """Categories with a charge that name WhatsApp, outside of `channels-whatsapp`."""
    return {
        name: charge
        for name, charge in sorted(bill.categories.items())
        if "whatsapp" in name and not name.startswith(WHATSAPP) and charge.nano_usd > 0
    }
