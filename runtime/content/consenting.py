"""Whether a message says yes or no to a model reading what its person writes, or takes a yes back.

    sí, acepto, de acuerdo, a client's own      yes      the whole message, as a text or a tapped button
    no, no acepto                               no
    retiro mi consentimiento                    taken back, also inside a sentence

The first two mean anything only after the question was asked: the caller knows that. As in `opting`, case, accents,
signs and courtesy do not matter, and neither a question nor a transcript is any of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, Literal, TypeAlias

from runtime.content.opting import LONGEST, Phrase, only_phrase, words_of
from runtime.content.parts import ButtonReply, Content, ListReply, Text
from runtime.content.thanks import asks

Consenting: TypeAlias = Literal["yes", "no", "revoked"]

YES: Final[Mapping[str, Sequence[str]]] = {
    "es": (
        *("sí", "acepto", "sí acepto", "de acuerdo", "estoy de acuerdo", "sí estoy de acuerdo", "autorizo"),
        *("sí autorizo", "consiento", "ok", "okay", "vale", "dale", "sí dale", "claro que sí", "por supuesto"),
    ),
    "pt": ("sim", "aceito", "sim aceito", "concordo", "de acordo", "estou de acordo", "autorizo", "claro que sim"),
    "en": ("yes", "i accept", "accept", "yes i accept", "i agree", "agree", "yes i agree", "i consent", "ok"),
}
"""By language, each as a whole message."""
NO: Final[Mapping[str, Sequence[str]]] = {
    "es": ("no", "no acepto", "no autorizo", "no estoy de acuerdo", "no consiento", "no quiero"),
    "pt": ("não", "não aceito", "não concordo", "não autorizo", "não quero"),
    "en": ("no", "i do not accept", "i don t accept", "i do not agree", "i don t agree", "i do not consent"),
}
REVOKED: Final[Mapping[str, Sequence[str]]] = {
    "es": (
        *("retiro mi consentimiento", "retirar mi consentimiento", "revoco mi consentimiento"),
        *("revocar mi consentimiento", "quito mi consentimiento", "retiro el consentimiento", "ya no acepto"),
    ),
    "pt": ("retiro meu consentimento", "retiro o meu consentimento", "revogo meu consentimento", "não aceito mais"),
    "en": ("withdraw my consent", "withdraw consent", "revoke my consent", "i no longer consent"),
}
"""By language, inside a message of at most LONGEST_SENTENCE characters."""
LONGEST_SENTENCE: Final = 200
_NOT: Final = frozenset({"no", "nao", "not", "don"})


def consenting_of(content: Content, own_yes: Sequence[str] = ()) -> Consenting | None:
    """What a message says; None for any other. `own_yes`: the client's further words."""
    if len(content.parts) != 1:
        return None
    match content.parts[0]:
        case Text(text) | ButtonReply(text):
            return consenting_of_text(text, own_yes)
        case ListReply() as chosen:
            return consenting_of_text(chosen.title, own_yes)
        case _:
            return None


def consenting_of_text(text: str, own_yes: Sequence[str] = ()) -> Consenting | None:
    """The same for a text."""
    if len(text) > LONGEST_SENTENCE or asks(text):
        return None
    words = words_of(text)
    if any(_is_in(phrase, words) for phrase in _REVOKED):
        return "revoked"
    return only_phrase(words, _phrases(tuple(own_yes))) if len(text) <= LONGEST else None


def _is_in(phrase: Phrase, words: Phrase) -> bool:
    """Whether words have a phrase in them that is not denied."""
    size = len(phrase)
    return any(
        words[start : start + size] == phrase and not (start and words[start - 1] in _NOT)
        for start in range(len(words) - size + 1)
    )


@lru_cache(maxsize=256)
def _phrases(own_yes: Sequence[str]) -> Mapping[Phrase, Consenting]:
    known: dict[Phrase, Consenting] = dict.fromkeys(filter(None, map(words_of, own_yes)), "yes")
    said: Mapping[Consenting, Mapping[str, Sequence[str]]] = {"yes": YES, "no": NO}
    for consenting, phrases in said.items():
        known |= dict.fromkeys((words_of(phrase) for listed in phrases.values() for phrase in listed), consenting)
    return known


_REVOKED: Final = tuple(words_of(phrase) for listed in REVOKED.values() for phrase in listed)
