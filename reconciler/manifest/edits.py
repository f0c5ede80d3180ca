"""Edits of a manifest's text at one place: every other byte stays, comments, quotes and blank lines included.

    bytes ──► YamlDocument ──► the scalar's place ──► other bytes ──► read again: exactly that value has changed

A library that writes YAML back (ruamel.yaml) keeps comments and reflows the rest; here a reviewer's diff has one line.
Nothing is written to disk here but by `write`.
"""

from __future__ import annotations

import copy
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from yaml import MappingNode, ScalarNode

from reconciler.errors import ReconcileError
from reconciler.manifest import plain
from reconciler.manifest.document import YamlDocument, parse
from reconciler.manifest.explain import dotted
from reconciler.manifest.shape import Loc


class NotEdited(ReconcileError):
    """A value that has to be edited by hand, such as one behind an alias."""


def with_text(data: bytes, shown: str, loc: Loc, value: str) -> bytes:
    """The file with another text at a location that has one. `shown`: its name in messages. Raises NotEdited."""
    document = parse(shown, data)
    node = document.find(loc)[1]
    if not isinstance(node, ScalarNode):
        raise _by_hand(document, loc, value)
    start, end = node.start_mark.index, node.end_mark.index
    texts = (document.text[:start] + written + document.text[end:] for written in _written(value, node.style))
    return _verified(document, data, texts, loc, value)


def with_key(data: bytes, shown: str, loc: Loc, value: str) -> bytes:
    """The file with a text at a location that has none yet, in a mapping that it may have. Raises NotEdited."""
    document = parse(shown, data)
    node = document.find(loc[:-1])[1]
    texts = (_inserted(document, node, loc, written) for written in _written(value, None))
    return _verified(document, data, (text for text in texts if text is not None), loc, value)


def write(path: Path, data: bytes) -> None:
    """Replaces a file in one step; a link stays one. Raises ReconcileError when that is not possible."""
    path = path.resolve()
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        os.chmod(name, path.stat().st_mode & 0o7777)  # noqa: PTH101 - the name of a temporary file
        Path(name).replace(path)
    except OSError as error:
        raise ReconcileError(f"{path} cannot be written: {error.strerror}.") from error


def _written(value: str, style: str | None) -> Iterator[str]:
    """The text in YAML: as the former was, where that is possible."""
    if style in ("|", ">"):
        return
    if style == "'":
        yield "'" + value.replace("'", "''") + "'"
    elif style != '"' and plain.tag_of(value) is plain.STR:
        yield value
    yield json.dumps(value, ensure_ascii=False)


def _inserted(document: YamlDocument, node: Any, loc: Loc, written: str) -> str | None:
    """The text with a key at the beginning of its mapping; None where it has no place for it."""
    text, entry = document.text, f"{loc[-1]}: {written}"
    end = "\r\n" if "\r\n" in text else "\n"
    if isinstance(node, MappingNode) and node.flow_style:
        at = node.start_mark.index + 1
        return text[:at] + entry + (", " if node.value else "") + text[at:]
    if isinstance(node, MappingNode) and node.value:
        first = node.value[0][0].start_mark
        return f"{text[: first.index]}{entry}{end}{' ' * first.column}{text[first.index :]}"
    if node is None and len(loc) == 2:
        blank = "" if text.endswith(("\n", "\r")) or not text else end
        return f"{text}{blank}{loc[0]}:{end}  {entry}{end}"
    return None


def _verified(document: YamlDocument, data: bytes, texts: Iterator[str], loc: Loc, value: str) -> bytes:
    """The first of these texts that reads as the former one with this value; raises NotEdited without one."""
    expected = _changed(document.value, loc, value)
    mark = b"\xef\xbb\xbf" if data.startswith(b"\xef\xbb\xbf") else b""
    for text in texts:
        edited = mark + text.encode()
        read = parse(document.path, edited)
        if read.is_mapping and not read.problems and read.value == expected:
            return edited
    raise _by_hand(document, loc, value)


def _changed(values: dict[str, Any], loc: Loc, value: str) -> dict[str, Any]:
    changed = copy.deepcopy(values)
    inner: Any = changed
    for part in loc[:-1]:
        inner = inner.setdefault(part, {}) if isinstance(inner, dict) else inner[part]
    inner[loc[-1]] = value
    return changed


def _by_hand(document: YamlDocument, loc: Loc, value: str) -> NotEdited:
    line, column = document.place(loc)
    return NotEdited(
        f"{document.path}:{line}:{column}: {dotted(loc)} cannot be edited without changing more, such as what an alias "
        f"repeats; write {value!r} there by hand."
    )
