"""The language in which commands speak to operators: HORIZONAI_LANG, else that of the system (LC_ALL, LC_MESSAGES,
LANG); es or en, and en where none is named. JSON, logs and metrics are English in each.

The texts in the code are English. The Spanish catalogue, `locale/es.po`, is read with the first sentence that is said
in Spanish; in English nothing is loaded.
"""

from __future__ import annotations

import os
from typing import Final, Literal

Language = Literal["es", "en"]
OWN: Final = "HORIZONAI_LANG"
OF_THE_SYSTEM: Final = ("LC_ALL", "LC_MESSAGES", "LANG")
"""In the order in which gettext asks them."""


def language() -> Language:
    """The language of this process."""
    names = (os.environ.get(name) for name in (OWN, *OF_THE_SYSTEM))
    chosen = next(filter(None, names), "en")
    return "es" if chosen.lower().partition(".")[0].partition("_")[0] == "es" else "en"


def said(text: str) -> str:
    """A finished English sentence, or several, in the language of this process. What the catalogue does not know, such
    as a provider's own words, stays as it is."""
    if language() == "en":
        return text
    from terminal.spanish import sentence

    return sentence(text)


def label(word: str) -> str:
    """A heading, a state or another word that stands alone, likewise. It is looked up as it is: in a sentence the same
    word may be a key of a manifest."""
    if language() == "en":
        return word
    from terminal.spanish import label as found

    return found(word)
