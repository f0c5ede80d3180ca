"""The Spanish catalogue, by which finished English sentences are translated.

A key is a sentence as the code has it, with {0}, {1}, … where a value stands: the f-string `{number} is registered` has
the key `{0} is registered`. So the code keeps its sentences, and a value that is a sentence is translated too. Of the
keys that fit, the one with the most words of its own counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from terminal.po_file import CONTEXT, entries

CATALOGUE: Final = Path(__file__).with_name("locale") / "es.po"
LABEL: Final = f"label{CONTEXT}"
PLACE: Final = re.compile(r"\{(\d+)\}")
FEW_LETTERS: Final = 8
"""A key with fewer letters of its own, such as `{0} is {1}`, fits too much: only values that need no translation, or
have one, count then."""
PREDICATES: Final = ("is ", "has ", "cannot ", "does ", "leads ")
"""Beginnings of a key without its subject: the code puts a value before it."""
SEPARATORS: Final = ("\n", ". ", "; ", ": ", ", ")
"""Between sentences, and parts of them, that the code puts together."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A key with values."""

    fragment: str
    """Its longest text without a value: what does not have it need not be compared."""
    key: str
    translation: str

    @property
    def letters(self) -> int:
        """How much of it is not a value."""
        return len(PLACE.sub("", self.key))

    def match(self, text: str) -> re.Match[str] | None:
        """The values of a text that it fits."""
        return _expression(self.key).fullmatch(text) if self.fragment in text else None


def sentence(text: str) -> str:
    """As `terminal.language.said`."""
    core = text.strip()
    if " " not in core and core not in _sentences():
        return text  # a value, such as a name, a path or a key of a manifest
    before, _, after = text.partition(core)
    return f"{before}{_whole(core) or _stopped(core) or _in_parts(core)}{after}"


def label(word: str) -> str:
    """As `terminal.language.label`."""
    return _catalogue().get(f"{LABEL}{word}", word)


def _whole(core: str) -> str | None:
    known = _sentences().get(core)
    if known is not None:
        return known
    for pattern in _patterns():
        found = pattern.match(core)
        if found is None:
            continue
        values = [sentence(value) for value in found.groups()]
        if pattern.letters >= FEW_LETTERS or all(map(_is_done, found.groups(), values)):
            return _filled(pattern.translation, values)
    return None


def _is_done(value: str, translated: str) -> bool:
    is_quoted = value[:1] in "\"'`" and value[:1] == value[-1:]
    return " " not in value or is_quoted or value != translated


def _filled(translation: str, values: Sequence[str]) -> str:
    return PLACE.sub(lambda place: values[int(place[1])], translation)


def _stopped(core: str) -> str | None:
    """The same of a sentence whose full stop was added to it."""
    if not core.endswith("."):
        return None
    found = _whole(core[:-1])
    return None if found is None else f"{found.rstrip('.')}."


def _in_parts(core: str) -> str:
    for separator in SEPARATORS:
        if separator in core:
            head, _, rest = core.partition(separator)
            head += separator.strip() if separator == ". " else ""
            joint = " " if separator == ". " else separator
            return f"{sentence(head)}{joint}{sentence(rest)}"
    return core


@cache
def _catalogue() -> dict[str, str]:
    found = dict(entries(CATALOGUE.read_text(encoding="utf-8")))
    return {key: translation for key, translation in found.items() if key}


@cache
def _sentences() -> dict[str, str]:
    """Keys without a value."""
    return {key: text for key, text in _catalogue().items() if CONTEXT not in key and not PLACE.search(key)}


@cache
def _patterns() -> list[Pattern]:
    """Keys with values, the most words of their own first."""
    return sorted(_found_patterns(), key=lambda pattern: -pattern.letters)


def _found_patterns() -> Iterator[Pattern]:
    for key, translation in _catalogue().items():
        if CONTEXT not in key and PLACE.search(key):
            yield Pattern(max(PLACE.split(key)[::2], key=len), key, translation)
        elif key.startswith(PREDICATES):
            yield Pattern(f" {key}", f"{{0}} {key}", f"{{0}} {translation}")


@cache
def _expression(key: str) -> re.Pattern[str]:
    """What fits a key. A value may be empty, such as a hint that is not always there."""
    texts = PLACE.split(key)[::2]
    return re.compile("(.*?)".join(map(re.escape, texts)), re.DOTALL)
