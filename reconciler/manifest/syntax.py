"""YAML's syntax errors in plain words, and the guard that keeps a hostile file from exhausting the parser's stack."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from yaml import CSafeLoader, MarkedYAMLError, YAMLError
from yaml.events import CollectionEndEvent, CollectionStartEvent, Event

# libyaml's message → ours. The first one that matches is used.
_MEANINGS = (
    (
        "mapping values are not allowed",
        "a colon where none is allowed",
        "Put the text in quotes if it holds a colon and a space, or check the indentation of this line.",
    ),
    (
        "block sequence entries are not allowed",
        "a list item where none is allowed",
        'Begin the list on a line of its own below its key, each item with "- ".',
    ),
    (
        "could not find expected ':'",
        "a line that is neither a key with a colon nor part of a text",
        'Write "key: value", or indent the line below the text that it belongs to.',
    ),
    (
        "did not find expected key",
        "the text here belongs neither to the value before it nor to a key of its own",
        "Check the indentation of the line and the quotes in it.",
    ),
    (
        "did not find expected '-' indicator",
        "the line does not fit the list above it",
        'Indent it like the other items, each with "- ".',
    ),
    ("did not find expected ',' or ']'", "a list in [ ] that does not end", "Close it with ], with commas between."),
    ("did not find expected ',' or '}'", "a mapping in { } that does not end", "Close it with }, with commas between."),
    (
        "did not find expected node content",
        "nothing that could be a value",
        "Close the [ or { before it, or put the text in quotes.",
    ),
    ("found unexpected end of stream", "a quote that is never closed", "Close it with the quote that it begins with."),
    ("found undefined alias", "an alias (*name) without an anchor (&name) before it", "Put the text in quotes."),
    ("found unknown escape character", "a backslash that YAML does not know", "Write the text in single quotes."),
    (
        "found another document",
        "a second document (---) in the file",
        "One file holds one client; give the other one a file of its own.",
    ),
    (
        "found character that cannot start any token",
        "a character that cannot begin a value",
        "Put the text in quotes.",
    ),
    ("Unicode character escape", "an invalid character code", "Write the character itself."),
    ("found duplicate anchor", "two anchors with one name", "Give one of them another name."),
)
# libyaml reports these at the end of the file or the next line; the position where they begin is more useful.
_TOLD_AT_THE_START = (
    "while scanning a simple key",
    "while scanning a quoted scalar",
    "while parsing a flow mapping",
    "while parsing a flow sequence",
)


_FEW_OPENINGS = 400
"""Too few to exhaust the composer's stack, however they are nested."""


def explain(error: YAMLError, text: str) -> tuple[tuple[int, int], str, str]:
    """(line, column) from 1, the problem, the hint."""
    context = str(getattr(error, "context", None) or "")
    problem = str(getattr(error, "problem", None) or getattr(error, "reason", None) or "")
    where = _where(error, text)
    lines = text.splitlines() or [""]
    if where[0] > len(lines):
        where = (len(lines), len(lines[-1]) + 1)
    line = lines[where[0] - 1]
    indentation = line[: len(line) - len(line.lstrip())]
    if "\t" in indentation:
        return (where[0], indentation.index("\t") + 1), "a tab in the indentation", "Indent with spaces, two a level."
    for words, message, hint in _MEANINGS:
        if words in f"{problem} {context}":
            return where, message, hint
    if "control characters" in problem or "special characters" in problem or "unacceptable" in problem:
        return where, "a control character", "Remove it; it is invisible, so write the line again."
    return where, f"not valid YAML: {problem}", "Check the indentation and the quotes around this place."


def too_deep(text: str, limit: int) -> tuple[int, int] | None:
    """Position where the nesting exceeds the limit. The composer recurses in C, without a limit of its own."""
    # Single characters are counted many times faster, and few files have more of these than that.
    for marks in ("[{-?", ("[", "{", "- ", "-\t", "? ", "?\t")):
        if sum(map(text.count, marks)) <= _FEW_OPENINGS:
            return None
    depth = 0
    for event in _events(text):
        if isinstance(event, CollectionStartEvent):
            depth += 1
            if depth > limit:
                return _place(event.start_mark)
        elif isinstance(event, CollectionEndEvent):
            depth -= 1
    return None


def _events(text: str) -> Iterator[Event]:
    parser = CSafeLoader(text)
    try:
        while (event := parser.get_event()) is not None:
            yield event
    finally:
        parser.dispose()


def _where(error: YAMLError, text: str) -> tuple[int, int]:
    if isinstance(error, MarkedYAMLError):
        at_start = (error.context or "").startswith(_TOLD_AT_THE_START)
        return _place(error.context_mark if at_start else error.problem_mark or error.context_mark)
    position = getattr(error, "position", None)
    before = text.encode()[:position].decode("utf-8", "ignore") if isinstance(position, int) else ""
    lines = before.split("\n")
    return len(lines), len(lines[-1]) + 1


def _place(mark: Any) -> tuple[int, int]:
    return (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
