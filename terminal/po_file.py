"""Reads catalogues of texts as GNU gettext writes them (.po): there is no build step."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Final

CONTEXT: Final = "\x04"
"""Between an entry's context and its key, as gettext joins them."""


class BadCatalogue(ValueError):
    """A catalogue that cannot be read; the text has its line."""


def entries(source: str) -> Iterator[tuple[str, str]]:
    """Key and translation of each entry of a .po file, plurals joined by NUL as compiled catalogues have them, a key
    after its context where it has one. Raises BadCatalogue."""
    entry: dict[str, str] = {}
    current = ""
    for number, line in enumerate([*source.splitlines(), ""], start=1):
        text = line.strip()
        if not text:
            if entry:
                yield _joined(entry, number)
            entry = {}
        elif text.startswith('"'):
            entry[current] += _unquoted(text, number)
        elif not text.startswith("#"):
            current, _, quoted = text.partition(" ")
            entry[current] = _unquoted(quoted, number)


def _joined(entry: Mapping[str, str], line: int) -> tuple[str, str]:
    if "msgid" not in entry:
        raise BadCatalogue(f"line {line}: an entry without msgid")
    if "msgid_plural" in entry:
        forms = [entry[name] for name in sorted(entry) if name.startswith("msgstr[")]
        return f"{entry['msgid']}\0{entry['msgid_plural']}", "\0".join(forms)
    context = f"{entry['msgctxt']}{CONTEXT}" if "msgctxt" in entry else ""
    return f"{context}{entry['msgid']}", entry.get("msgstr", "")


def _unquoted(text: str, line: int) -> str:
    try:
        value = ast.literal_eval(text)
    except (SyntaxError, ValueError) as error:
        raise BadCatalogue(f"line {line}: not a quoted text") from error
    return str(value)
