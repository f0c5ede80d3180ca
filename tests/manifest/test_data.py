"""What a block `data:` needs, and which clients are asked for one."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.manifest.data_checks import check_data
from schemas.data_policy import DataPolicy

TIGHT = {"sensitive": ["health"], "retention": {"messages": "180d", "media": "7d"}}


def said(**values: Any) -> list[tuple[str, str]]:
    return [(found.severity, found.message) for found in check_data(values)]


@pytest.mark.parametrize("consent", [None, {"text": "¿Aceptas?", "required": True}])
def test_sensitive_data_with_what_they_need_are_fine(consent: Any) -> None:
    assert said(name="Clínica", data=TIGHT | ({"consent": consent} if consent else {})) == []


def test_conversations_with_sensitive_data_are_not_tried_again() -> None:
    [(severity, message)] = said(data={**TIGHT, "replay": True})
    assert severity == "error"
    assert message.startswith("data.replay: what people write about sensitive data")


@pytest.mark.parametrize(
    "values",
    [
        {"name": "Clínica Dental Sonrisas"},
        {"name": "Dra. Paz", "metadata": {"industria": "Psicología"}},
        {"name": "Norte", "sender": {"profile": {"vertical": "Medical and Health"}}},
    ],
)
def test_a_clinic_that_says_nothing_of_it_is_warned(values: dict[str, Any]) -> None:
    [(severity, message)] = said(**values)
    assert severity == "warning"
    assert message.endswith("people may write about their health here, and data.sensitive is not declared")
    assert said(**values, data={"sensitive": []}) == []


@pytest.mark.parametrize("name", ["Restaurante La Cocina", "Clinique", "Medicamente Bueno", "Ferretería Saludos"])
def test_others_are_not(name: str) -> None:
    assert said(name=name, data={"retention": {"messages": "180d"}}) == []


def test_leaves_that_say_the_same_are_one_object_and_others_are_not() -> None:
    leave = {"contract": "Anexo 1", "since": "2026-11-01"}
    ours, theirs = (
        DataPolicy.model_validate({"recipients": {"openai": leave, "twilio": {**leave, "since": since}}})
        for since in ("2026-11-01", "2026-11-02")
    )
    assert ours.recipients is not None
    assert theirs.recipients is not None
    assert ours.recipients["openai"] is ours.recipients["twilio"] is theirs.recipients["openai"]
    assert theirs.recipients["twilio"].since == "2026-11-02"
