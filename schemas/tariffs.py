"""What messages, models and the agency's work cost: the file `tariffs.yaml`, and the installation's record of it.

    tariffs.yaml ──► Tariffs over the packaged DEFAULT ──► the store's record ──► runtime, reports, proposals

A price is in US dollars and holds from its date until a later row of the same sort. An amount is a whole number of
10⁻⁹ USD, which is exact for every price that a row may have; it is rounded when it is shown, never before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import Annotated, Final, Literal, TypeAlias, TypeVar

from pydantic import AfterValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from schemas.iso_codes import Country, Currency
from schemas.strict import Strict

NANOS: Final = 10**9
"""Parts of a US dollar that amounts are counted in."""

Category: TypeAlias = Literal["service", "utility", "marketing", "authentication"]
Direction: TypeAlias = Literal["in", "out", "failed"]


def nanos(dollars: float) -> int:
    """10⁻⁹ USD of a price as it is written: 0.0889 is 88,900,000."""
    return int(Decimal(repr(dollars)) * NANOS)


def _whole_nanos(dollars: float) -> float:
    if Decimal(repr(dollars)) * NANOS % 1:
        raise PydanticCustomError("too_many_decimals", "has more than nine decimals")
    return dollars


def _real_date(text: str) -> str:
    try:
        is_date = date.fromisoformat(text).isoformat() == text
    except ValueError:
        is_date = False
    if not is_date:
        raise PydanticCustomError("calendar_date", "is not a date")
    return text


Dollars = Annotated[float, Field(ge=0, le=1_000_000), AfterValidator(_whole_nanos)]
"""A price in US dollars, with at most nine decimals."""
Day = Annotated[
    str, AfterValidator(_real_date), WithJsonSchema({"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"})
]
"""`2026-10-01`."""
Percent = Annotated[float, Field(ge=0, le=1000)]
Note = Annotated[str, Field(min_length=1, max_length=300)]


class Dated(Strict):
    """What every row of a tariff has."""

    since: Day = Field(description="The first day, in UTC, on which it holds.", examples=["2026-10-01"])
    source: Note | None = Field(
        default=None,
        description="Where the price was read: a page, a contract, an invoice.",
        examples=["https://www.twilio.com/whatsapp/pricing"],
    )
    confidence: Literal["exact", "list_price", "estimated"] = Field(
        default="list_price",
        description="exact: what an invoice or a contract says. estimated: not read at the provider itself.",
        examples=["exact"],
    )


class MetaTariff(Dated):
    """What Meta charges for a delivered message, by the recipient's country."""

    country: Country = Field(description="The recipient's country, as ISO 3166 writes it.", examples=["CL"])
    category: Category = Field(
        description="service: every reply other than a template. The others are of templates.", examples=["service"]
    )
    usd: Dollars = Field(description="US dollars a message.", examples=[0.02])


class TwilioTariff(Dated):
    """What Twilio charges for a message, beside Meta."""

    direction: Direction = Field(
        description="failed: a message that ends so, in place of the price of one that goes out.", examples=["out"]
    )
    usd: Dollars = Field(description="US dollars a message.", examples=[0.005])


class ModelTariff(Dated):
    """What a model costs: one that the package genai-prices lacks, or at another price than the listed one."""

    model: Annotated[str, Field(min_length=1, max_length=128)] = Field(
        description="The model's id, as a manifest names it.", examples=["gpt-6.2-sol"]
    )
    input: Dollars | None = Field(default=None, description="US dollars per million tokens.", examples=[1.25])
    cached: Dollars | None = Field(
        default=None, description="US dollars per million tokens that were read from the cache.", examples=[0.125]
    )
    cache_write: Dollars | None = Field(
        default=None, description="US dollars per million tokens that were written to the cache.", examples=[1.5625]
    )
    output: Dollars | None = Field(default=None, description="US dollars per million tokens.", examples=[10])
    transcription: Dollars | None = Field(default=None, description="US dollars a minute.", examples=[0.0045])
    web_search: Dollars | None = Field(default=None, description="US dollars a search.", examples=[0.01])
    file_search: Dollars | None = Field(default=None, description="US dollars a search.", examples=[0.0025])


class ExchangeRate(Strict):
    """The agency's currency against the dollar."""

    since: Day = Field(description="The first day, in UTC, on which it holds.", examples=["2026-11-01"])
    per_usd: Annotated[float, Field(gt=0, le=1e9)] = Field(description="What a US dollar costs.", examples=[950])


class Fees(Strict):
    """What a client pays besides its messages, in the agency's currency, without tax."""

    setup: Annotated[float, Field(ge=0, le=1e12)] | None = Field(
        default=None, description="Once, to begin.", examples=[350_000]
    )
    monthly: Annotated[float, Field(ge=0, le=1e12)] | None = Field(
        default=None, description="Every month.", examples=[90_000]
    )


class Agency(Strict):
    """Who sends proposals and reports, and what it adds to the costs."""

    name: Annotated[str, Field(min_length=1, max_length=120)] | None = Field(
        default=None, description="The name that clients read.", examples=["HorizonAI"]
    )
    contact: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        default=None, description="Whom a client writes to.", examples=["hola@horizonai.cl"]
    )
    logo: Annotated[str, Field(min_length=1, max_length=2048)] | None = Field(
        default=None,
        description="An image: its address, or its path beside this file.",
        examples=["https://horizonai.cl/logo.png"],
    )
    currency: Currency = Field(default="USD", description="In which clients pay.", examples=["CLP"])
    exchange: list[ExchangeRate] = Field(
        default=[],
        description="What a US dollar costs in that currency, from each date on.",
        examples=[[{"since": "2026-11-01", "per_usd": 950}]],
    )
    vat_percent: Percent | None = Field(
        default=None, description="The tax on what clients pay (IVA); none is shown without it.", examples=[19]
    )
    margin_percent: Percent = Field(
        default=0,
        description="Added to the cost of messages, in percent of it. No document for a client shows it.",
        examples=[25],
    )
    fees: Fees = Field(
        default=Fees(),
        description="What a client pays besides its messages.",
        examples=[{"setup": 350_000, "monthly": 90_000}],
    )


class Tariffs(Strict):
    """All prices of an installation."""

    meta: list[MetaTariff] = Field(
        default=[],
        description="Meta's prices by country and category. A row replaces the packaged one of its country, "
        "category and date.",
        examples=[[{"country": "CL", "category": "service", "since": "2026-10-01", "usd": 0.02}]],
    )
    twilio: list[TwilioTariff] = Field(
        default=[],
        description="Twilio's prices by direction. A row replaces the packaged one of its direction and date.",
        examples=[[{"direction": "out", "since": "2026-10-01", "usd": 0.005}]],
    )
    models: list[ModelTariff] = Field(
        default=[],
        description="Models that the package genai-prices lacks, or at another price than the listed one.",
        examples=[[{"model": "gpt-6.2-sol", "since": "2026-10-01", "input": 1.25, "output": 10}]],
    )
    agency: Agency = Field(
        default=Agency(),
        description="Who sends proposals and reports, and what it adds to the costs.",
        examples=[{"name": "HorizonAI", "currency": "CLP", "margin_percent": 25}],
    )


KEYS: Final = {
    "meta": ("country", "category", "since"),
    "twilio": ("direction", "since"),
    "models": ("model", "since"),
}
"""What distinguishes the rows of each list."""

Row = TypeVar("Row", bound=Dated)


def over(declared: Tariffs, packaged: Tariffs) -> Tariffs:
    """What a file declares, with the packaged rows that it does not replace. The rows are sorted, so that their order
    in the file makes no difference."""
    return Tariffs(
        meta=_merged("meta", packaged.meta, declared.meta),
        twilio=_merged("twilio", packaged.twilio, declared.twilio),
        models=_merged("models", packaged.models, declared.models),
        agency=declared.agency,
    )


def _merged(name: str, packaged: Sequence[Row], declared: Sequence[Row]) -> list[Row]:
    rows = {key_of(name, row): row for row in (*packaged, *declared)}
    return [rows[key] for key in sorted(rows)]


def key_of(name: str, row: Dated) -> tuple[str, ...]:
    """What distinguishes a row of the list `name`: `("CL", "service", "2026-10-01")`."""
    return tuple(str(getattr(row, part)) for part in KEYS[name])


def rows_of(tariffs: Tariffs) -> Iterator[tuple[str, Dated]]:
    """Every row, with the name of its list."""
    for name, rows in (("meta", tariffs.meta), ("twilio", tariffs.twilio), ("models", tariffs.models)):
        for row in rows:
            yield name, row
