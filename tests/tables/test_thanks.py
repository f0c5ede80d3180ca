"""Which messages are thanks or goodbyes, and which may be a yes: of those none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.content.parts import ButtonReply, Content, Image, Quoted, Reaction, Referral, Text
from runtime.content.thanks import LONGEST, PHRASES, asks, is_thanks, plain_text

YES = (
    *("ok", "okay", "okey", "oka", "sí", "si", "sii", "sip", "dale", "ya", "yap", "listo", "lista", "perfecto"),
    *("bueno", "buenísimo", "bien", "vale", "claro", "de acuerdo", "correcto", "confirmo", "confirmado", "súper"),
    *("genial", "excelente", "bacán", "ahí estaré", "nos vemos", "hasta mañana", "por favor", "de una", "va"),
    *("👍", "👍🏽", "👌", "✅", "💯", "🤝", "💪", "🙏", "❤️", "1", "a las 9", "no", "ninguno", "mañana"),
    *("sim", "beleza", "pode ser", "isso", "certo", "tá", "fechado", "valeu"),
    *("yes", "yep", "sure", "great", "good", "fine", "cool", "alright", "see you", "please", "cheers"),
    *("buenos días", "buenas", "buenas tardes", "buenas noches", "bom dia", "boa noite", "good night", "hola"),
)
"""What agrees, chooses, confirms, greets, or may do so."""
ALL = [phrase for each in PHRASES.values() for phrase in each]
phrases = st.sampled_from(ALL)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "gracias",
            "Gracias",
            "GRACIAS!!!",
            "muchas gracias.",
            "Muchísimas gracias",
            "graciasss",
            "grácias",
            "«Gracias»",
        ),
        *(
            "gracias 🙏",
            "gracias 🙏🏽",
            "Gracias 😊😊",
            "gracias ❤️",
            "🙏 gracias 🙏",
            "gracias :)",
            "¡Gracias!",
            "gracias…",
        ),
        *("Muchas gracias, chao", "gracias\nchao", "Gracias por todo. ¡Hasta luego!", "gracias gracias", "  chao  "),
        *(
            "chao",
            "chaooo",
            "Chau!",
            "adiós",
            "ADIOS",
            "adiós 👋",
            "hasta pronto",
            "que tenga un buen día",
            "un abrazo",
        ),
        *("obrigado", "Obrigada!", "muito obrigado 🙏", "obrigada pela atenção", "tchau", "tchauuu", "até logo"),
        *("thanks", "Thank you!", "thank youuu", "thanks a lot, bye", "Thx", "bye", "byeee", "bye-bye", "Goodbye."),
        *("have a nice day", "gracias, thank you, obrigado", "gra\u200bcias", "ｇｒａｃｉａｓ"),
    ],
)
def test_thanks_and_goodbyes(text: str) -> None:
    assert is_thanks(text)


@pytest.mark.parametrize("text", YES)
def test_what_may_be_a_yes_is_no_thanks(text: str) -> None:
    assert not is_thanks(text)
    assert not is_thanks(f"{text}!")


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "!!!",
            "🙏",
            "no gracias",
            "gracias pero no",
            "gracias, y el precio",
            "gracias?",
            "¿gracias",
            "gracias？",
        ),
        *(
            "gracias Ana",
            "gracias 👍",
            "gracias ✅",
            "gracias 9",
            "gracias <3",
            "por todo",
            "muchas",
            "que tenga",
            "a ti",
        ),
        *(
            "graciass a dios",
            "chao pescao",
            "bye now i need a table",
            "x gracias",
            "gracias x",
            "hasta",
            "un",
            "have a",
        ),
    ],
)
def test_anything_more_or_less_is_no_thanks(text: str) -> None:
    assert not is_thanks(text)


def test_a_long_text_is_not_looked_at() -> None:
    thanks = "gracias " * 9
    assert is_thanks(thanks + " " * (LONGEST - len(thanks)))
    assert not is_thanks(thanks + " " * (LONGEST - len(thanks) + 1))


@given(st.lists(phrases, min_size=1, max_size=3), st.sampled_from([" ", ", ", ". ", "\n", "!! ", " 🙏 "]))
def test_phrases_after_one_another_are_thanks_in_any_case(said: list[str], between: str) -> None:
    text = between.join(said)
    assert is_thanks(text) == (len(text) <= LONGEST)
    assert is_thanks(text.upper()) == (len(text.upper()) <= LONGEST)


@pytest.mark.parametrize("yes", [yes for yes in YES if yes not in ("🙏", "❤️")])
def test_no_yes_is_lost_beside_thanks(yes: str) -> None:
    beside = [text for phrase in ALL for text in (f"{phrase}, {yes}", f"{yes}, {phrase}")]
    assert [text for text in beside if is_thanks(text)] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *((text, True) for text in ("¿Confirmas", "Confirmas?", "確認？", "هل؟", "Ya⁉", "❓")),
        *((text, False) for text in ("", "Confirmado.", "Confirmado!", "a; b", "https://lacocina.cl/reservas")),
    ],
)
def test_a_question_has_its_mark(text: str, expected: bool) -> None:
    assert asks(text) == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (Content((Text("gracias"),)), "gracias"),
        (Content((Text("gracias"),), profile_name="Ana"), "gracias"),
        (Content((Text("gracias"), Image("u", "image/png"))), None),
        (Content((Text("gracias"),), quoted=Quoted("SM1")), None),
        (Content((Text("gracias"),), referral=Referral()), None),
        (Content((ButtonReply("gracias"),)), None),
        (Content((Reaction("🙏"),)), None),
    ],
)
def test_only_a_message_that_is_words_alone_is_looked_at(content: Content, expected: str | None) -> None:
    assert plain_text(content) == expected
