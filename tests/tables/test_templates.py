"""Message templates: what Twilio gets of a declared one, its name, and the values that fill it."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.templates import (
    Template,
    content_of_template,
    filled,
    friendly_name,
    is_content_of,
    template_of_content,
    variables_of,
)

BODY = "Hola {nombre}, te esperamos el {dia}; {nombre}, no faltes."
SAMPLES = {"nombre": "Ana", "dia": "martes"}
CONFIRM = {"title": "Confirmar"}
MAP = {"title": "Ver mapa", "url": "https://a.cl/{lugar}"}
CALL = {"title": "Llamar", "phone": "+56221234567"}


def template(**keys: Any) -> Template:
    return Template.model_validate(
        {"language": "es_CL", "category": "utility", "body": BODY, "samples": {**SAMPLES, "lugar": "centro"}} | keys
    )


@pytest.mark.parametrize(
    ("keys", "kind", "rest"),
    [
        ({}, "twilio/text", {}),
        ({"media": "https://a.cl/m.pdf"}, "twilio/media", {"media": ["https://a.cl/m.pdf"]}),
        ({"buttons": [CONFIRM]}, "twilio/quick-reply", {"actions": [{"title": "Confirmar", "id": "Confirmar"}]}),
        (
            {"buttons": [MAP, CALL]},
            "twilio/call-to-action",
            {
                "actions": [
                    {"type": "URL", "title": "Ver mapa", "url": "https://a.cl/{{3}}"},
                    {"type": "PHONE_NUMBER", "title": "Llamar", "phone": "+56221234567"},
                ]
            },
        ),
        (
            {"header": "Tu hora", "footer": "La Cocina", "buttons": [CONFIRM, {"title": "Copiar", "code": "A1"}]},
            "whatsapp/card",
            {
                "header_text": "Tu hora",
                "footer": "La Cocina",
                "actions": [
                    {"type": "QUICK_REPLY", "title": "Confirmar", "id": "Confirmar"},
                    {"type": "COPY_CODE", "title": "Copiar", "code": "A1"},
                ],
            },
        ),
    ],
    ids=["text", "media", "answers", "opens", "card"],
)
def test_a_template_is_of_the_plainest_type_and_is_read_back(keys: Any, kind: str, rest: Any) -> None:
    declared = template(**keys)
    content = content_of_template(declared)
    body = "Hola {{1}}, te esperamos el {{2}}; {{1}}, no faltes."
    assert content["types"] == {kind: {"body": body, **rest}}
    assert list(content["variables"]) == [str(n) for n in range(1, len(variables_of(declared)) + 1)]
    live = {**content, "sid": f"HX{'0' * 32}", "types": {"twilio/location": None, **content["types"]}}
    read = template_of_content(live, "UTILITY")
    assert read is not None
    assert (is_content_of(read, live), is_content_of(declared, live)) == (True, True)
    assert not is_content_of(template(**keys, language="es"), live)


def test_the_name_changes_with_anything_that_meta_reviews_and_with_the_client() -> None:
    name = friendly_name("la-cocina", "aviso", template())
    assert name.startswith("la_cocina_aviso_es_cl_")
    assert len(name.rpartition("_")[2]) == 8
    assert name == friendly_name("la-cocina", "aviso", template())
    others = [
        friendly_name("la", "cocina_aviso", template()),
        friendly_name("la-cocina", "aviso", template(category="marketing")),
        friendly_name("la-cocina", "aviso", template(samples={**SAMPLES, "dia": "lunes"})),
        friendly_name("la-cocina", "aviso", template(footer="La Cocina")),
    ]
    assert len({name, *others}) == 5


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"nombre": "Ana"}, "No value for dia."),
        ({}, "No value for nombre, dia."),
        ({**SAMPLES, "hora": "3"}, "The template has no variable hora; it has nombre, dia."),
        ({**SAMPLES, "dia": " "}, "The value of dia is empty."),
        ({**SAMPLES, "dia": "lunes\nmartes"}, "The value of dia has a line break or a tab."),
        ({**SAMPLES, "dia": "lunes    martes"}, "The value of dia has more than three blanks in a row."),
        ({**SAMPLES, "dia": "x" * 1025}, "The value of dia is longer than 1,024 characters."),
    ],
)
def test_values_are_checked_before_anything_is_sent(values: dict[str, str], says: str) -> None:
    with pytest.raises(ValueError, match=r"The|No") as wrong:
        filled(template(), values)
    assert str(wrong.value) == says


def test_values_fill_the_body_and_twilios_numbers() -> None:
    body, variables = filled(template(), SAMPLES)
    assert body == "Hola Ana, te esperamos el martes; Ana, no faltes."
    assert variables == {"1": "Ana", "2": "martes"}


def test_a_content_that_no_manifest_can_declare_is_none() -> None:
    content = content_of_template(template(buttons=[CONFIRM]))
    odd = {"twilio/list-picker": {"body": "Hola", "button": "Ver", "items": []}}
    assert template_of_content({**content, "sid": f"HX{'0' * 32}", "types": odd}, "UTILITY") is None
    swapped = {"twilio/text": {"body": "Hola {{2}}, te esperamos el {{1}} otra vez."}}
    assert template_of_content({**content, "sid": f"HX{'0' * 32}", "types": swapped}, "UTILITY") is None
