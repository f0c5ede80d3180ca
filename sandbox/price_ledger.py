"""The price ledger: one entry for each thing that is charged, in the order in which it came to be charged.

It is read from the ledger, as far as that goes, whenever it is asked; nothing is computed while messages pass, and a
restarted sandbox finds the same. The prices are those of `sandbox.price_table`. The rules are Meta's and Twilio's:

- Twilio charges a message that came in, and one that went out once its outcome is known: `twilio_failed` for `failed`,
  `twilio_out` for any other.
- Meta charges a message once, when it is delivered, by the country of who gets it and the category of its template;
  `service` for what is not a template, an interactive message in the 24-hour window included.
- The first 1,000 service messages of a business number are free in each calendar month in UTC, that of sending; which
  ones is the order of delivery. Reactions would not count, but Twilio's API sends none.
- After a click on an ad all of Meta's part is free for 72 hours from our first reply, if that was sent within 24 hours
  of the click. What is free that way is not one of the 1,000.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from sandbox import price_table
from sandbox.countries import country_of
from sandbox.ledger import Ledger
from sandbox.storage import Json

FREE_SERVICE_MESSAGES: Final = 1_000
_TO_REPLY = timedelta(hours=24)
_FREE_AFTER_REPLY = timedelta(hours=72)
_INPUT = ("model_input", "model_cached", "model_cache_write")
Free = Literal["ad_click", "first_1000"]


@dataclass(frozen=True, slots=True)
class Charge:
    """One entry. Amounts are in 10⁻⁹ USD, days in UTC."""

    n: int
    """Number of the ledger's entry that it comes from."""
    time: str
    """When it came to be charged."""
    day: str
    """When the message was sent or the model was called, YYYY-MM-DD."""
    kind: str
    """`twilio_in`, `twilio_out`, `twilio_failed`, `meta_<category>`, `model_input`, `model_cached`,
    `model_cache_write`, `model_output`, `transcription` (seconds), `web_search`, `file_search`."""
    quantity: float
    unit_price: int | None
    """None where the table has no price."""
    free: Free | None = None
    account: str | None = None
    number: str | None = None
    """The business number of a message."""
    country: str | None = None
    """Where the user of a message is, by their number."""
    message_sid: str | None = None
    model: str | None = None
    project: str | None = None

    @property
    def amount(self) -> int | None:
        """None where there is no price; what is free is 0 everywhere."""
        if self.free is not None:
            return 0
        return None if self.unit_price is None else round(self.quantity * self.unit_price)

    @property
    def month(self) -> str:
        return self.day[:7]

    def as_json(self) -> Json:
        return {
            "n": self.n,
            "time": self.time,
            "day": self.day,
            "month": self.month,
            "kind": self.kind,
            "account": self.account,
            "number": self.number,
            "country": self.country,
            "message_sid": self.message_sid,
            "model": self.model,
            "project": self.project,
            "quantity": self.quantity,
            "unit_price": self.unit_price,
            "amount": self.amount,
            "free": self.free,
        }


@dataclass(slots=True)
class Sum:
    """What several charges come to."""

    quantity: float = 0
    free: float = 0
    """How much of the quantity is free."""
    unpriced: float = 0
    """How much of the quantity has no price."""
    known: int = 0

    def add(self, charge: Charge) -> None:
        self.quantity += charge.quantity
        if charge.free is not None:
            self.free += charge.quantity
        elif charge.amount is None:
            self.unpriced += charge.quantity
        else:
            self.known += charge.amount

    @property
    def amount(self) -> int | None:
        """None as soon as one of them has no price: a sum of the others would pass for the whole."""
        return None if self.unpriced else self.known

    def as_json(self) -> Json:
        return {
            "quantity": self.quantity,
            "free": self.free,
            "unpriced": self.unpriced,
            "amount": self.amount,
        }


def totals(charges: Iterable[Charge]) -> list[Json]:
    """Sums by kind, country and model, in that order."""
    sums: dict[tuple[str, str | None, str | None], Sum] = {}
    for charge in charges:
        sums.setdefault((charge.kind, charge.country, charge.model), Sum()).add(charge)
    rows = sorted(sums.items(), key=lambda row: tuple(part or "" for part in row[0]))
    return [{**dict(zip(("kind", "country", "model"), key, strict=True)), **found.as_json()} for key, found in rows]


@dataclass(frozen=True, slots=True)
class _Sent:
    """A message on its way to the user."""

    at: datetime
    account: str | None
    number: str
    user: str
    category: str


@dataclass(slots=True)
class _Click:
    """An ad that led a user to a number, and the first reply in time."""

    at: datetime
    replied: datetime | None = None


class PriceLedger:
    """The charges of one sandbox."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.clear()

    def clear(self) -> None:
        """Forgets all of it, as the ledger was emptied."""
        self._next = 0
        self._charges: list[Charge] = []
        self._meta: dict[str, Charge] = {}
        self._sent: dict[str, _Sent] = {}
        self._service_messages: Counter[tuple[str, str]] = Counter()
        self._clicks: dict[tuple[str, str], list[_Click]] = {}

    def charges(self) -> Sequence[Charge]:
        """All charges until now."""
        for entry in self._ledger.scan(self._next):
            self._next = entry["n"] + 1
            self._read(entry)
        return self._charges

    def of_meta(self, message_sid: str) -> Charge | None:
        """What Meta charged for a message, if it was delivered."""
        self.charges()
        return self._meta.get(message_sid)

    def _read(self, entry: Json) -> None:
        match entry["kind"]:
            case "inbound":
                self._heard(entry)
            case "outbound":
                self._sent[entry["message_sid"]] = _Sent(
                    datetime.fromisoformat(entry["time"]),
                    entry.get("account_sid"),
                    _number(entry["from"]),
                    _number(entry["to"]),
                    entry.get("template") or "service",
                )
            case "delivered" | "undelivered" | "failed":
                sent = self._sent.pop(entry["message_sid"], None)
                if sent is not None:
                    self._ended(entry, sent)
            case "call":
                for used in entry.get("used", ()):
                    self._charges += _of_model(entry, used)

    def _heard(self, entry: Json) -> None:
        number, user = _number(entry["to"]), _number(entry["from"])
        at = datetime.fromisoformat(entry["time"])
        if entry.get("ad"):
            self._clicks.setdefault((number, user), []).append(_Click(at))
        self._add(entry, "twilio_in", _Sent(at, entry.get("account_sid"), number, user, "service"))

    def _ended(self, entry: Json, sent: _Sent) -> None:
        self._add(entry, "twilio_failed" if entry["kind"] == "failed" else "twilio_out", sent)
        if entry["kind"] == "delivered":
            self._meta[entry["message_sid"]] = self._add(entry, f"meta_{sent.category}", sent)

    def _add(self, entry: Json, kind: str, sent: _Sent) -> Charge:
        country, day = country_of(sent.user), sent.at.date().isoformat()
        of_meta = kind not in price_table.TWILIO
        charge = Charge(
            n=entry["n"],
            time=entry["time"],
            day=day,
            kind=kind,
            quantity=1,
            unit_price=price_table.meta(country, sent.category, day) if of_meta else price_table.TWILIO[kind],
            free=self._why_free(sent) if of_meta else None,
            account=sent.account,
            number=sent.number,
            country=country,
            message_sid=entry["message_sid"],
        )
        self._charges.append(charge)
        return charge

    def _why_free(self, sent: _Sent) -> Free | None:
        """Why Meta charges nothing for a message that was delivered now."""
        if self._follows_an_ad(sent):
            return "ad_click"
        if sent.category != "service":
            return None
        month = sent.number, sent.at.strftime("%Y-%m")
        self._service_messages[month] += 1
        return "first_1000" if self._service_messages[month] <= FREE_SERVICE_MESSAGES else None

    def _follows_an_ad(self, sent: _Sent) -> bool:
        for click in self._clicks.get((sent.number, sent.user), ()):
            if click.at <= sent.at <= click.at + _TO_REPLY:
                click.replied = min(click.replied or sent.at, sent.at)
                return True
            if click.replied is not None and click.replied <= sent.at <= click.replied + _FREE_AFTER_REPLY:
                return True
        return False


def _of_model(entry: Json, used: Json) -> list[Charge]:
    quantities = used["quantities"]
    is_listed = sum(quantities.get(kind, 0) for kind in _INPUT) <= price_table.MOST_INPUT
    return [
        Charge(
            n=entry["n"],
            time=entry["time"],
            day=entry["time"][:10],
            kind=kind,
            quantity=quantity,
            unit_price=price_table.model(used["model"], kind) if is_listed else None,
            model=used["model"],
            project=used["project"],
        )
        for kind, quantity in quantities.items()
    ]


def _number(address: str) -> str:
    return address.removeprefix("whatsapp:")
