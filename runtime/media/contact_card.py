"""What a contact card says: names and numbers of a vCard (RFC 6350, and the older 2.1 and 3.0). Pure."""

from __future__ import annotations

import re
from typing import Final

CARD_LIMIT: Final = 64 * 1024
"""Bytes of a card that are read; a picture in it may be larger."""
VALUES_LIMIT: Final = 20
VALUE_CHARACTERS: Final = 120
_FIELD = re.compile(r"(?:item[0-9]+\.)?(FN|TEL|EMAIL|ORG|ADR)((?:;[^:\r\n]*)?):(.*)", re.IGNORECASE)


def card_text(content: bytes) -> str | None:
    """Names, numbers, addresses and firms in a card, in their order, each once; None where there are none."""
    text = content[:CARD_LIMIT].decode("utf-8", "replace")
    unfolded = re.sub(r"\r?\n[ \t]", "", text)
    found: list[str] = []
    for line in unfolded.splitlines():
        match = _FIELD.fullmatch(line)
        if match is None or len(found) == VALUES_LIMIT:
            continue
        value = _plain(match[3]) if "QUOTED-PRINTABLE" not in match[2].upper() else _plain(_unquoted(match[3]))
        if value and value not in found:
            found.append(value)
    return ", ".join(found) or None


def _plain(value: str) -> str:
    words = re.sub(r"\\([,;:\\])", r"\1", value.replace("\\n", " ").replace(";", " "))
    return " ".join("".join(letter for letter in words if letter.isprintable()).split())[:VALUE_CHARACTERS]


def _unquoted(value: str) -> str:
    import quopri

    return quopri.decodestring(value.encode()).decode("utf-8", "replace")
