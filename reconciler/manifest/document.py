"""One YAML file as plain values, each with its position: the content of a manifest before it is validated.

Parsed by libyaml; the values are built here, because PyYAML's own constructor lets the last of two equal keys win and
reads plain scalars as YAML 1.1 does. Nothing is guessed: unclear input becomes a problem with a position.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Mapping
from dataclasses import dataclass, field
from sys import intern
from typing import Any

from yaml import MappingNode, Node, ScalarNode, SequenceNode, YAMLError
from yaml._yaml import CParser

from reconciler.manifest import plain, syntax
from reconciler.manifest.literal_secrets import NONE, literal_secrets, shown
from reconciler.manifest.problem import MAX_PROBLEMS, Problem

MAX_BYTES = 1 << 20
MAX_DEPTH = 64
MAX_VALUES = 100_000

Loc = tuple[str | int, ...]


@dataclass(slots=True)
class YamlDocument:
    """A parsed file."""

    path: str
    text: str = ""
    is_mapping: bool = False
    """Whether `value` is worth checking further; an empty file has neither that nor problems."""
    value: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    texts: set[str] = field(default_factory=set)
    """Every key and text of `value`: whether the file can hold something at all is asked here, before it is walked."""
    root: Node | None = None
    """The tree in which positions are looked up, None without a mapping."""

    def report(self, node: Node | tuple[int, int], message: str, hint: str) -> None:
        """Adds an error at a node or at a (line, column) counted from 1."""
        line, column = node if isinstance(node, tuple) else _start(node)
        if len(self.problems) == MAX_PROBLEMS:
            message, hint = f"more than {MAX_PROBLEMS} problems", "Correct the first ones; the rest is not listed."
        if len(self.problems) <= MAX_PROBLEMS:
            self.problems.append(Problem(self.path, line, column, message, hint))

    def find(self, loc: Loc) -> tuple[Node | None, Node | None]:
        """Key and value node at a location, (None, None) when there is none."""
        key: Node | None = None
        node: Node | None = self.root
        for part in loc:
            key, node = _child(node, part)
            if node is None:
                return None, None
        return key, node

    def place(self, loc: Loc, *, key: bool = False) -> tuple[int, int]:
        """Line and column of the value (or key) at a location, or of the nearest enclosing one when it is missing."""
        key_node, node = self.find(loc)
        if node is None:
            return self.place(loc[:-1], key=True) if loc else (1, 1)
        at_key = key_node is not None and (key or (isinstance(node, ScalarNode) and node.tag is plain.NULL))
        return _start(key_node if at_key and key_node is not None else node)

    def written(self, loc: Loc) -> str:
        """The scalar at a location as written in the file, empty when there is none."""
        node = self.find(loc)[1]
        return node.value if isinstance(node, ScalarNode) else ""


def parse(path: str, data: bytes, own: Mapping[str, str] = NONE) -> YamlDocument:
    """Parses the bytes of one file; the result is always a document, with its problems. `own`: see literal_secrets."""
    document = YamlDocument(path)
    if len(data) > MAX_BYTES:
        document.report((0, 0), *too_large(len(data)))
        return document
    try:
        document.text = data.removeprefix(BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        document.report(
            _position(error.object[: error.start]), "the file is not UTF-8", "Save it in the encoding UTF-8."
        )
        return document
    for offset, kind in literal_secrets(document.text, own):
        document.report(
            _position(document.text[:offset].encode()),
            f"{kind} is written out",
            "Revoke it, since it is in git now; write {env: NAME} and set that environment variable where the "
            "command runs.",
        )
    _compose(document)
    return document


def too_large(size: int) -> tuple[str, str]:
    """The message about a file of more than MAX_BYTES."""
    return f"the file has {size / MAX_BYTES:.1f} MiB, 1 MiB at most", "Keep long texts in files of their own."


class _Parser(CParser):
    """libyaml's parser and composer, without a constructor: values are built here. These methods it asks for."""

    def resolve(self, kind: type[Node], value: str | None, implicit: Any) -> str:
        """Tag of a node that names none; `implicit[0]` says that a scalar is plain."""
        if kind is ScalarNode:
            return plain.tag_of(value or "") if implicit[0] else plain.STR
        return plain.MAP if kind is MappingNode else plain.SEQ

    def descend_resolver(self, current_node: Node | None, current_index: Any) -> None:
        """Path resolvers are not used."""

    def ascend_resolver(self) -> None:
        """Path resolvers are not used."""


def _compose(document: YamlDocument) -> None:
    root = _composed(document)
    if root is None:
        return
    try:
        document.value = _Builder(document).build(root, 0)
    except _Unbounded as error:
        document.report(
            error.node, str(error), "Check the aliases (*name): each one repeats everything that it refers to."
        )
    else:
        document.is_mapping, document.root = True, root


def _composed(document: YamlDocument) -> MappingNode | None:
    """The tree of a file that is a mapping; of any other the problem is reported, an empty one has none."""
    try:
        too_deep = syntax.too_deep(document.text, MAX_DEPTH)
        if too_deep is not None:
            document.report(too_deep, f"more than {MAX_DEPTH} levels deep", "Check the brackets.")
            return None
        parser = _Parser(document.text)
        try:
            node = parser.get_single_node()
        finally:
            parser.dispose()
    except YAMLError as error:
        document.report(*syntax.explain(error, document.text))
        return None
    if node is None or node.tag is plain.NULL:
        return None
    if not isinstance(node, MappingNode):
        document.report(node, "the file is not a mapping of keys to values", 'Begin with "id: la-cocina" and the like.')
        return None
    return node


class _Unbounded(Exception):
    def __init__(self, node: Node, message: str) -> None:
        super().__init__(message)
        self.node = node


class _Builder:
    """Builds plain values from nodes. Aliases are expanded, within bounds; equal texts share one object, since a fleet
    repeats its keys and words, and the live state repeats them once more.
    """

    def __init__(self, document: YamlDocument) -> None:
        self.document = document
        self.texts = document.texts
        self.left = MAX_VALUES

    def build(self, node: Any, depth: int) -> Any:
        self.left -= 1
        if self.left < 0:
            raise _Unbounded(node, f"more than {MAX_VALUES:,} values")
        if depth > MAX_DEPTH:
            raise _Unbounded(node, f"more than {MAX_DEPTH} levels deep")
        tag = node.tag
        if tag is plain.STR:
            text = intern(node.value)
            self.texts.add(text)
            return text if "\0" not in text else self._nul(node)
        if tag is plain.MAP:
            return self._mapping(node, depth)
        if tag is plain.SEQ:
            return [self.build(item, depth + 1) for item in node.value]
        return self._scalar(node)

    def _mapping(self, node: MappingNode, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        merged: list[Node] = []
        for key_node, value_node in node.value:
            if key_node.tag is plain.MERGE:
                merged.append(value_node)
                continue
            key = intern(key_node.value) if key_node.tag is plain.STR else self._odd_key(key_node)
            if key is None:
                continue
            if key in result:
                self._duplicate(node, key_node)
                continue
            self.texts.add(key)
            result[key] = self.build(value_node, depth + 1)
        for source in merged:
            self._merge(result, source, depth)
        return result

    def _duplicate(self, node: MappingNode, key: ScalarNode) -> None:
        if len(self.document.problems) <= MAX_PROBLEMS:
            first = _start(_pair(node, key.value)[0])[0]
            message = f"the key {shown(key.value)} is written twice, first in line {first}"
            self.document.report(key, message, "Remove one of them.")

    def _merge(self, result: dict[str, Any], source: Node, depth: int) -> None:
        for node in source.value if isinstance(source, SequenceNode) else [source]:
            if not isinstance(node, MappingNode):
                self.document.report(node, '"<<" merges something that is not a mapping', 'Write "<<: *name".')
                continue
            for key, value in self.build(node, depth + 1).items():
                result.setdefault(key, value)

    def _odd_key(self, node: Node) -> str | None:
        if not isinstance(node, ScalarNode):
            hint = "Write {{…}} in quotes." if isinstance(node, MappingNode) else "Write a text as the key."
            self.document.report(node, "a key that is not a text", hint)
            return None
        if node.tag is plain.NULL:
            self.document.report(node, "a colon with no key before it", "Write the key, or the text in quotes.")
            return None
        self._scalar(node)
        if node.tag in (plain.INT, plain.FLOAT, plain.TRUE, plain.FALSE):
            self.document.report(node, "a key that is not a text", f"Write it in quotes: {shown(node.value)}.")
        return str(node.value)

    def _nul(self, node: Node) -> str:
        self.document.report(node, "a NUL character", "Remove it; no store can hold it.")
        return str(node.value)

    def _scalar(self, node: Node) -> Any:
        tag, value = node.tag, node.value
        if tag is plain.NULL:
            return None
        if tag is plain.TRUE or tag is plain.FALSE:
            return tag is plain.TRUE
        if tag is plain.INT:
            return int(value)
        if tag is plain.FLOAT:
            return float(value)
        unclear = plain.ambiguity(tag, value)
        if unclear is not None:
            self.document.report(node, *unclear)
        elif tag is not plain.MERGE and tag != "tag:yaml.org,2002:str":
            self.document.report(node, f"the tag {shown(tag)}", "Tags are not used in manifests; remove it.")
        if not isinstance(value, str):
            return None
        self.texts.add(value)
        return value


def _child(node: Node | None, part: str | int) -> tuple[Node | None, Node | None]:
    if isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.value):
        return None, node.value[part]
    if not isinstance(node, MappingNode):
        return None, None
    key, value = _pair(node, str(part))
    if value is not None:
        return key, value
    for key_node, value_node in node.value:
        if key_node.tag is plain.MERGE:
            for source in value_node.value if isinstance(value_node, SequenceNode) else [value_node]:
                key, value = _child(source, part)
                if value is not None:
                    return key, value
    return None, None


def _pair(node: MappingNode, key: str) -> tuple[Any, Any]:
    for key_node, value_node in node.value:
        if isinstance(key_node, ScalarNode) and key_node.value == key and key_node.tag is not plain.MERGE:
            return key_node, value_node
    return None, None


def _start(node: Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _position(before: bytes) -> tuple[int, int]:
    lines = before.removeprefix(BOM_UTF8).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    return len(lines), len(lines[-1].decode("utf-8", "replace")) + 1
