"""Text that is valid everywhere on its way: in the store, JSON, XML, WhatsApp. A model or a webhook may send characters
that are not."""

from __future__ import annotations

import re

NOT_PORTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
"""Characters that are invalid in XML 1.0, even escaped. Among them are NUL, which PostgreSQL does not store, and halves
of a surrogate pair, which UTF-8 cannot encode."""


def portable(text: str) -> str:
    """The text without such characters."""
    return NOT_PORTABLE.sub("", text)
