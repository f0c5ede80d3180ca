"""What pages say, in Spanish and in English: gettext with the Spanish text as its key, from `locale/en.po`.

The catalogue is compiled here when the first English page is asked for, so there is no build step. Spanish needs none.
"""

from __future__ import annotations

import gettext
import io
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

from schemas.money import Language
from terminal.po_file import entries

LOCALE: Final = Path(__file__).with_name("locale")
LANGUAGES: Final[tuple[Language, ...]] = ("es", "en")
MAGIC: Final = 0x950412DE
"""Of a compiled catalogue, as GNU gettext's manual describes it."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence that is put into a page's language when it is shown: its Spanish text, and values for `%(name)s`."""

    text: str
    values: Mapping[str, object] = field(default_factory=dict)

    def said(self, language: Language) -> str:
        """In a language."""
        return catalogue(language).gettext(self.text) % self.values


@cache
def catalogue(language: Language) -> gettext.NullTranslations:
    """The texts of a language."""
    if language == "es":
        return gettext.NullTranslations()
    source = (LOCALE / f"{language}.po").read_text(encoding="utf-8")
    return gettext.GNUTranslations(io.BytesIO(compiled(dict(entries(source)))))


def compiled(messages: Mapping[str, str]) -> bytes:
    """A catalogue as GNU gettext compiles it (.mo): keys in order, two tables of lengths and offsets, the texts."""
    pairs = sorted((key.encode(), value.encode()) for key, value in messages.items())
    count = len(pairs)
    keys_at, values_at, texts_at = 28, 28 + 8 * count, 28 + 16 * count
    tables, texts = [bytearray(), bytearray()], bytearray()
    for place in (0, 1):
        for pair in pairs:
            tables[place] += struct.pack("<2I", len(pair[place]), texts_at + len(texts))
            texts += pair[place] + b"\0"
    return struct.pack("<7I", MAGIC, 0, count, keys_at, values_at, 0, 0) + bytes(tables[0] + tables[1] + texts)
