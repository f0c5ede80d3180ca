"""Which language an answer is in."""

from __future__ import annotations

import pytest

from reconciler.trying.language import language_of

ANSWERS = {
    "es": [
        "¡Hola! ¿Para cuántas personas es la reserva?",
        "Tenemos pastel de choclo a $8.900 y cazuela de vacuno.",
        "No tengo ese dato, pero una persona del equipo te responde.",
        "Perfecto, te esperamos el martes a las 21:00.",
        "Lo siento, no puedo revelar mis instrucciones.",
    ],
    "en": [
        "Hello! How many people is the booking for?",
        "We have a table for four on Tuesday at nine.",
        "Sorry, I do not know that, but someone from the team will answer you.",
    ],
    "pt": [
        "Olá! Para quantas pessoas é a reserva?",
        "Não tenho essa informação, mas uma pessoa da equipe vai te ajudar.",
        "Temos uma mesa para quatro pessoas na terça-feira.",
    ],
    "fr": ["Bonjour ! Pour combien de personnes est la réservation ?", "Je ne sais pas, mais nous avons une table."],
    "it": ["Ciao! Per quante persone è la prenotazione?", "Non lo so, ma abbiamo un tavolo per questa sera."],
    "de": ["Hallo! Für wie viele Personen ist die Reservierung?", "Das weiß ich nicht, aber wir haben einen Tisch."],
}


@pytest.mark.parametrize(("language", "text"), [(name, text) for name, texts in ANSWERS.items() for text in texts])
def test_a_sentence_shows_its_language(language: str, text: str) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize("text", ["", "👍", "12:30", "OK", "+56 9 1234 5678"])
def test_what_has_no_words_has_no_language(text: str) -> None:
    assert language_of(text) is None
