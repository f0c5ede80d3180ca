"""Writes values as YAML that reads back as the same values, in the style in which a person would write a manifest."""

from __future__ import annotations

import re
from typing import Any

from yaml import Node, SafeDumper, ScalarNode, dump

from reconciler.manifest import plain

# A parser folds these characters into spaces or refuses them unless they are escaped.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]")


def to_yaml(value: Any) -> str:
    """Block style, keys in the order given, prompts as literal blocks, and quotes where YAML versions disagree."""
    return dump(value, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=1 << 20)


class _Dumper(SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """List items are indented below their key."""
        super().increase_indent(flow, False)


def _text(dumper: SafeDumper, value: str) -> Node:
    style = "|" if "\n" in value else None
    # A block that keeps its trailing blank lines would also include those that follow it in the file.
    keeps = value.endswith("\n\n") or value == "\n"
    if keeps or plain.tag_of(value) is not plain.STR or _UNPRINTABLE.search(value):
        style = '"'
    return ScalarNode("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)
