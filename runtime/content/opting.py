"""Whether a message is nothing but the words with which a person asks to be left alone, or to hear from a client again.

    STOP, BAJA, UNSUBSCRIBE, "darme de baja", "no más mensajes", a client's own      opt out
    WhatsApp's own button below a marketing template ("Detener promociones")          opts out
    CANCELAR, SALIR, PARAR           opt out where they come first after a marketing message that asked nothing
    START, ALTA                      opt in

Only as the whole message, in any case, with or without accents, signs and emoji. Courtesy does not hide them ("Stop.
Gracias", "BAJA 🙏"), a sentence is not one ("quiero dar de baja mi reserva"), nor is a question. CANCELAR, SALIR and
PARAR as a button are a booking's words. A transcript never opts out: who said such a word is asked to write it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple, TypeAlias, TypeVar

from runtime.content.parts import Audio, ButtonReply, Content, Text, Voice
from runtime.content.thanks import PHRASES, asks

Opting: TypeAlias = Literal["out", "in"]
OptOutList: TypeAlias = Literal["marketing", "all"]
"""What a person gets no more of: marketing templates and free text that answers nothing, or every proactive message."""

LONGEST: Final = 80
"""Characters beyond which a message is not looked at."""
OUT: Final = ("stop", "baja", "unsubscribe", "darme de baja", "no más mensajes")
IN: Final = ("start", "alta")
_BY_DEFAULT: Final[Mapping[Opting, Sequence[str]]] = {"out": OUT, "in": IN}
AFTER_MARKETING: Final = ("cancelar", "salir", "parar")
STOP_PROMOTIONS: Final = ("stop promo", "detener promo", "parar promo")
"""How the label of WhatsApp's button begins, in the language of its template."""
STOP_PAYLOAD: Final = "STOP"
"""The payload that such a button may have; ids of our own buttons are lower case."""

COURTESIES: Final = (
    *("por favor", "porfavor", "porfa", "favor", "please", "pls", "hola", "buenas", "buenos días", "buen día"),
    *("buenas tardes", "buenas noches", "hello", "hi", "oi", "olá", "bom dia", "boa tarde", "boa noite"),
)
"""Besides thanks and goodbyes."""

Phrase: TypeAlias = tuple[str, ...]
Asked = TypeVar("Asked", bound=str)

_UNSEEN: Final = re.compile("[\u00ad\u0300-\u036f\u200b-\u200f\u2060\u20d0-\u20ff\ufe00-\ufe0f\ufeff]+")
"""Accents, variation selectors and joiners."""
_WORD: Final = re.compile(r"[^\W_]+")


def opting_of(content: Content, own_words: Sequence[str] = ()) -> Opting | None:
    """What the person asks for; None for any other message, which is nearly every one. `own_words`: the client's, which
    opt out."""
    if len(content.parts) != 1:
        return None
    part = content.parts[0]
    if isinstance(part, ButtonReply) and _stops_promotions(part):
        return "out"
    if not isinstance(part, (Text, ButtonReply)):
        return None
    return opting_of_text(part.text, own_words)


def opting_of_text(text: str, own_words: Sequence[str] = ()) -> Opting | None:
    """What a text asks for."""
    if len(text) > LONGEST or asks(text):
        return None
    words, phrases = words_of(text), _phrases(tuple(own_words))
    # One look at each word: nearly every message has none with which a phrase begins.
    return None if phrases.firsts.isdisjoint(words) else only_phrase(words, phrases.known)


def may_opt_out(content: Content) -> bool:
    """Whether a message opts out where it comes first after a marketing message that asked nothing."""
    part = content.parts[0]
    if len(content.parts) != 1 or not isinstance(part, Text) or len(part.text) > LONGEST or asks(part.text):
        return False
    words = words_of(part.text)
    return not _AFTER_MARKETING_FIRSTS.isdisjoint(words) and only_phrase(words, _AFTER_MARKETING) is not None


def is_said_to_opt_out(content: Content, own_words: Sequence[str] = ()) -> bool:
    """Whether a recording says nothing but what opts out when it is written."""
    said = [part.text for part in content.parts if isinstance(part, (Voice, Audio))]
    if len(content.parts) != 1 or len(said) != 1 or said[0] is None:
        return False
    return opting_of_text(said[0], own_words) == "out"


def own_words_of(policy: Mapping[str, Any]) -> Sequence[str]:
    """The client's own words in a bot's policy as it is stored."""
    block = policy.get("opt_out")
    words = block.get("words") if isinstance(block, dict) else None
    return [word for word in words if isinstance(word, str)] if isinstance(words, list) else ()


def _stops_promotions(button: ButtonReply) -> bool:
    said = [" ".join(words_of(text)) for text in (button.text, button.id or "") if len(text) <= LONGEST]
    return button.id == STOP_PAYLOAD or any(text.startswith(STOP_PROMOTIONS) for text in said)


def words_of(text: str) -> Phrase:
    """The words in lower case, without accents, signs and emoji."""
    plain = text.casefold()
    if not plain.isascii():
        plain = _UNSEEN.sub("", unicodedata.normalize("NFKD", plain))
    return tuple(_WORD.findall(plain))


def only_phrase(words: Phrase, phrases: Mapping[Phrase, Asked]) -> Asked | None:
    """The one phrase among courtesies that the words consist of."""
    ends = range(1, len(words) + 1)
    found = ((start, end) for start in range(len(words)) for end in ends[start:] if words[start:end] in phrases)
    for start, end in found:
        if _is_courtesy(words[:start]) and _is_courtesy(words[end:]):
            return phrases[words[start:end]]
    return None


def _is_courtesy(words: Phrase) -> bool:
    """Whether the words can be divided into courtesies, whichever way; no words can."""
    ends = {0}
    for start in range(len(words)):
        if start in ends:
            ends |= {end for end in range(start + 1, len(words) + 1) if words[start:end] in _COURTESIES}
    return len(words) in ends


class _Phrases(NamedTuple):
    """What phrases ask for, and the words with which they begin."""

    known: Mapping[Phrase, Opting]
    firsts: frozenset[str]


@lru_cache(maxsize=256)
def _phrases(own_words: Sequence[str]) -> _Phrases:
    known: dict[Phrase, Opting] = {}
    for opting, phrases in _BY_DEFAULT.items():
        known |= dict.fromkeys(map(words_of, phrases), opting)
    known |= dict.fromkeys(filter(None, map(words_of, own_words)), "out")
    return _Phrases(known, frozenset(phrase[0] for phrase in known))


_AFTER_MARKETING: Final[Mapping[Phrase, Opting]] = dict.fromkeys(map(words_of, AFTER_MARKETING), "out")
_AFTER_MARKETING_FIRSTS: Final = frozenset(phrase[0] for phrase in _AFTER_MARKETING)
_COURTESIES: Final = frozenset(words_of(phrase) for phrases in (*PHRASES.values(), COURTESIES) for phrase in phrases)
