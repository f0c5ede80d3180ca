"""Whether a message is nothing but thanks or a goodbye, in Spanish, Portuguese or English: it needs no answer.

A closed list, so that no yes is ever lost. Not in it are "ok", "sí", "dale", "ya", "listo", "perfecto", "bueno" and a
thumb, what greets as well ("buenas noches"), what accepts an appointment ("nos vemos", "hasta mañana"), and what a yes
makes with a goodbye ("good, bye"). A message is thanks when all of it consists of phrases of the list, in any case,
with or without accents and signs, with letters drawn out, and with emoji that agree to nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Final

from runtime.content.parts import Content, Text

LONGEST: Final = 80
"""Characters beyond which a text is not looked at."""

PHRASES: Final[Mapping[str, Sequence[str]]] = {
    "es": (
        *("gracias", "muchas gracias", "muchísimas gracias", "mil gracias", "un millón de gracias"),
        *("gracias a ti", "gracias a usted", "gracias a ustedes", "gracias a vos", "gracias igualmente"),
        *("gracias por todo", "gracias por la ayuda", "gracias por su ayuda", "gracias por tu ayuda"),
        *("gracias por la información", "gracias por la info", "gracias por la atención", "gracias por su atención"),
        *("gracias por avisar", "gracias por responder", "gracias por su respuesta", "gracias por tu respuesta"),
        *(
            "igualmente gracias",
            "muy amable",
            "muy amables",
            "se agradece",
            "te lo agradezco",
            "se lo agradezco",
            "muy agradecido",
        ),
        *("muy agradecida", "chao", "chau", "chaíto", "chao chao", "adiós", "hasta luego"),
        *("hasta pronto", "hasta la próxima", "que esté bien", "que estés bien", "que estén bien"),
        *("que tenga buen día", "que tenga un buen día", "que tengas buen día", "que tengas un buen día"),
        *("que tengan buen día", "que tengan un buen día", "que tenga linda tarde", "que tengas linda tarde"),
        *("buen fin de semana", "que le vaya bien", "que te vaya bien", "saludos", "un abrazo", "abrazos"),
        *("cuídate", "cuídese", "bendiciones"),
    ),
    "pt": (
        *("obrigado", "obrigada", "muito obrigado", "muito obrigada", "brigado", "brigada", "obg", "obgd"),
        *("obrigado por tudo", "obrigada por tudo", "obrigado pela ajuda", "obrigada pela ajuda"),
        *("obrigado pela atenção", "obrigada pela atenção", "obrigado pela informação", "obrigada pela informação"),
        *("agradeço", "muito agradecido", "muito agradecida", "tchau", "tchau tchau", "adeus", "até logo"),
        *("até mais", "até breve", "até a próxima", "abraço", "um abraço", "abraços"),
        *("tenha um bom dia", "tenha uma boa tarde", "tenha uma boa noite", "bom fim de semana"),
    ),
    "en": (
        *("thanks", "thank you", "thanks a lot", "many thanks", "thank you so much", "thanks so much", "thx", "ty"),
        *("thank you very much", "thanks for your help", "thank you for your help", "thanks for the help"),
        *("thanks for everything", "thank you for everything", "much appreciated", "i appreciate it", "bye"),
        *("bye bye", "goodbye", "take care", "have a nice day", "have a good day"),
        *("have a great day", "have a good weekend"),
    ),
}
"""By language, as people write them with care."""

QUESTION_MARKS: Final = frozenset("?¿؟？⁇⁈⁉‽❓❔⸮")

_KINDLY: Final = frozenset("🙏😊🙂😀😃😄😁😉☺😇🤗🥰😍😘😌🌸🌷🌹🌻💐✨🌟⭐👋🙌👏🎉🥳❤♥🧡💛💚💙💜🤍🤎🖤💕💖💗💓💞💝💘❣")
"""Emoji that agree to nothing: not 👍, 👌, 🤝, 💪, ✅ or 💯."""
_UNSEEN: Final = frozenset({"Mn", "Me", "Cf", "Sk"})
"""Categories of accents, variation selectors, joiners and tones of skin."""
_DRAWN_OUT: Final = re.compile(r"(\w)\1+")


def plain_text(content: Content) -> str | None:
    """What a person wrote in a message that is nothing else: no file, no tapped button, no reply to an older message,
    no click on an ad; None for any other."""
    if content.quoted is not None or content.referral is not None or len(content.parts) != 1:
        return None
    part = content.parts[0]
    return part.text if isinstance(part, Text) else None


def asks(text: str) -> bool:
    """Whether a text has a question mark of any script."""
    return not QUESTION_MARKS.isdisjoint(text)


def is_thanks(text: str) -> bool:
    """Whether a text is thanks or a goodbye, all of it."""
    if len(text) > LONGEST or asks(text):
        return False
    words = _words(text)
    return bool(words) and _consists_of_phrases(words)


def _words(text: str) -> Sequence[str]:
    """The words in lower case, without accents, punctuation, doubled letters and kindly emoji."""
    letters = []
    for letter in unicodedata.normalize("NFKD", text.casefold()):
        category = unicodedata.category(letter)
        if category in _UNSEEN:
            continue
        letters.append(" " if category[0] in "PZC" or letter in _KINDLY else letter)
    return _DRAWN_OUT.sub(r"\1", "".join(letters)).split()


def _consists_of_phrases(words: Sequence[str]) -> bool:
    """Whether the words can be divided into phrases, whichever way."""
    ends = {0}
    for start in range(len(words)):
        if start in ends:
            ends |= {start + size for size in range(1, _MOST + 1) if tuple(words[start : start + size]) in _KNOWN}
    return len(words) in ends


_KNOWN: Final = frozenset(tuple(_words(phrase)) for phrases in PHRASES.values() for phrase in phrases)
_MOST: Final = max(map(len, _KNOWN))
