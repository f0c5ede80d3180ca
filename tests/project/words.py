"""The words that this project's English does without, each with those to write instead.

The code, the help texts, the messages and the docs are read by people whose English comes from documentation. A pattern
is here when it can be told from good English without reading the sentence; the rest is for reviews.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from typing import Final

WORDS: Final = {
    r"\b(take[sn]?|taking|took) up\b": "resume, begin",
    r"\b(go(es)?|went|gone|going) on\b": "continue",
    r"\b(take[sn]?|taking|took) away\b": "delete, remove, release",
    r"\bin vain\b": "without result",
    r"\banew\b": "again",
    r"\blet(s|ting)? (it |them |him |her )?go\b": "release, drop",
    r"\bhand(s|ed|ing)? (it |them )?on\b": "reassign, requeue, pass",
    r"(?<!there )(?<!There )(?<!here )\b(is|are|was|were) no (?!longer\b|more\b|one\b)[a-z]": "is not a",
    r"\bbe(came|come|comes) of\b": "outcome, result",
    r"\b(did|does|do) not live\b": "crashed",
    r"\bend(s|ed) (its|their|this|each|every|any) process": "crash",
    r"\bmoments?\b": "time, timestamp",
    r"\b(whoever|somebody|nobody)\b": "the caller, any process, no process, unmanaged",
    r"\bso (many|long)\b": "the number, the name of the limit",
    r"\b(is|are|was|were|be|been) gone\b": "not found, deleted",
    r"\btold\b": "reported, notified, returned",
    r"\bsigns? of life\b": "heartbeat",
    r"\bbehind git's back\b": "outside of git",
    r"\bat the most\b": "at most",
    r"\bon record\b": "recorded",
    r"\bmend(s|ed|ing)?\b": "repair, correct",
    r"\bput(s|ting)? (it |them )?back\b": "release, restore",
    r"\bcut short\b": "interrupted",
}
"""Pattern → what to write instead. A pattern ignores line breaks, and case."""

_PATTERNS = {re.compile(pattern.replace(" ", r"\s"), re.IGNORECASE): instead for pattern, instead in WORDS.items()}
_LINE_BREAK = re.compile(r"[ \t]*\n[ \t]*")


def findings(text: str, first_line: int = 1) -> Iterator[str]:
    """`line: phrase: write …` for each of those words in a text that begins on a line."""
    text = _LINE_BREAK.sub("\n", text)
    for pattern, instead in _PATTERNS.items():
        for match in pattern.finditer(text):
            line = first_line + text.count("\n", 0, match.start())
            yield f"{line}: {' '.join(match[0].split())!r}: write {instead}"


def prose_of(source: str, *, texts: bool = True) -> Iterator[tuple[int, str]]:
    """What people read in a module: comments, docstrings and, with `texts`, all other strings; each with the line that
    it begins on.

    Comments of tables and columns are left out: they are in stores already, where a migration wrote them.
    """
    tree = ast.parse(source)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    stored = {id(keyword.value) for call in calls for keyword in call.keywords if keyword.arg == "comment"}
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        if id(node) in docstrings or (texts and id(node) not in stored):
            yield node.lineno, node.value
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    yield from _joined([(one.start[0], one.string.lstrip("#")) for one in tokens if one.type == tokenize.COMMENT])


def _joined(comments: list[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Comments on lines that follow each other as one text."""
    begun, lines = 0, list[str]()
    for line, text in comments:
        if lines and line != begun + len(lines):
            yield begun, "\n".join(lines)
            lines = []
        begun = begun if lines else line
        lines.append(text)
    if lines:
        yield begun, "\n".join(lines)
