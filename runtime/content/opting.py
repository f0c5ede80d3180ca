"""Whether a message is nothing but the word with which a person asks to be left alone, or to hear from a client again.

`STOP` and `BAJA` end proactive messages, `START` and `ALTA` allow them again: in any case, with or without accents and
signs around them. Only as the whole message, also as a button's label: "quiero dar de baja mi reserva" is for the
assistant.
"""

from __future__ import annotations

import string
import unicodedata
from typing import Literal, TypeAlias

from runtime.content.parts import ButtonReply, Content, Text

Opting: TypeAlias = Literal["out", "in"]

LONGEST = 16
"""Characters beyond which a message is not looked at: few messages are as short as one word."""
AROUND = string.punctuation + string.whitespace
WORDS: dict[str, Opting] = {"stop": "out", "baja": "out", "start": "in", "alta": "in"}


def opting_of(content: Content) -> Opting | None:
    """What the person asks for; None for any other message, which is nearly every one."""
    if len(content.parts) != 1:
        return None
    part = content.parts[0]
    if not isinstance(part, (Text, ButtonReply)) or len(part.text) > LONGEST:
        return None
    return WORDS.get(_bare(part.text))


def _bare(text: str) -> str:
    """A text in lower case, without accents, and without signs and spaces around it."""
    if text.isascii():
        return text.strip(AROUND).lower()
    letters = [letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter)]
    around = "".join({letter for letter in letters if not letter.isalnum()})
    return "".join(letters).strip(around).casefold()
