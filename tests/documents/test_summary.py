"""The one line that sums a plan up: what could not be read is never "no changes"."""

from __future__ import annotations

import pytest

from reconciler.model import Finding, Plan
from reconciler.render.html import plan_html
from reconciler.render.markdown import escape, plan_markdown
from reconciler.render.text import plan_text
from reconciler.render.wording import listed, summary
from tests.documents.plans import a_change, a_plan

TWILIO = "Twilio account AC1"
ERROR = Finding("error", f"{TWILIO}: it answered 500")


@pytest.mark.parametrize(
    ("plan", "text", "spanish"),
    [
        (a_plan(clients=3), "No changes: 3 clients checked.", "Sin cambios: 3 clientes revisados"),
        (
            a_plan(clients=2, findings=[ERROR], unresolved=["a", "b"], unread=[TWILIO, "OpenAI models"]),
            "Nothing was checked: Twilio account AC1 and OpenAI models could not be read. 1 error. 2 clients"
            " unresolved.",
            "No se pudo revisar nada",
        ),
        (
            a_plan(clients=3, findings=[ERROR], unresolved=["a"], unread=[TWILIO]),
            "No changes in 2 of 3 clients; the others were not checked: Twilio account AC1 could not be read. 1 error."
            " 1 client unresolved.",
            "Sin cambios en 2 de 3 clientes",
        ),
        (
            a_plan(clients=0, findings=[ERROR], unread=[TWILIO]),
            "Nothing was checked: Twilio account AC1 could not be read. 1 error.",
            "No se pudo revisar nada",
        ),
        (a_plan(clients=0), "No changes: 0 clients checked.", "Sin cambios: 0 clientes revisados"),
        (
            a_plan(a_change("b"), clients=2, unresolved=["a"], unread=[TWILIO]),
            "Plan: 0 to create, 1 to update, 0 to delete, in 1 of 2 clients. 1 client unresolved.",
            "Plan: 1 cambio en 1 cliente",
        ),
    ],
)
def test_a_plan_without_changes_says_how_much_of_it_was_checked(plan: Plan, text: str, spanish: str) -> None:
    assert summary(plan) == text
    assert plan_text(plan).endswith(f"{text}\n")
    assert f"<h1>{spanish}</h1>" in plan_html(plan)
    assert f"### {escape(text)}\n" in plan_markdown(plan)


@pytest.mark.parametrize(
    ("names", "text"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_names_are_listed_as_in_a_sentence(names: list[str], text: str) -> None:
    assert listed(names) == text
