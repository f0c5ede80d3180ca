"""A chat as a test case: what came before as it was answered, the last message as the question, with what was called as
fixtures and expectations. A draft, which a person reviews."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from reconciler.errors import ReconcileError
from reconciler.manifest import Manifest
from reconciler.manifest.emit import to_yaml
from reconciler.trying.chat import ChatExchange
from reconciler.trying.fixtures import arguments_of
from schemas.cases import BUILT_IN, Case

_HEAD: Final = (
    "# yaml-language-server: $schema=../../../schemas/case.schema.json\n"
    "# Saved from a chat. The answer was:\n{answer}\n"
    "# Say below what must be true of it: contains, not_contains, judge, calls, language, max_chars, …\n"
)
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_ROOM: Final = 200
"""Characters that an answer may be longer than the one that was seen, at least."""


def saved_case(said: Sequence[ChatExchange], folder: Path) -> str:
    """The YAML of a case. `folder`: in which the paths of files begin. Raises ReconcileError where there is nothing to
    save, or a file lies outside of it."""
    if not said:
        raise ReconcileError("Nothing was said yet.")
    last = said[-1]
    document: dict[str, Any] = {}
    if fixtures := list(_fixtures(said)):
        document["functions"] = fixtures
    document["conversation"] = [
        *(_sent(one, folder) | {"answered": one.answer.text} for one in said[:-1] if one.answer.text),
        _sent(last, folder) | {"expect": _expected(last)},
    ]
    Case.model_validate(document)
    answer = "\n".join(f"#   {line}".rstrip() for line in (last.answer.text or "(no answer)").splitlines())
    return _HEAD.format(answer=answer) + to_yaml(document)


def _sent(one: ChatExchange, folder: Path) -> dict[str, Any]:
    texts = list(one.texts)
    sent: dict[str, Any] = {"say": texts[0] if len(texts) == 1 else texts} if texts else {}
    if one.files:
        sent["files"] = [_below(path, folder) for path in one.files]
    return sent


def _below(path: Path, folder: Path) -> str:
    try:
        return path.resolve().relative_to(folder.resolve()).as_posix()
    except ValueError:
        raise ReconcileError(f"{path} is outside of {folder}; copy it there, so that the case finds it.") from None


def _fixtures(said: Sequence[ChatExchange]) -> Iterator[Mapping[str, Any]]:
    """What functions answered."""
    for one in said:
        for call in one.answer.calls:
            if call["name"] not in BUILT_IN:
                arguments = arguments_of(call["arguments"])
                fixed = {"arguments": arguments} if isinstance(arguments, dict) and arguments else {}
                yield {"name": call["name"], **fixed, "answer": arguments_of(call["output"] or json.dumps(None))}


def _expected(last: ChatExchange) -> dict[str, Any]:
    answer = last.answer
    if not answer.text:
        return {"no_reply": True}
    calls = {call["name"]: arguments_of(call["arguments"]) for call in answer.calls if call["name"] not in BUILT_IN}
    expected: dict[str, Any] = {"calls": {name: given or None for name, given in calls.items()}} if calls else {}
    if answer.ending.handoff is not None:
        return expected | {"hands_over": True}
    return expected | {"max_chars": (len(answer.text) + _ROOM) // 100 * 100 + 100}


def save(said: Sequence[ChatExchange], clients_dir: Path, manifest: Manifest, name: str) -> str:
    """Writes a chat as a case into a file of its own; returns where it is and what to add to the manifest. Raises
    ReconcileError."""
    if not _NAME.fullmatch(name):
        raise ReconcileError("Write /save and a name of lower-case letters, digits, - and _, such as /save reserva.")
    relative = f"{manifest.client.id}/tests/{name}.yaml"
    path = clients_dir / relative
    text = saved_case(said, clients_dir)
    if path.exists():
        raise ReconcileError(f"{path} exists already; choose another name, or remove it.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ReconcileError(f"{path} cannot be written: {error.strerror}.") from error
    return f"Written: {path}. Add it to {manifest.path}, below tests:\n  {name}: {{file: {relative}}}"
