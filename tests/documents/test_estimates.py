"""Estimates in each rendering of a plan."""

from __future__ import annotations

import json

import pytest

from reconciler.model import Estimate
from reconciler.render.html import plan_html
from reconciler.render.json import plan_json
from reconciler.render.markdown import plan_markdown
from reconciler.render.text import plan_text
from tests.documents.plans import HOSTILE, a_change, a_plan, prompt
from tests.reconciler.agency import PLAN_SCHEMA

DEARER = Estimate("la-cocina", 1800, 12_000_000_000, 1200)
CASES = [
    (
        DEARER,
        "≈ +12.00 USD a month: 1,800 answers in the last 30 days × about +1,200 tokens of instructions",
        "≈ +12,00 USD al mes: 1.800 respuestas en los últimos 30 días × unos +1.200 tokens de instrucciones",
    ),
    (
        Estimate("la-cocina", 1, -1_234_560_000_000, models=("gpt-6-sol", "gpt-6-luna"), dropped_tools=["web_search"]),
        "≈ -1,234.56 USD a month: 1 answer in the last 30 days × gpt-6-luna in place of gpt-6-sol, without web_search",
        "≈ -1.234,56 USD al mes: 1 respuesta en los últimos 30 días × gpt-6-luna en lugar de gpt-6-sol, sin web_search",
    ),
    (
        Estimate("la-cocina", 20, 4_000_000, -30),
        "less than 0.01 USD a month: 20 answers in the last 30 days × about -30 tokens of instructions",
        "menos de 0,01 USD al mes: 20 respuestas en los últimos 30 días × unos -30 tokens de instrucciones",
    ),
    (
        Estimate("la-cocina", 20, None, models=("gpt-6-luna", "gpt-9")),
        "unknown costs a month, since no price of it is known: 20 answers in the last 30 days × gpt-9 in place of"
        " gpt-6-luna",
        "costo desconocido, porque no se conoce su precio: 20 respuestas en los últimos 30 días × gpt-9 en lugar de"
        " gpt-6-luna",
    ),
]


@pytest.mark.parametrize(("estimate", "english", "spanish"), CASES)
def test_people_read_what_a_month_costs_more(estimate: Estimate, english: str, spanish: str) -> None:
    plan = a_plan(a_change("la-cocina", prompt("x", "y")), estimates=[estimate])

    assert f"estimate: la-cocina: {english}." in plan_text(plan)
    assert english in plan_markdown(plan).replace("\\", "")
    assert spanish in plan_html(plan)


def test_programs_read_whole_numbers() -> None:
    document = json.loads(plan_json(a_plan(a_change("la-cocina", prompt("x", "y")), estimates=[DEARER])))

    PLAN_SCHEMA.validate(document)
    assert document["estimates"] == [
        {
            "client": "la-cocina",
            "answers": 1800,
            "nano_usd": 12_000_000_000,
            "tokens": 1200,
            "models": None,
            "dropped_tools": [],
        }
    ]
    assert "estimates" not in json.loads(plan_json(a_plan(a_change("la-cocina", prompt("x", "y")))))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_model_s_name_breaks_out_of_nothing(name: str) -> None:
    plan = a_plan(a_change("la-cocina"), estimates=[Estimate("la-cocina", 1, 1, models=("a", name))])

    assert "<script>" not in plan_html(plan)
    assert "<script>" not in plan_markdown(plan)
    assert "\x1b" not in plan_text(plan)
