"""The text of an answer as a person may read it: without marks of sources, and with an end."""

from __future__ import annotations

import re
from collections.abc import Iterable

SOURCE_MARK = re.compile(
    r"(?:(?<![ \t])[ \t]+)?(?:"
    "\ue200[^\ue200\ue201]*(?:\ue201|\\Z)"
    r"|【[^【】\n]{0,200}†[^【】\n]{0,200}】|【[0-9]+:[0-9]+】"
    r"|(?:【|\b)(?:file)?(?:cite)?(?:turn[0-9]+(?:file|search|news|view|fetch|image)[0-9]+)+】?"
    ")"
)
"""What stands for a source in a text of OpenAI's models: `【4:0†menu.md】`, or `filecite turn0file0` between characters
for private use. Other words in such brackets are text."""
IN_MARKS = ("turn", "【", "\ue200")
"""Every such mark has one of them. Looking for the marks themselves takes longer than all else that is done with a
text."""
PRIVATE_USE = re.compile("[\ue200-\ue206]")
"""What is left of a mark that was cut."""
SENTENCE_END = re.compile(r"(?<![.!?…])[.!?…]+[\"'”’»)\]*_]*(?=\s|\Z)|\n")
SHORTEST_SHARE = 0.3
"""A text is cut at a sentence only if that leaves this share of it; else at a word."""


def text_of(parts: Iterable[str]) -> str:
    """The parts of an answer as one text, without marks of sources."""
    shown = [PRIVATE_USE.sub("", _without_marks(part)).strip() for part in parts]
    return "\n\n".join([part for part in shown if part])


def _without_marks(text: str) -> str:
    return SOURCE_MARK.sub("", text) if any(sign in text for sign in IN_MARKS) else text


def ended(text: str) -> str:
    """A text that stops somewhere, cut at its last whole sentence, or word, with an ellipsis."""
    sentences = [match.end() for match in SENTENCE_END.finditer(text) if match.end() >= len(text) * SHORTEST_SHARE]
    if sentences:
        return f"{text[: sentences[-1]].rstrip()} …"
    words = (text.rsplit(maxsplit=1) or [""])[0]
    opening = words.rfind("[")
    if opening > 0 and "]" not in words[opening:]:
        words = words[:opening]  # the beginning of a link whose address is lost
    if words.count("**") % 2:
        words = "".join(words.rsplit("**", 1))
    return words.rstrip(" \n,;:-") + "…"
