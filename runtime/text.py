"""Text that is valid everywhere on its way: in the store, JSON, XML, WhatsApp. A model or a webhook may send characters
that are not."""

from __future__ import annotations

import re
import unicodedata

NOT_PORTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
"""Characters that are invalid in XML 1.0, even escaped. Among them are NUL, which PostgreSQL does not store, and halves
of a surrogate pair, which UTF-8 cannot encode."""
NOT_STORABLE = re.compile(r"[\x00\ud800-\udfff]")
"""Characters that one of the databases cannot store."""


_UNSEEN = frozenset("\u034f\ufe0e\ufe0f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Letters, symbols and marks of Unicode that show nothing by themselves."""

_UNSEEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Zs"})


def is_blank(text: str) -> bool:
    """Whether a text shows nothing: white space, characters of no width."""
    for character in text:
        if character not in _UNSEEN and unicodedata.category(character) not in _UNSEEN_CATEGORIES:
            return False
    return True


def portable(text: str) -> str:
    """The text without such characters."""
    # None of them is printable. Most texts are of one line, and looking for that takes a tenth of the time.
    return text if text.isprintable() else NOT_PORTABLE.sub("", text)


def is_storable(text: str) -> bool:
    """Whether both databases can store the text, and find it again."""
    return NOT_STORABLE.search(text) is None
