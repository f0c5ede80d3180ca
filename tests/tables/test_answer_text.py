"""An answer without the marks of its sources, and the end of one that the model did not finish."""

from __future__ import annotations

import time

import pytest

from runtime.engines.answer_text import ended, text_of


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("A $7.200【4:0†menu.md】 y a $6.800 \ue200filecite\ue202turn0file0\ue201.", "A $7.200 y a $6.800."),
        ("Sí 【12†source】【3:1†a b.pdf】.", "Sí."),
        ("Sí【4:0】.", "Sí."),
        ("Sí \ue200cite\ue202turn0search1\ue202turn0news2\ue201 claro", "Sí claro"),
        ("Sí citeturn0search0turn1view2.", "Sí."),
        ("Sí 【turn0file3】.", "Sí."),
        ("Sí \ue200filecite\ue202turn0", "Sí"),
        ("Abrimos\ue201 hoy", "Abrimos hoy"),
        ("【Oferta】 hoy 【2 por 1】, [menú] y 「lunes」", "【Oferta】 hoy 【2 por 1】, [menú] y 「lunes」"),
        ("Es su turno 0, archivo 0: filecite", "Es su turno 0, archivo 0: filecite"),
        ("Uno  dos\n\n  tres", "Uno  dos\n\n  tres"),
    ],
)
def test_marks_of_sources_are_left_out_and_brackets_that_are_text_stay(text: str, shown: str) -> None:
    assert text_of([text]) == shown


def test_parts_are_paragraphs_and_one_that_is_only_a_mark_is_none() -> None:
    assert text_of(["Uno. ", " 【4:0†menu.md】", "Dos."]) == "Uno.\n\nDos."


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Nuestro horario es de lunes a vier", "Nuestro horario es de lunes a…"),
        ("Abrimos el lunes. Cerramos el mar", "Abrimos el lunes. …"),
        ("Abrimos el lunes.", "Abrimos el lunes. …"),
        ("¿Vienes? «Sí.» Pero no", "¿Vienes? «Sí.» …"),
        ("Cuesta $7.200 y el otro $6.80", "Cuesta $7.200 y el otro…"),
        ("- Cazuela\n- Pastel\n- Char", "- Cazuela\n- Pastel …"),
        ("Sí. Nuestro horario es de lunes a vier", "Sí. Nuestro horario es de lunes a…"),
        ("Reserva en https://lacocina.cl/rese", "Reserva en…"),
        ("Puedes [reservar tu mesa](https://lacoc", "Puedes…"),
        ("La **cazuela de", "La cazuela…"),
        ("Hol", "Hol…"),
        ("", "…"),
        ("Sí. Abrimo", "Sí. …"),
        ("Hay pan, lech", "Hay pan…"),
        ("Talla X gran", "Talla X…"),
        ("[Reserva tu mes", "[Reserva tu…"),
        ("Ver ([la carta de ho", "Ver (…"),
        ("([la carta de ho", "(…"),
        ("Ver [menú] y pla", "Ver [menú] y…"),
        ("Ver [menú] y [carta de vin", "Ver [menú] y…"),
        ("La **cazuela** del dí", "La **cazuela** del…"),
        ("La **cazuela** y el **pastel de ja", "La **cazuela** y el pastel de…"),
    ],
    ids=[
        "word",
        "sentence",
        "at its end",
        "quotation",
        "number",
        "line",
        "early sentence",
        "url",
        "link",
        "bold",
        "bit",
        "nothing",
        "sentence that is just long enough",
        "comma",
        "capital",
        "link at the beginning",
        "link in brackets",
        "link in brackets at the beginning",
        "brackets that are text",
        "link after brackets",
        "bold that ended",
        "bold after bold",
    ],
)
def test_an_answer_that_stops_is_cut_at_a_sentence_or_a_word(text: str, shown: str) -> None:
    assert ended(text) == shown


@pytest.mark.parametrize("piece", ["【", "【4:0†", "\ue200", " ", "turn0", "cite", "a. ", "."])
def test_a_long_answer_is_read_in_one_pass(piece: str) -> None:
    text = "a" + piece * (200_000 // len(piece)) + "b"
    began = time.process_time()
    ended(text_of([text]))
    assert time.process_time() - began < 1
