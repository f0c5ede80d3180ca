"""A real turn as the YAML of a test case, ready for a pull request. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from yaml import Node, SafeDumper, ScalarNode, dump

from runtime.store.messages.replays import ReplayedTurn

_HEAD: Final = (
    "# From a conversation, with other names and numbers. The answer was:\n{answer}\n"
    "# Say below what must be true of it: contains, not_contains, judge, calls, language, max_chars, …\n"
)


def case_text(name: str, turn: ReplayedTurn, case: Mapping[str, Any]) -> str:
    """The case below its name, as `tests:` of a manifest has it, with the answer in a comment."""
    answer = "\n".join(f"#   {line}".rstrip() for line in (turn.answer or "(no answer)").splitlines())
    files = f"# The person also sent {turn.files} file(s), which are not in the case.\n" if turn.files else ""
    body = dump(
        {"tests": {name: _quoted(case)}}, Dumper=_CaseDumper, allow_unicode=True, sort_keys=False, width=1 << 20
    )
    return _HEAD.format(answer=answer) + files + body


class _Quoted(str):
    """A text that is written in quotes, so that no reader takes it for anything else."""

    __slots__ = ()


def _quoted(value: Any) -> Any:
    if isinstance(value, str):
        return _Quoted(value)
    if isinstance(value, Mapping):
        return {key: _quoted(inner) for key, inner in value.items()}
    return [*map(_quoted, value)] if isinstance(value, list) else value


class _CaseDumper(SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """List items are indented below their key."""
        super().increase_indent(flow, False)


def _text(dumper: SafeDumper, value: str) -> Node:
    return ScalarNode("tag:yaml.org,2002:str", str(value), style='"')


_CaseDumper.add_representer(_Quoted, _text)
