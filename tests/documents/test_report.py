"""A report: its text to the letter in each format and language, its rounding, and what it never shows.

UPDATE_GOLDEN=1 writes the golden files again: review their diff.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest

from runtime.reports.content import Branding, document
from runtime.reports.figures import Figures, Traffic
from runtime.reports.formats import Format, rendered, rendered_overview
from runtime.reports.html import bars, round_up, shade
from runtime.reports.logo import NoLogo, logo_url
from runtime.reports.money import GROUPS, NoRate, bill
from runtime.reports.month import BadMonth, Month, parsed_month, present_month
from runtime.reports.text import report_text
from runtime.reports.words import WORDS, Words
from runtime.store.activity_records import VariantRecord
from runtime.store.usage.reporting import UsageTotal
from schemas.money import Language, decimal_text, money_text
from schemas.policy import Budget
from schemas.prices import Kind
from schemas.tariffs import Agency, ExchangeRate, Fees

GOLDEN = Path(__file__).parent / "golden"
NOW = datetime(2026, 11, 2, 15, 30, tzinfo=UTC)
HORIZON = Agency(
    name="HorizonAI",
    contact="hola@horizonai.cl",
    logo="https://horizonai.cl/logo.png",
    currency="CLP",
    exchange=[ExchangeRate(since="2026-09-01", per_usd=940), ExchangeRate(since="2026-10-15", per_usd=950)],
    vat_percent=19,
    margin_percent=37.5,
    fees=Fees(setup=350_000, monthly=90_000),
)
NO_MARGIN = HORIZON.model_copy(update={"margin_percent": 0})
PEAK = [0] * 11 + [6, 14, 22, 9, 3, 2, 4, 10, 26, 31, 18, 7, 1]
DAYS = [48, 61, 73, 40, 33, 9, 37, 44, 52, 66, 71, 38, 8, 41, 47, 55, 69, 76, 35, 10, 39, 42, 58, 70, 80, 36, 7, 43, 49]
DAYS += [60, 75]
OCTOBER = Figures(
    client="la-cocina",
    name="Restaurante La Cocina",
    numbers=["+56961234501"],
    zone="America/Santiago",
    month=Month(2026, 10),
    made_at=NOW,
    traffic=Traffic(
        people=438,
        conversations=612,
        received=1472,
        answered=1401,
        unanswered={"human": 31, "no_reply": 22, "a_newer_reason": 1},
        failed=12,
        waiting=5,
        undelivered=4,
        undelivered_codes={"63024": 3, "63018": 1},
        half_within=3.4,
        most_within=128.9,
        hours=[[round(count * factor) for count in PEAK] for factor in (0.7, 0.1, 0.6, 0.8, 1.6, 1.9, 1.2)],
        days=DAYS,
        documents={"carta.pdf": 212, "vinos.pdf": 40},
        functions={"crear_reserva": 187, "=cmd|' /C calc'!A0": 1},
        at_the_border=7,
    ),
    usage=[
        UsageTotal("model_input", "gpt-6-luna", "estimated", 1_100_000, 110_000_000),
        UsageTotal("model_output", "gpt-6-luna", "list_price", 280_000, 140_000_000),
        UsageTotal("web_search", "gpt-9", "unknown", 3, None),
        UsageTotal("twilio_in", None, "list_price", 1472, 7_360_000_000),
        UsageTotal("twilio_out", None, "exact", 1430, 7_150_000_000),
        UsageTotal("meta_service", None, "list_price", 1000, 0),
        UsageTotal("meta_service", None, "list_price", 426, 8_520_000_000),
    ],
    usage_before=[
        UsageTotal("twilio_in", None, "list_price", 1290, 6_450_000_000),
        UsageTotal("twilio_out", None, "list_price", 1288, 6_440_000_000),
        UsageTotal("meta_marketing", None, "list_price", 20, 1_778_000_000),
    ],
    messages_since="2026-09-12T14:00:00.000Z",
    free_used=1000,
    budget=Budget(monthly=40),
    variants=[
        VariantRecord("canary", 130, 120, 1, 4, 5, 121, 9_600, 900_000_000),
        VariantRecord("stable", 1310, 1281, 11, 61, 17, 1309, 128_100, 8_100_000_000),
    ],
)


def changed(figures: Figures, **traffic: Any) -> Figures:
    return replace(figures, traffic=replace(figures.traffic, **traffic))


EMPTY = replace(
    changed(
        OCTOBER, people=0, conversations=0, received=0, answered=0, unanswered={}, failed=0, waiting=0, undelivered=0,
        undelivered_codes={},
        half_within=None, most_within=None, hours=[[0] * 24] * 7, days=[0] * 31, documents={}, functions={},
        at_the_border=0,
    ),
    usage=[], free_used=0,
)  # fmt: skip


def text_of(
    figures: Figures, form: Format, language: Language = "es", agency: Agency = HORIZON, *, with_vat: bool = True
) -> str:
    content = rendered(figures, agency, form, language, with_vat=with_vat)
    assert isinstance(content, str)
    return content


@pytest.mark.parametrize("language", ["es", "en"])
@pytest.mark.parametrize("form", ["text", "json", "csv", "html"])
def test_reads_as_agreed(form: Format, language: Language) -> None:
    text = text_of(OCTOBER, form, language)
    golden = GOLDEN / f"report_{language}.{'txt' if form == 'text' else form}"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("form", ["text", "json", "csv", "html"])
@pytest.mark.parametrize("language", ["es", "en"])
def test_the_margin_cannot_be_told_from_higher_costs(form: Format, language: Language) -> None:
    def costing(factor: Fraction) -> Figures:
        def dearer(totals: Iterable[UsageTotal]) -> list[UsageTotal]:
            return [replace(each, amount=each.amount and int(each.amount * factor)) for each in totals]

        budget = Budget(monthly=float(40 * factor))
        return replace(OCTOBER, usage=dearer(OCTOBER.usage), usage_before=dearer(OCTOBER.usage_before), budget=budget)

    with_margin = text_of(OCTOBER, form, language)
    assert with_margin == text_of(costing(Fraction("1.375")), form, language, NO_MARGIN)
    assert not re.search(r"margen|margin(?!:)|37[.,]5", with_margin.partition("</style>")[2] or with_margin)


def test_our_own_cost_is_in_no_format_of_a_client() -> None:
    own = bill(OCTOBER, NO_MARGIN, with_vat=True)
    amounts = {money_text(line.amount, "CLP") for line in own.lines if line.amount} | {money_text(own.usage, "CLP")}
    for form in get_args(Format)[:4]:
        assert [amount for amount in amounts if amount.removeprefix("$ ") in text_of(OCTOBER, form)] == []


def test_the_overview_of_the_agency_has_cost_revenue_and_margin() -> None:
    shown = rendered_overview([OCTOBER, EMPTY], HORIZON, Month(2026, 10), "text", "es")
    cost = Fraction(23_280_000_000 * 950, 10**9)
    revenue = cost * Fraction("1.375") + 90_000
    assert isinstance(shown, str)
    row = next(line for line in shown.splitlines() if line.startswith("Restaurante La Cocina"))
    assert row.split("  ")[0] == "Restaurante La Cocina"
    for amount in (cost, revenue, revenue - cost):
        assert money_text(amount, "CLP") in row
    assert "Con uso sin precio conocido: Restaurante La Cocina." in shown
    assert shown.count("Restaurante La Cocina") == 2, "a client without anything has no row"
    read = json.loads(rendered_overview([OCTOBER], HORIZON, Month(2026, 10), "json", "es"))
    assert Fraction(read["clients"][0]["margin"]) == revenue - cost
    assert "Margen" in str(rendered_overview([OCTOBER], HORIZON, Month(2026, 10), "html", "es"))
    assert "margin" in str(rendered_overview([OCTOBER], HORIZON, Month(2026, 10), "csv", "en")).lower()


def test_every_kind_of_usage_is_in_one_line_of_a_bill() -> None:
    assert sorted(kind for kinds in GROUPS.values() for kind in kinds) == sorted(get_args(Kind))
    assert [group for group in GROUPS if f"group_{group}" not in WORDS] == []


def test_both_languages_have_the_same_places_to_fill() -> None:
    places = {key: [set(re.findall(r"{\w+}", text)) for text in both] for key, both in WORDS.items()}
    assert [key for key, (spanish, english) in places.items() if spanish != english] == []


def test_amounts_are_rounded_once_when_they_are_shown() -> None:
    third = replace(OCTOBER, usage=[UsageTotal("twilio_in", None, "exact", 3, 333_333_333), OCTOBER.usage[3]])
    owed = bill(third, Agency(currency="CLP", exchange=[ExchangeRate(since="2026-01-01", per_usd=1)]), with_vat=True)
    assert owed.usage == Fraction(7_693_333_333, 10**9)
    assert (money_text(Fraction(1, 2), "CLP"), money_text(Fraction(3, 2), "CLP")) == ("$ 0", "$ 2")
    assert money_text(Fraction("1234567.891"), "USD", language="en") == "US$ 1,234,567.89"
    assert money_text(Fraction("-1234.5"), "PEN") == "PEN −1.234,50"
    assert decimal_text(Fraction("0.05"), 1, "en") == "0.0"


@pytest.mark.parametrize(
    ("share", "shown"),
    [("0", "0 %"), ("1", "100 %"), ("0.9999", "99,9 %"), ("0.00001", "0,1 %"), ("0.5", "50 %"), ("0.974", "97,4 %")],
)
def test_a_share_is_neither_all_nor_nothing_unless_it_is(share: str, shown: str) -> None:
    assert Words("es").percent(Fraction(share)) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"), [(3.44, "3,4 s"), (59.9, "59,9 s"), (60, "1 min"), (128.9, "2 min 9 s"), (4320, "1 h 12 min")]
)
def test_a_time_has_the_units_that_people_use(seconds: float, shown: str) -> None:
    assert Words("es").seconds(seconds) == shown


def test_a_budget_is_in_dollars_or_in_the_money_of_the_agency() -> None:
    in_pesos = bill(replace(OCTOBER, budget=Budget(monthly=38_000, currency="CLP")), HORIZON, with_vat=True)
    in_dollars = bill(OCTOBER, HORIZON, with_vat=True)
    assert in_pesos.budget == in_dollars.budget
    assert in_pesos.budget is not None
    assert in_pesos.budget.share == Fraction("23.28") / 40
    assert bill(replace(OCTOBER, budget=Budget(monthly=5, currency="PEN")), HORIZON, with_vat=True).budget is None


def test_net_amounts_only_say_so() -> None:
    shown = text_of(OCTOBER, "text", with_vat=False)
    assert "Los valores son netos, sin IVA." in shown
    assert "IVA 19 %" not in shown
    untaxed = text_of(OCTOBER, "text", agency=HORIZON.model_copy(update={"vat_percent": None}))
    assert "Los valores no incluyen impuestos." in untaxed
    assert "IVA" not in untaxed


def test_a_month_without_messages_has_the_fee_and_what_it_was_before() -> None:
    shown = text_of(EMPTY, "text")
    assert "En octubre de 2026 nadie escribió a Restaurante La Cocina." in shown
    assert "Mensualidad" in shown
    assert "Mensajes por día" not in shown


@pytest.mark.parametrize("form", ["json", "csv", "html"])
def test_a_month_without_messages_can_be_written_in_every_format(form: Format) -> None:
    assert "Restaurante La Cocina" in text_of(EMPTY, form)


def test_the_first_month_is_compared_with_nothing() -> None:
    assert "Mes anterior" not in text_of(replace(OCTOBER, usage_before=[]), "text")


def test_a_month_before_the_first_rate_is_not_compared() -> None:
    agency = HORIZON.model_copy(update={"exchange": [ExchangeRate(since="2026-10-01", per_usd=950)]})
    assert "Mes anterior" not in text_of(OCTOBER, "text", agency=agency)
    later = HORIZON.model_copy(update={"exchange": [ExchangeRate(since="2026-11-01", per_usd=950)]})
    with pytest.raises(NoRate, match="No rate says what a dollar costs in CLP on 2026-10-31"):
        text_of(OCTOBER, "text", agency=later)


def test_a_month_that_is_not_over_says_until_when_it_was_counted() -> None:
    now = datetime(2026, 11, 1, 1, tzinfo=UTC)
    assert "El mes no ha terminado: son las cifras hasta el 31 de octubre de 2026, 22:00." in text_of(
        replace(OCTOBER, made_at=now), "text"
    )
    assert "no ha terminado" not in text_of(OCTOBER, "text")


@pytest.mark.parametrize(
    ("number", "said"),
    [
        ("2026-11", None),
        ("2026-12", "--month 2026-12 is still to come"),
        ("2026-1", "is not a month; write"),
        ("0000-01", "is not a month"),
    ],
)
def test_a_month_has_begun(number: str, said: str | None) -> None:
    if said is None:
        assert str(parsed_month(number, NOW)) == number
        return
    with pytest.raises(BadMonth, match=said):
        parsed_month(number, NOW)


@pytest.mark.parametrize(
    ("now", "zone", "month"),
    [
        ("2026-12-01T02:59:59+00:00", "America/Santiago", "2026-11"),
        ("2026-12-01T03:00:00+00:00", "America/Santiago", "2026-12"),
        ("2026-11-30T23:59:59+00:00", "Europe/Madrid", "2026-11"),
        ("2026-12-01T00:00:00+00:00", "Europe/Madrid", "2026-12"),
        ("2027-01-01T01:00:00+00:00", "America/Santiago", "2026-12"),
    ],
)
def test_the_present_month_has_begun_for_messages_and_for_costs(now: str, zone: str, month: str) -> None:
    assert str(present_month(datetime.fromisoformat(now), ZoneInfo(zone))) == month


def test_months_follow_one_another() -> None:
    assert (Month(2026, 1).before, Month(2026, 12).after, Month(2028, 2).days) == (Month(2025, 12), Month(2027, 1), 29)


def test_names_are_text_on_the_page_and_no_formulas_in_a_spreadsheet() -> None:
    bold = changed(replace(OCTOBER, name="<b>Uno</b>"), functions={"<script>": 2})
    page = text_of(bold, "html")
    assert "<b>Uno" not in page
    assert "<script>" not in page
    cells = {cell for row in csv.reader(io.StringIO(text_of(OCTOBER, "csv"))) for cell in row}
    assert "'=cmd|' /C calc'!A0" in cells
    assert not [cell for cell in cells if cell.startswith(("=", "+", "@"))]


def test_the_chart_has_a_text_for_those_who_do_not_see_it() -> None:
    page = text_of(OCTOBER, "html")
    svg = page[page.index("<svg") : page.index("</svg>")]
    assert 'role="img" aria-labelledby="chart-title chart-description"' in svg
    assert '<title id="chart-title">Mensajes por día</title>' in svg
    assert "25: 80;" in svg
    assert svg.count('<rect class="bar"') == 31


def test_bars_reach_from_zero_to_the_end_of_the_scale() -> None:
    drawn = bars([0, 50, 100])
    assert (drawn["top"], [bar["height"] for bar in drawn["rectangles"]]) == (100, ["0.0", "80.0", "160.0"])
    assert [round_up(value) for value in (0, 1, 3, 11, 80, 106, 501)] == [1, 1, 3, 12, 80, 120, 520]
    assert [shade(value, [[0, 10]]) for value in (0, 1, 5, 10)] == [0, 1, 3, 5]


def test_a_logo_beside_the_command_is_in_the_page(tmp_path: Path) -> None:
    (tmp_path / "logo.png").write_bytes(b"\x89PNG")
    (tmp_path / "note.txt").write_text("x")
    assert logo_url("logo.png", tmp_path) == "data:image/png;base64,iVBORw=="
    for name, said in (("none.png", "cannot be read: No such file"), ("note.txt", "is not an image of at most 1 MiB")):
        with pytest.raises(NoLogo, match=said):
            logo_url(name, tmp_path)


def test_a_client_without_an_agency_s_name_has_the_day_only() -> None:
    words = Words("es")
    shown = report_text(document(OCTOBER, bill(OCTOBER, HORIZON, with_vat=True), Branding(None, None, None), words))
    assert shown.splitlines()[2] == "2 de noviembre de 2026"
    assert "Contacto" not in shown
