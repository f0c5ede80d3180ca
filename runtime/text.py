"""Text that is valid everywhere on its way: in the store, JSON, XML, WhatsApp. A model or a webhook may send characters
that are not."""

from __future__ import annotations

import re

NOT_PORTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
"""Characters that are invalid in XML 1.0, even escaped. Among them are NUL, which PostgreSQL does not store, and halves
of a surrogate pair, which UTF-8 cannot encode."""
NOT_STORABLE = re.compile(r"[\x00\ud800-\udfff]")
"""Characters that one of the databases cannot store."""


def portable(text: str) -> str:
    """The text without such characters."""
    return NOT_PORTABLE.sub("", text)


def is_storable(text: str) -> bool:
    """Whether both databases can store the text, and find it again."""
    return NOT_STORABLE.search(text) is None
