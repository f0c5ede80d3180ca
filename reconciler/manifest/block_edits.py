"""Edits that copy or remove whole values of a manifest's text, blocks with their indent included; single texts are for
`edits`.

    text ──► places of the values in it ──► new text ──► parsed again: these values differ, and no other
                                                     └─► anything else: refused, nothing is written
"""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from yaml import MappingNode, Node, ScalarNode, SequenceNode

from reconciler.manifest.document import YamlDocument, parse
from reconciler.manifest.edits import NotEdited
from reconciler.manifest.explain import dotted
from reconciler.manifest.shape import Loc

_BOM = b"\xef\xbb\xbf"
_COMMENT = re.compile(r"[ \t]+#[^\r\n]*")


@dataclass(frozen=True, slots=True)
class CopyValue:
    """Sets the value at `target` to the one at `source`, as it is written there. Where there is none it is added before
    the neighbour that holds `source`."""

    source: Loc
    target: Loc


@dataclass(frozen=True, slots=True)
class RemoveKey:
    """Removes a key with its value; a mapping that would be left empty goes too."""

    loc: Loc


Edit: TypeAlias = CopyValue | RemoveKey


def edited(data: bytes, shown: str, edits: Sequence[Edit]) -> bytes:
    """A file with these edits, made one after the other. `shown`: its name in messages. Raises NotEdited."""
    first = current = parse(shown, data)
    for edit in edits:
        text = _Text(current).edited(edit)
        wanted = _changed(current.value, edit)
        current = parse(shown, text.encode())
        if current.problems or current.value != wanted:
            raise _refused(first, edit)
    return (_BOM if data.startswith(_BOM) else b"") + current.text.encode()


def _refused(document: YamlDocument, edit: Edit) -> NotEdited:
    loc = edit.source if isinstance(edit, CopyValue) else edit.loc
    line, column = document.place(loc, key=True)
    return NotEdited(
        f"{document.path}:{line}:{column}: {dotted(loc)} cannot be edited without changing more, as it is written; "
        "edit it by hand."
    )


def _changed(values: dict[str, Any], edit: Edit) -> dict[str, Any]:
    """The values that a file has to have after an edit."""
    wanted: dict[str, Any] = copy.deepcopy(values)
    if isinstance(edit, RemoveKey):
        loc = edit.loc
        del _at(wanted, loc[:-1])[loc[-1]]
        while len(loc) > 1 and not _at(wanted, loc[:-1]):
            loc = loc[:-1]
            del _at(wanted, loc[:-1])[loc[-1]]
        return wanted
    _at(wanted, edit.target[:-1])[edit.target[-1]] = copy.deepcopy(_at(values, edit.source))
    return wanted


def _at(values: Any, loc: Loc) -> Any:
    for step in loc:
        values = values[step]
    return values


class _Text:
    """A parsed file's text, and where its values are in it."""

    def __init__(self, document: YamlDocument) -> None:
        self.document = document
        self.text = document.text
        self.newline = "\r\n" if "\r\n" in document.text else "\n"

    def edited(self, edit: Edit) -> str:
        """The text after one edit; whether it is what was meant is for the caller to find out."""
        return self._without(edit.loc) if isinstance(edit, RemoveKey) else self._copied(edit)

    def _found(self, loc: Loc) -> tuple[Node, Node]:
        """Key and value at a location."""
        key, node = self.document.find(loc)
        if key is None or node is None:
            raise _refused(self.document, RemoveKey(loc))
        return key, node

    def _copied(self, edit: CopyValue) -> str:
        key, node = self._found(edit.source)
        source = self.text[node.start_mark.index : self._end(node)]
        present, old = self.document.find(edit.target)
        neighbour, _ = self._found(edit.source[: len(edit.target)])
        beside = present if present is not None else neighbour
        value = self._shifted(source, beside.start_mark.column - key.start_mark.column)
        if old is not None:
            return self._replaced(old, value)
        start = neighbour.start_mark.index
        _, parent = self.document.find(edit.target[:-1]) if len(edit.target) > 1 else (None, self.document.root)
        is_flow = isinstance(parent, MappingNode) and parent.flow_style
        between = ", " if is_flow else self.newline + " " * neighbour.start_mark.column
        return f"{self.text[:start]}{edit.target[-1]}: {value}{between}{self.text[start:]}"

    def _replaced(self, node: Node, value: str) -> str:
        """With another value at a node; the comment in the line in which the old one begins stays in that line."""
        start, end = node.start_mark.index, self._end(node)
        is_block = isinstance(node, ScalarNode) and node.style in ("|", ">")
        comment = _COMMENT.match(self.text, self._header_end(start) if is_block else end)
        first, newline, rest = value.partition(self.newline)
        if comment is not None and (is_block or newline):
            value, end = f"{first}{comment[0]}{newline}{rest}", max(end, comment.end())
        return self.text[:start] + value + self.text[end:]

    def _header_end(self, start: int) -> int:
        """Where the `|` or `>` of a block ends, with its indicators."""
        end = start
        while self.text[end] not in " \t\r\n":
            end += 1
        return end

    def _without(self, loc: Loc) -> str:
        key, node = self._found(loc)
        _, parent = self.document.find(loc[:-1]) if len(loc) > 1 else (None, self.document.root)
        if not isinstance(parent, MappingNode):
            raise _refused(self.document, RemoveKey(loc))
        if len(parent.value) == 1 and len(loc) > 1:
            return self._without(loc[:-1])
        start, end = key.start_mark.index, self._end(node)
        if parent.flow_style:
            return self._without_flow(parent, key, start, end)
        line = self.text.rfind("\n", 0, start) + 1
        if self.text[line:start].strip():
            raise _refused(self.document, RemoveKey(loc))
        # Comments after its last value that are indented like its own keys are its own.
        inside = re.compile(rf"[^\n]*\n(?:(?:[ \t]*\r?\n)*[ ]{{{start - line + 1},}}#[^\n]*(?:\n|$))*|[^\n]*$")
        after = inside.match(self.text, end)
        return self.text[:line] + (self.text[after.end() :] if after is not None else "")

    def _without_flow(self, parent: MappingNode, key: Node, start: int, end: int) -> str:
        """Without one entry of `{a: 1, b: 2}`, and one of the commas beside it."""
        following = re.compile(r"\s*,[ \t]*").match(self.text, end)
        if following is not None:
            return self.text[:start] + self.text[following.end() :]
        before = [self._end(value) for other, value in parent.value if other.start_mark.index < key.start_mark.index]
        return self.text[: max(before)] + self.text[end:]

    def _end(self, node: Node) -> int:
        """Where a value ends: before the end of its last line, and what follows there."""
        start, end = node.start_mark.index, int(node.end_mark.index)
        if isinstance(node, ScalarNode):
            return start + len(self.text[start:end].rstrip()) if node.style in ("|", ">") else end
        if not isinstance(node, MappingNode | SequenceNode) or node.flow_style:
            return end
        parts = [pair[1] for pair in node.value] if isinstance(node, MappingNode) else node.value
        return max((self._end(part) for part in parts), default=end)

    def _shifted(self, source: str, columns: int) -> str:
        """The source of a value, its further lines moved to the right, or to the left."""
        first, *others = source.split("\n")
        return "\n".join([first, *(_moved(line, columns) for line in others)])


def _moved(line: str, columns: int) -> str:
    if not line.strip():
        return line
    if columns >= 0:
        return " " * columns + line
    blanks = len(line) - len(line.lstrip(" "))
    return line[min(-columns, blanks) :]
