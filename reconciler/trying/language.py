"""Which language an answer is in: by its commonest words, which are few and in every sentence.

A detector with a model would be larger than all of this program; these six languages differ in their smallest words,
and answers of two sentences have enough of them. A text without any is not recognised: then the case is not judged,
rather than wrong.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

_WORDS: Final = {
    "es": (
        "el la los las un una de del que y en a al por para con sin su sus tu te nos se es son está están hay "
        "no sí qué cómo cuál cuándo dónde hola gracias puedo puedes quieres tenemos tiene muy más pero como "
        "este esta esto o lo le les me mi si ya también soy eres día hora mesa buenos buenas aquí favor "
        "reserva nombre personas ayudarte"
    ),
    "en": (
        "the a an of to and in is are you your we our i it for with on at that this what how when where which "
        "hello thanks please can could would do does not no yes have has be or as if will my me by from there "
        "about us here hi help name day time table booking people sorry"
    ),
    "pt": (
        "o a os as um uma de do da dos das que e em no na nos nas por para com sem seu sua você te se é são "
        "está estão há não sim como qual quando onde olá obrigado obrigada posso pode quer temos tem muito "
        "mais mas este esta isso ou lhe me meu minha já também sou dia hora mesa bom boa aqui favor reserva "
        "nome pessoas ajudar até"
    ),
    "fr": (
        "le la les un une des de du que et en à au aux pour avec sans votre vos vous je nous il elle est sont "
        "pas non oui comment quel quelle quand où bonjour merci peux pouvez avez avons très plus mais ce "
        "cette ou si ne dans sur mon ma s'il plaît table réservation nom jour heure personnes"
    ),
    "it": (
        "il lo la i gli le un una di del della che e in a al per con senza suo sua tu ti ci si è sono non sì "
        "come quale quando dove ciao grazie posso puoi vuoi abbiamo ha molto più ma questo questa o se nel "
        "nella mio mia anche giorno ora tavolo buongiorno qui favore prenotazione nome persone"
    ),
    "de": (
        "der die das ein eine und in zu den dem des mit für auf von ist sind nicht kein keine ja nein wie was "
        "wann wo hallo danke bitte kann können möchten haben wir ihr ihre sie ich du es sehr mehr aber oder "
        "wenn auch im am um hier tisch reservierung name tag uhr personen"
    ),
}
_SETS: Final = {language: frozenset(words.split()) for language, words in _WORDS.items()}
_WORD: Final = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_SIGNS: Final = (("es", re.compile("[¿¡ñ]")), ("pt", re.compile("[ãõ]|ção")), ("de", re.compile("[ßäöü]")))
"""Letters and marks of one of them alone; each counts as two words."""


def language_of(text: str) -> str | None:
    """ISO 639-1 of the language of a text; None where its words do not show it."""
    lowered = text.casefold()
    counts: Counter[str] = Counter()
    for word in _WORD.findall(lowered):
        counts.update(language for language, words in _SETS.items() if word in words)
    for language, sign in _SIGNS:
        counts[language] += 2 * len(sign.findall(lowered))
    ranked = counts.most_common(2)
    if not ranked or ranked[0][1] == 0 or (len(ranked) > 1 and ranked[0][1] == ranked[1][1]):
        return None
    return ranked[0][0]
