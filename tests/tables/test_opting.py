"""Which messages are nothing but the words that end proactive messages, or allow them again."""

from __future__ import annotations

import pytest

from runtime.content.opting import is_said_to_opt_out, may_opt_out, opting_of, own_words_of
from runtime.content.parts import Audio, ButtonReply, Content, Flow, Image, ListReply, Part, Text, Voice
from tests.runtime.dialogues import BOOKINGS

OUT = (
    *("STOP", "stop", "Baja", "¡BAJA!", "bája.", " «Baja» ", "Stop 🙏", "ＳＴＯＰ", "unsubscribe", "UNSUBSCRIBE."),
    *("Darme de baja", "darme de baja por favor", "No más mensajes", "no mas mensajes, gracias", "NO MÁS MENSAJES!!!"),
    *("Stop. Gracias", "BAJA 🙏", "Hola, baja por favor", "Baja 👎", "🛑 STOP 🛑", "por favor stop, gracias"),
    *("Buenos días. Baja, muchas gracias", "stop please", "Baja\n\nGracias", "b\u200daja"),
)
IN = ("START", "alta", "¡Alta!", "Alta por favor", "start 🙂")
NEITHER = (
    *("", "...", "🙏", "gracias", "hola", "baja baja", "bajar", "nonstop", "stop it", "alta cocina", "stop?", "¿baja?"),
    *("quiero dar de baja mi reserva", "no me manden más boletas, ya pagué", "me quiero dar de baja del gimnasio"),
    *("cancelar", "salir", "parar", "cancelar mi hora", "baja a las 5", "baja mañana", "no más mensajes de voz"),
    *("ya no quiero más mensajes", "para", "no", "1", "stop 1", "x" * 80 + " stop", "stop, ¿a qué hora abren?"),
)


def message(*parts: Part) -> Content:
    return Content(parts)


@pytest.mark.parametrize("text", OUT)
def test_whole_messages_that_opt_out(text: str) -> None:
    assert opting_of(message(Text(text))) == "out"


@pytest.mark.parametrize("text", IN)
def test_whole_messages_that_opt_in(text: str) -> None:
    assert opting_of(message(Text(text))) == "in"


@pytest.mark.parametrize("text", [*NEITHER, *(said for _, said in BOOKINGS)])
def test_sentences_and_a_booking_s_words_are_neither(text: str) -> None:
    assert opting_of(message(Text(text))) is None


@pytest.mark.parametrize(
    ("part", "opting"),
    [
        (ButtonReply("Baja", "no_mas"), "out"),
        (ButtonReply("Detener promociones", "STOP"), "out"),
        (ButtonReply("Detener promociones"), "out"),
        (ButtonReply("DETENER PROMOCIÓN"), "out"),
        (ButtonReply("Stop promotions", "Stop promotions"), "out"),
        (ButtonReply("Parar promoções"), "out"),
        (ButtonReply("Arrêter", "STOP"), "out"),
        (ButtonReply("Arrêter", "Stop promotions"), "out"),
        (ButtonReply("Parar", "stop"), None),
        (ButtonReply("Cancelar", "cancelar"), None),
        (ButtonReply("Salir"), None),
        (ButtonReply("Ver promociones"), None),
        (ListReply("Baja", "piso_bajo"), None),
        (ListReply("Detener promociones", "STOP"), None),
        (Text("detener promociones"), None),
        (Flow("stop"), None),
    ],
)
def test_of_what_can_be_tapped_only_words_that_opt_out_and_whatsapp_s_own_button_do(
    part: Part, opting: str | None
) -> None:
    assert opting_of(message(part)) == opting


def test_a_word_beside_a_file_is_not_one() -> None:
    assert opting_of(message(Text("baja"), Image("u", "image/png"))) is None


@pytest.mark.parametrize("text", ["No molestar", "no molestar, gracias 🙏", "¡NO MOLESTAR!"])
def test_a_client_s_own_words_opt_out_with_it_only(text: str) -> None:
    own = own_words_of({"opt_out": {"words": ["no molestar"]}})
    assert opting_of(message(Text(text)), own) == "out"
    assert opting_of(message(Text(text))) is None
    assert opting_of(message(Text("BAJA")), own) == "out"


@pytest.mark.parametrize(
    "policy", [{}, {"opt_out": None}, {"opt_out": {}}, {"opt_out": {"words": "x"}}, {"opt_out": 1}]
)
def test_a_policy_without_own_words_has_none(policy: dict[str, object]) -> None:
    assert list(own_words_of(policy)) == []


@pytest.mark.parametrize(
    ("part", "may"),
    [
        *((Text(text), True) for text in ("CANCELAR", "Salir.", "parar", "Cancelar, gracias", "por favor salir 🙏")),
        *((Text(text), False) for text in ("cancelar mi hora", "¿cancelar?", "salir a bailar", "baja", "", "x" * 99)),
        *((ButtonReply(text), False) for text in ("Cancelar", "Salir", "Parar")),
        (ListReply("Cancelar", "cancelar"), False),
        (Voice("u", "audio/ogg", text="cancelar"), False),
    ],
)
def test_what_may_opt_out_after_a_marketing_message(part: Part, may: bool) -> None:
    assert may_opt_out(message(part)) is may


@pytest.mark.parametrize(
    ("part", "is_said"),
    [
        (Voice("u", "audio/ogg", text="Baja."), True),
        (Audio("u", "audio/mp4", text="stop, gracias"), True),
        (Voice("u", "audio/ogg", text="Quiero dar de baja mi reserva."), False),
        (Voice("u", "audio/ogg", text="Cancelar."), False),
        (Voice("u", "audio/ogg"), False),
        (Text("Baja"), False),
    ],
)
def test_a_transcript_opts_out_only_when_asked(part: Part, is_said: bool) -> None:
    assert is_said_to_opt_out(message(part)) is is_said
    assert opting_of(message(part)) is None or isinstance(part, Text)
