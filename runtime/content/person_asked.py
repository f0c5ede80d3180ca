"""Whether a message asks for a person instead of the assistant, by the words of a list, in Spanish, Portuguese or
English.

A phrase counts as whole words, anywhere in what was written or said, in any case, with or without accents and signs.
Not where the word before it denies it: "no quiero hablar con una persona" is for the assistant.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final

from runtime.content.parts import Content
from runtime.content.rendering import as_text

PHRASES: Final[Mapping[str, Sequence[str]]] = {
    "es": (
        *("hablar con una persona", "hablar con un humano", "hablar con una humana", "hablar con alguien"),
        *("hablar con un ejecutivo", "hablar con una ejecutiva", "hablar con un agente", "hablar con una agente"),
        *("hablar con un asesor", "hablar con una asesora", "hablar con un operador", "hablar con una operadora"),
        *("hablar con un encargado", "hablar con una encargada", "hablar con un representante"),
        *("comunicarme con una persona", "que me atienda una persona", "que me atienda un humano"),
        *("atención humana", "persona real", "persona de verdad", "agente humano", "asistencia humana"),
        *("quiero un humano", "quiero una persona", "un humano por favor", "una persona por favor"),
        *("pásame con alguien", "pásame con una persona", "páseme con alguien", "páseme con una persona"),
        *("pásame con un ejecutivo", "páseme con un ejecutivo"),
    ),
    "en": (
        *("talk to a person", "talk to a human", "talk to someone", "talk to an agent", "talk to a real person"),
        *("speak to a person", "speak to a human", "speak to someone", "speak to an agent", "speak with a person"),
        *("speak with a human", "speak with someone", "speak with an agent", "speak to a representative"),
        *("human agent", "real person", "human please", "real human", "customer representative"),
    ),
    "pt": (
        *("falar com uma pessoa", "falar com um humano", "falar com alguém", "falar com um atendente"),
        *("falar com uma atendente", "falar com atendente", "atendente humano", "atendimento humano"),
        *("pessoa de verdade", "quero um atendente", "quero um humano"),
    ),
}
"""By language, as people write them with care."""
DENIALS: Final = frozenset({"no", "nunca", "sin", "not", "dont", "never", "without", "nao", "sem"})
DENIED_WORDS: Final = 3
"""A denial at most this number of words before a phrase counts for it: "no quiero hablar con una persona"."""


def asks_for_person(contents: Iterable[Content], own: Collection[str] = ()) -> bool:
    """Whether one of these messages does; `own` are further phrases."""
    phrases = _plain_phrases(tuple(own))
    return any(_has_one(_plain(as_text(content)), phrases) for content in contents)


def _has_one(text: str, phrases: Sequence[str]) -> bool:
    return any(phrase in text and _is_meant(text, phrase) for phrase in phrases)


def _is_meant(text: str, phrase: str) -> bool:
    """Whether a phrase stands somewhere in a text without a denial before it."""
    at = text.find(phrase)
    while at >= 0:
        if DENIALS.isdisjoint(text[:at].split()[-DENIED_WORDS:]):
            return True
        at = text.find(phrase, at + 1)
    return False


@lru_cache(maxsize=256)
def _plain_phrases(own: tuple[str, ...]) -> Sequence[str]:
    built_in = (phrase for phrases in PHRASES.values() for phrase in phrases)
    return [_plain(phrase) for phrase in (*built_in, *own)]


def _plain(text: str) -> str:
    """Words in lower case without accents and signs, each between blanks."""
    if not text.isascii():
        letters = unicodedata.normalize("NFKD", text)
        text = "".join(letter for letter in letters if not unicodedata.combining(letter))
    text = text.replace("'", "").casefold()
    words = "".join(letter if letter.isalnum() else " " for letter in text).split()
    return f" {' '.join(words)} "
