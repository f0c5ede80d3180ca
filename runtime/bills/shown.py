"""A comparison, and sums of the ledger, as text and as JSON. Pure. Amounts are rounded here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from runtime.bills.charged import BilledSum
from runtime.bills.comparison import Comparison, KindComparison, PriceLayer, ProviderComparison
from runtime.store.usage.sums import UsageSum
from schemas.prices import Kind
from schemas.tariffs import NANOS

Json = dict[str, Any]

_SINGULAR: Final = {"messages": "message", "tokens": "token", "searches": "search"}
_UNIT: Final = {"twilio": "messages", "meta": "messages", "model": "tokens", "transcription": "ms"}
_PRICE_LAYER: Final[dict[PriceLayer, str]] = {
    "fee": "Prices of Twilio's messages are its own fee only, without Meta's part.",
    "fee_and_meta": "Prices of Twilio's messages are its fee and Meta's part together.",
    "either": "Whether prices of Twilio's messages have Meta's part in them cannot be seen: it is too small.",
    "neither": "Prices of Twilio's messages are neither its fee nor that and Meta's part.",
    "unknown": "Prices of Twilio's messages are not known yet for all of them.",
}


def unit_of(kind: Kind) -> str:
    """What the ledger counts of a kind."""
    return _UNIT.get(kind.partition("_")[0], "searches")


def counted(quantity: int, kind: Kind) -> str:
    """A quantity with its unit: `1 message`, `1,119 tokens`."""
    unit = unit_of(kind)
    return f"{quantity:,} {_SINGULAR.get(unit, unit) if quantity == 1 else unit}"


def dollars(nano_usd: int | None, sign: str = "") -> str:
    """An amount with four decimals."""
    return "-" if nano_usd is None else f"{nano_usd / NANOS:{sign},.4f}"


def comparison_as_text(found: Comparison) -> str:
    """What a person reads."""
    return "\n".join(_lines(found)).rstrip() + "\n"


def _lines(found: Comparison) -> Iterator[str]:
    yield f"{found.month} (UTC), in USD: the ledger against what was charged, tolerance {found.tolerance:g} %"
    for provider in found.providers:
        yield ""
        yield _heading(provider)
        yield from (f"  {problem}" for problem in provider.problems)
        yield from (_kind_line(one) for one in provider.kinds)
    yield ""
    if found.twilio.messages.priced or found.twilio.messages.unpriced:
        yield _prices_line(found)
    for name, charge in found.other_categories.items():
        yield f"Charged besides by Twilio as {name}: {dollars(charge.nano_usd)} for {charge.quantity:,}. Not compared."
    if found.border.messages:
        yield (
            "The month is that of UTC, and Meta may count in the time zone of the WhatsApp account:"
            f" {found.border.messages:,} delivered messages ({dollars(found.border.nano_usd)}) were sent within 14"
            " hours of its beginning or end."
        )


def _prices_line(found: Comparison) -> str:
    prices = found.twilio.messages
    total = f"Sum: {dollars(prices.nano_usd)} of {prices.priced:,} messages; {prices.unpriced:,} have none."
    return f"{_PRICE_LAYER[found.price_layer]} {total}"


def _heading(provider: ProviderComparison) -> str:
    name = f"{provider.provider:<8}ledger {dollars(provider.ours)}"
    match provider.result:
        case "unread":
            return f"{name}  charged: could not be read"
        case "not_compared":
            return f"{name}  charged: not read, since OPENAI_ADMIN_KEY is not set"
    percent = "" if provider.percent is None else f" ({provider.percent:+.2f} %)"
    result = "within the tolerance" if provider.result == "within" else "ABOVE THE TOLERANCE"
    return (
        f"{name}  charged {dollars(provider.theirs)}  difference {dollars(provider.difference, '+')}{percent}  {result}"
    )


def _kind_line(one: KindComparison) -> str:
    name = one.kind or "other"
    ours = f"{counted(one.ours.quantity, one.kind)} {dollars(one.ours.nano_usd)}" if one.kind else "0.0000"
    cells = [f"  {name:<20}{ours:>34}"]
    if one.theirs is not None:
        quantity = f"{one.theirs.quantity:,} " if one.has_quantity else ""
        cells.append(f"{quantity + dollars(one.theirs.nano_usd):>22}  {dollars(one.difference, '+'):>12}")
    cells.append(_explained(one))
    return "  ".join(cell for cell in cells if cell)


def _explained(one: KindComparison) -> str:
    if one.unpriced:
        return f"the ledger has no price for {counted(one.unpriced, one.kind) if one.kind else one.unpriced}"
    if one.theirs is None or one.reason is None:
        return "no kind of the ledger" if one.kind is None else ""
    if one.reason == "price":
        return f"another price: {_each(one.ours)} each in the ledger, {_each(one.theirs)} charged"
    missing = one.theirs.quantity - one.ours.quantity
    return f"{missing:,} not in the ledger" if missing > 0 else f"{-missing:,} not charged"


def _each(charge: BilledSum) -> str:
    return f"{charge.nano_usd / charge.quantity / NANOS:.6f}" if charge.quantity else "-"


def comparison_as_json(found: Comparison) -> Json:
    """What a program reads. Amounts are whole numbers of 10⁻⁹ USD."""
    return {
        "month": found.month,
        "time_zone": "UTC",
        "tolerance_percent": found.tolerance,
        "providers": [_provider_as_json(provider) for provider in found.providers],
        "message_prices": {
            "made_of": found.price_layer,
            "nano_usd": found.twilio.messages.nano_usd,
            "priced": found.twilio.messages.priced,
            "unpriced": found.twilio.messages.unpriced,
        },
        "other_categories": {name: _charge_as_json(one) for name, one in found.other_categories.items()},
        "near_the_border": {"messages": found.border.messages, "nano_usd": found.border.nano_usd},
        "exit_code": found.exit_code,
    }


def _provider_as_json(provider: ProviderComparison) -> Json:
    return {
        "provider": provider.provider,
        "result": provider.result,
        "ledger_nano_usd": provider.ours,
        "charged_nano_usd": provider.theirs,
        "difference_nano_usd": provider.difference,
        "difference_percent": provider.percent,
        "problems": list(provider.problems),
        "kinds": [
            {
                "kind": one.kind,
                "ledger": _charge_as_json(one.ours),
                "ledger_unpriced": one.unpriced,
                "charged": None if one.theirs is None else _charge_as_json(one.theirs, has_quantity=one.has_quantity),
                "difference_nano_usd": one.difference,
                "reason": one.reason,
            }
            for one in provider.kinds
        ],
    }


def _charge_as_json(charge: BilledSum, *, has_quantity: bool = True) -> Json:
    return {"quantity": charge.quantity if has_quantity else None, "nano_usd": charge.nano_usd}


def sums_as_text(month: str, sums: Sequence[UsageSum]) -> str:
    """The ledger's sums by client, a line for each kind."""
    lines = [f"{month} (UTC), in USD"]
    clients = sorted({one.client for one in sums})
    for client in clients:
        own = [one for one in sums if one.client == client]
        lines += ["", f"{client}  {dollars(_known(own))}{_unpriced(own)}"]
        lines += [_sum_line(one) for one in own]
    if len(clients) > 1:
        lines += ["", f"all  {dollars(_known(sums))}{_unpriced(sums)}"]
    return "\n".join(lines) + "\n"


def _known(sums: Sequence[UsageSum]) -> int:
    return sum(one.nano_usd or 0 for one in sums)


def _unpriced(sums: Sequence[UsageSum]) -> str:
    return "  and what has no known price" if any(one.nano_usd is None for one in sums) else ""


def _sum_line(one: UsageSum) -> str:
    free = f" ({one.free:,} free)" if one.free else ""
    amount = "no known price" if one.nano_usd is None else dollars(one.nano_usd)
    name = f"{one.kind} {one.model}" if one.model else one.kind
    quantity = f"{counted(one.quantity, one.kind)}{free}"
    return f"  {name:<36}{quantity:>34}{amount:>16}  {one.confidence}"


def sums_as_json(month: str, sums: Sequence[UsageSum]) -> Json:
    """The same for programs. Amounts are whole numbers of 10⁻⁹ USD."""
    return {"month": month, "time_zone": "UTC", "usage": [{**one._asdict(), "unit": unit_of(one.kind)} for one in sums]}
