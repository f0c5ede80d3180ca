"""Characters that a model reads and a reviewer does not see: each is warned of with its place.

Tag characters spell out whole sentences that no editor shows; zero-width ones, soft hyphens and marks of the writing
direction hide or reorder what is written. A joiner within an emoji is none of them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from reconciler.manifest.problem import MAX_PROBLEMS, Problem

_SYMBOLS: Final = "\u2190-\u2bff\ufe0f\U0001f000-\U0001faff"
JOINER: Final = f"(?<![{_SYMBOLS}])\u200d|\u200d(?![{_SYMBOLS}])"
"""A zero-width joiner outside of an emoji."""
CHARACTERS: Final = (
    "\u00ad\u061c\u115f\u1160\u180e\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\u3164\ufeff\uffa0"
    "\ufff9-\ufffb\U000e0000-\U000e007f"
)
_INVISIBLE: Final = f"[{CHARACTERS}]+|{JOINER}"
_ANY: Final = re.compile(f"[{CHARACTERS}\u200d]")
"""Whether there may be one: looking for a set takes a fourth of the time, and most files have none."""
_IN_LATIN_1: Final = "\u00ad"
"""The only one of them in Latin-1, in which most Spanish texts can be written."""


def invisible(path: str, text: str) -> Iterator[Problem]:
    """A warning for each run of such characters in a file, MAX_PROBLEMS at most."""
    if (_IN_LATIN_1 not in text and _is_latin_1(text)) or _ANY.search(text) is None:
        return
    for number, match in enumerate(re.finditer(_INVISIBLE, text)):
        if number == MAX_PROBLEMS:
            return
        offset, run = match.start(), match[0]
        line, column = text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)
        named = f"U+{ord(run[0]):04X} {unicodedata.name(run[0], '').lower()}".rstrip()
        several = f", the first of {len(run)} in a row" if len(run) > 1 else ""
        message = f"an invisible character, which the model reads: {named}{several}"
        yield Problem(path, line, column, message, "Remove it, or write the text again.", "warning")


def _is_latin_1(text: str) -> bool:
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return True
