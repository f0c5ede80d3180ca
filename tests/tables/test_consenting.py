"""What is a yes, a no, or a yes taken back; and what none of them is."""

from __future__ import annotations

import pytest

from runtime.content.consenting import consenting_of, consenting_of_text
from runtime.content.parts import ButtonReply, Content, ListReply, Text, Voice


@pytest.mark.parametrize(
    "text",
    [
        "Sí",
        "si",
        "SI.",
        "Acepto",
        "sí, acepto",
        "De acuerdo!",
        "ok gracias",
        "Hola, acepto",
        "Sim, aceito",
        "Yes",
        "I agree",
    ],
)
def test_a_yes(text: str) -> None:
    assert consenting_of_text(text) == "yes"


@pytest.mark.parametrize("text", ["No", "no gracias", "No acepto.", "Não aceito", "I don't agree"])
def test_a_no(text: str) -> None:
    assert consenting_of_text(text) == "no"


@pytest.mark.parametrize(
    "text",
    [
        "Retiro mi consentimiento",
        "hola, quiero retirar mi consentimiento por favor",
        "Ya no acepto",
        "I withdraw my consent",
        "retiro o meu consentimento",
    ],
)
def test_a_yes_taken_back(text: str) -> None:
    assert consenting_of_text(text) == "revoked"


@pytest.mark.parametrize(
    "text",
    [
        "sí, quiero una hora",
        "¿sí?",
        "¿Cómo retiro mi consentimiento?",
        "no retiro mi consentimiento",
        "acepto no",
        "👍",
        "",
        "hola",
        "gracias",
    ],
)
def test_none_of_them(text: str) -> None:
    assert consenting_of_text(text) is None


def test_a_clients_own_word_is_a_yes_unless_it_is_a_no() -> None:
    assert consenting_of_text("Adelante", ["adelante", "no"]) == "yes"
    assert consenting_of_text("Adelante") is None
    assert consenting_of_text("no", ["adelante", "no"]) == "no"


def test_buttons_and_rows_say_it_too_and_a_transcript_does_not() -> None:
    assert consenting_of(Content((ButtonReply("Acepto", "1"),))) == "yes"
    assert consenting_of(Content((ListReply("No acepto", "2"),))) == "no"
    assert consenting_of(Content((Voice("https://x", "audio/ogg", text="sí"),))) is None
    assert consenting_of(Content((Text("sí"), Voice("https://x", "audio/ogg")))) is None
