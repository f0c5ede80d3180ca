"""Plain values that YAML ends at ` #`: what follows is a comment to it, and was meant as text.

`Av. Italia #1234` is read as `Av. Italia`. A comment with a blank after its sign is taken for one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from reconciler.manifest.problem import Problem

_CUT: Final = re.compile(r"[ \t]+(#[^\s#!]+)")
_SIGN: Final = re.compile(r"#(?<=[ \t]#)[^\s#!]")
"""Where `_CUT` may match. It begins with the sign, which is rare, and not with a blank."""


def cut_values(path: str, text: str, root: Node | None) -> Iterator[Problem]:
    """A warning for each, at the sign."""
    if root is None or not _SIGN.search(text):
        return
    lines = text.splitlines()
    for node in _plain(root, set()):
        line, column = node.end_mark.line, node.end_mark.column
        cut = _CUT.match(lines[line], column) if line < len(lines) else None
        if cut:
            hint = "Write the whole value in quotes; a comment has a blank after its sign."
            message = f"the value ends here, since YAML takes {cut[1]} for a comment"
            yield Problem(path, line + 1, cut.start(1) + 1, message, hint, "warning")


def _plain(node: Node, seen: set[int]) -> Iterator[ScalarNode]:
    """The values that are plain scalars, each once, however often an alias names it."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, MappingNode):
        for _, value in node.value:
            yield from _plain(value, seen)
    elif isinstance(node, SequenceNode):
        for item in node.value:
            yield from _plain(item, seen)
    elif isinstance(node, ScalarNode) and not node.style:
        yield node
