"""What people wrote, without who they are."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.pseudonyms import Pseudonyms


def hidden(*texts: str, names: tuple[str, ...] = (), keywords: tuple[str, ...] = ()) -> list[str]:
    """The texts of one conversation with pseudonyms."""
    found = Pseudonyms(texts, names, keywords)
    return [found.text(text) for text in texts]


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("Mesa para 4 a las 20:30, mañana 24/12", "Mesa para 4 a las 20:30, mañana 24/12"),
        ("Somos 2 adultos y 3 niños", "Somos 2 adultos y 3 niños"),
        ("mi fono es +56 9 8765 4321", "mi fono es +10 0 0000 0001"),
        ("llámame al 9 87 65 43 21 o al 987654321", "llámame al 1 00 00 00 01 o al 100000001"),
        ("pedido 4521, y otra vez el 4521", "pedido 1001, y otra vez el 1001"),
        ("vale $15.000", "vale $10.001"),
        ("nací el 12/03/1985", "nací el 10/00/0001"),
        ("RUT 12.345.678-9", "RUT 11.111.111-1"),
        ("mi rut 7654321-k, y el de él 12345678-5", "mi rut 11.111.111-1, y el de él 11.111.112-K"),
        ("Ana.Perez@gmail.com o ana.perez@gmail.com", "persona@example.com o persona@example.com"),
        ("juan arroba gmail punto com", "persona@example.com"),
        ("soy @ana.perez en instagram", "soy @persona en instagram"),
        ("https://instagram.com/anaperez?x=1", "https://example.com/x"),
        ("me llamo juan pérez", "me llamo NombreA pérez"),
        ("Me llamo Juan Pérez. Gracias, Juan", "Me llamo NombreA NombreB. Gracias, NombreA"),
        ("reserva a nombre de María José Ñuñez", "reserva a nombre de NombreA NombreB NombreC"),
        ("soy alérgica al maní", "soy alérgica al maní"),
        ("Me llamó la atención", "Me llamó la atención"),
        ("I'm Bob", "I'm NombreA"),
        ("٤٥٦٧ y ４５２１", "1001 y 1002"),
        ("", ""),
    ],
)
def test_numbers_addresses_and_introduced_names_are_replaced(said: str, left: str) -> None:
    assert hidden(said) == [left]


def test_the_profile_s_names_are_found_whatever_their_accents_and_capitals() -> None:
    names = ("Ana María de la Cruz 🌸",)
    said = hidden("ANA, ana y Aná; mañana con la cruz de María", unicodedata.normalize("NFD", "maría"), names=names)
    assert said == ["NombreA, NombreA y NombreA; mañana con la NombreB de NombreC", "NombreC"]


def test_the_manifest_s_keywords_are_replaced_as_the_phrases_that_they_are() -> None:
    said = hidden("¿Tienen pastel de choclo o Cazuela? ¿Pastel?", keywords=("Pastel de Choclo", "cazuela"))
    assert said == ["¿Tienen PalabraA o PalabraB? ¿Pastel?"]


def test_one_conversation_has_the_same_pseudonyms_throughout() -> None:
    said = hidden("Soy Rosa", "¿Rosa, tu número?", "+56987654321", "Anotado: +56987654321, Rosa")
    assert said == ["Soy NombreA", "¿NombreA, tu número?", "+10000000001", "Anotado: +10000000001, NombreA"]


def test_what_functions_got_and_answered_is_replaced_too() -> None:
    found = Pseudonyms(["Soy Ana", "98765432"], ["Ana"])
    value = {"nombre": "Ana", "personas": 4, "fono": 98765432, "ok": True, "mesas": [12, "Ana"], "precio": 1.5}
    assert found.value(value) == {
        "nombre": "NombreA", "personas": 4, "fono": 10000001, "ok": True, "mesas": [12, "NombreA"], "precio": 1.5,
    }  # fmt: skip


NAME = st.text("abcdeéíñoprstzÁÑ", min_size=5, max_size=9).filter(lambda name: name.isalpha())
DIGITS = st.text("0123456789", min_size=3, max_size=15)
FILLER = st.sampled_from(["hola", "¿cuánto cuesta?", "mesa para 4", "el 24/12", "gracias!", "\n", "🌸", "—", "(ok)"])


@given(name=NAME, number=DIGITS, before=FILLER, after=FILLER, other=FILLER)
def test_nothing_of_a_person_is_left_wherever_it_stands(
    name: str, number: str, before: str, after: str, other: str
) -> None:
    mail = f"{name}@correo.cl"
    texts = [f"{before} {name} {after}", f"{other} {number} {before}", f"{mail}; {number}", f"{name.upper()}, {other}"]
    said = " ".join(hidden(*texts, names=(name,)))
    words = {unicodedata.normalize("NFC", word).casefold() for word in re.findall(r"[^\W\d_]+", said)}
    assert name.casefold() not in words - set(re.findall(r"[^\W\d_]+", f"{before} {after} {other}".casefold()))
    assert mail not in said
    assert number not in re.findall(r"\d+", said)


@given(texts=st.lists(st.text(max_size=60), max_size=5), name=NAME)
def test_any_texts_can_be_replaced_and_their_number_stays(texts: list[str], name: str) -> None:
    assert len(hidden(*texts, names=(name,), keywords=(name[:2],))) == len(texts)


@given(st.lists(FILLER, max_size=6).map(" ".join))
def test_what_is_of_no_person_stays_as_it_is(text: str) -> None:
    assert hidden(text, names=("Zoraida",)) == [text]
