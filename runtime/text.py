"""Text that everything on its way can carry: the store, JSON, XML, WhatsApp. A model, and whoever signs a webhook, may
send what is none of these."""

from __future__ import annotations

import re

NOT_PORTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
"""Characters that XML 1.0 cannot carry, not even escaped. Among them are NUL, which PostgreSQL does not store, and
halves of a surrogate pair, which UTF-8 has no bytes for."""


def portable(text: str) -> str:
    """The text without such characters."""
    return NOT_PORTABLE.sub("", text)
