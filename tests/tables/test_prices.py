"""What one of each kind costs, where and when: the issue's rows, the dates on both sides of a change, and what is not
known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import get_args

import pytest
from phonenumbers import SUPPORTED_REGIONS

from schemas.default_tariffs import DEFAULT, META_CARD
from schemas.iso_codes import COUNTRIES
from schemas.prices import Kind, MetaKind, UnitPrice, price
from schemas.tariffs import MetaTariff, ModelTariff, Tariffs, TwilioTariff, nanos, over

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def priced(kind: Kind, country: str | None = "CL", at: datetime = NOW, model: str = "gpt-6-luna") -> UnitPrice:
    return price(DEFAULT, kind, country, at, model)


@pytest.mark.parametrize(
    ("kind", "quantity", "model", "dollars"),
    [
        ("meta_service", 1, "", 0.0200),
        ("meta_service", 2, "", 0.0400),
        ("meta_utility", 1, "", 0.0200),
        ("meta_marketing", 1, "", 0.0889),
        ("meta_authentication", 1, "", 0.0200),
        ("twilio_in", 1, "", 0.005),
        ("twilio_out", 1, "", 0.005),
        ("twilio_failed", 1, "", 0.001),
        ("transcription", 60_000, "gpt-transcribe", 0.0045),
        ("model_input", 500, "gpt-6-luna", 0.00005),
        ("model_cached", 1500, "gpt-6-luna", 0.000015),
        ("model_cache_write", 5500, "gpt-6-luna", 0.0006875),
        ("model_output", 200, "gpt-6-luna", 0.0001),
        ("web_search", 1, "gpt-6-luna", 0.01),
        ("file_search", 1, "gpt-6-luna", 0.0025),
    ],
)
def test_the_worked_rows(kind: Kind, quantity: int, model: str, dollars: float) -> None:
    found = priced(kind, model=model)
    assert found.amount(quantity) == nanos(dollars)
    assert found.confidence == "list_price"


def test_a_first_turn_with_a_search() -> None:
    quantities: dict[Kind, int] = {"model_input": 500, "model_cache_write": 5500, "model_output": 200, "web_search": 1}
    assert sum(priced(kind).amount(quantity) or 0 for kind, quantity in quantities.items()) == nanos(0.0108375)


@pytest.mark.parametrize(
    ("at", "dollars"),
    [
        (datetime(2024, 10, 31, tzinfo=UTC), None),
        (datetime(2026, 9, 30, 23, 59, 59, tzinfo=UTC), 0),
        (datetime(2026, 10, 1, tzinfo=UTC), 0.02),
        (datetime(2026, 9, 30, 22, tzinfo=timezone(timedelta(hours=-3))), 0.02),
    ],
)
def test_a_price_holds_from_its_day_in_utc(at: datetime, dollars: float | None) -> None:
    found = priced("meta_service", at=at)
    assert found.nano_usd == (None if dollars is None else nanos(dollars))
    assert found.confidence == ("unknown" if dollars is None else "list_price")


@pytest.mark.parametrize(
    ("kind", "country", "model"),
    [
        ("meta_service", "AQ", ""),
        ("meta_service", None, ""),
        ("meta_marketing", "PE", ""),
        ("model_input", None, "gpt-6.2-sol"),
        ("model_output", None, ""),
        ("web_search", None, "gpt-4"),
        ("transcription", None, "gpt-6-luna"),
        ("model_output", None, "gpt-transcribe"),
    ],
)
def test_what_is_not_known_is_never_zero(kind: Kind, country: str | None, model: str) -> None:
    found = priced(kind, country, model=model)
    assert (found.nano_usd, found.amount(1000), found.confidence) == (None, None, "unknown")
    assert found.source.startswith("no ")


def test_a_price_says_where_it_is_from() -> None:
    assert (priced("meta_service").source, priced("meta_service").since) == (META_CARD, "2026-10-01")
    assert priced("meta_service", "MX").confidence == "estimated"
    assert priced("model_input").source.startswith("genai-prices ")


def test_a_row_of_a_model_comes_before_the_listed_price() -> None:
    own = Tariffs(
        models=[
            ModelTariff(model="gpt-6.2-sol", since="2026-10-01", input=1.25, output=10),
            ModelTariff(model="gpt-6-luna", since="2026-12-01", input=0.05, confidence="exact", source="contract"),
        ]
    )
    assert price(own, "model_output", at=NOW, model="gpt-6.2-sol").amount(1_000_000) == nanos(10)
    assert price(own, "model_cached", at=NOW, model="gpt-6.2-sol").amount(1_000_000) == nanos(1.25)
    assert price(own, "model_input", at=NOW, model="gpt-6-luna").amount(1_000_000) == nanos(0.1)
    later = price(own, "model_input", at=NOW + timedelta(days=30), model="gpt-6-luna")
    assert (later.amount(1_000_000), later.confidence, later.source) == (nanos(0.05), "exact", "contract")
    listed = price(own, "model_output", at=NOW + timedelta(days=30), model="gpt-6-luna")
    assert listed.amount(1_000_000) == nanos(0.5)


def test_what_a_file_declares_replaces_the_packaged_row_of_its_day_only() -> None:
    own = MetaTariff(country="CL", category="service", since="2026-10-01", usd=0.018)
    later = TwilioTariff(direction="out", since="2027-01-01", usd=0.004)
    merged = over(Tariffs(meta=[own], twilio=[later]), DEFAULT)
    assert price(merged, "meta_service", "CL", NOW).nano_usd == nanos(0.018)
    assert price(merged, "meta_service", "AR", NOW).nano_usd == nanos(0.026)
    assert price(merged, "twilio_out", at=NOW).nano_usd == nanos(0.005)
    assert price(merged, "twilio_out", at=datetime(2027, 1, 1, tzinfo=UTC)).nano_usd == nanos(0.004)
    assert len(merged.meta) == len(DEFAULT.meta)


def test_an_amount_is_rounded_once_and_half_to_even() -> None:
    assert [UnitPrice(1, 2, "", None, "exact").amount(quantity) for quantity in (1, 2, 3, 5)] == [0, 1, 2, 2]


def test_every_country_of_phone_numbers_is_a_country() -> None:
    assert set(SUPPORTED_REGIONS) - {"AC", "TA", "XK"} <= COUNTRIES


def test_every_kind_of_meta_has_a_category() -> None:
    categories = {row.category for row in DEFAULT.meta}
    assert {f"meta_{category}" for category in categories} == set(get_args(MetaKind))
