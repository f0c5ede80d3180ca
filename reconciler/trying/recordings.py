"""Recorded answers of models, one file for each request in `clients.d/<id>/recordings/`, reviewed in git.

    request ──► canonical JSON, without credentials ──► SHA-256 ──► <hash>.json ──► the answer of run 1, 2, …

The key is made of everything that goes in: instructions, tools, history, words, the bytes of files, the hash of
documents. So a recording holds until one of these changes, and a case that is run again without a change costs nothing.
Headers are in no request here; those of MCP servers are left out.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from reconciler.errors import ReconcileError
from reconciler.manifest.literal_secrets import literal_secrets
from runtime.engines.data_urls import DataUrl

VERSION: Final = 1
FOLDER: Final = "recordings"
KEY_LENGTH: Final = 32
"""Hexadecimal digits of a file's name: 128 bits."""
_KEPT: Final = ("model", "status", "output", "usage", "tool_usage", "incomplete_details", "error")
"""What engines read of a response; ids and times would only make a difference in git."""
UPLOAD_PREFIX: Final = "trial_"
"""Of the names of temporary uploads (`documents`); who made them follows."""
_MAKER: Final = re.compile(UPLOAD_PREFIX + r"[0-9a-f]{8}-[0-9]+(?=--)")
_SHOWN: Final = 2_000
"""Characters of what was asked that are repeated for the reader."""


def key_of(body: Mapping[str, Any]) -> str:
    """The name under which the answer to a request is recorded."""
    canonical = json.dumps(_plain(body), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()[:KEY_LENGTH]


class Recordings:
    """The recordings of one client."""

    def __init__(self, folders: Sequence[Path], own_secrets: Mapping[str, str]) -> None:
        """`folders`: the client's own, below clients.d; what is not in the first one is looked for in the others.
        `own_secrets`: see literal_secrets."""
        self.folder, *self._others = (folder / FOLDER for folder in folders)
        self._own_secrets = own_secrets
        self._known: dict[str, dict[str, Any] | None] = {}
        self.used: set[str] = set()

    def answer(self, key: str, run: int) -> dict[str, Any] | None:
        """The recorded answer to a request in the run with this number; None without one. Raises ReconcileError for a
        damaged file."""
        self.used.add(key)
        document = self._document(key)
        answers = document.get("answers") if document is not None else None
        found = answers.get(str(run)) if isinstance(answers, dict) else None
        return json.loads(json.dumps(found)) if isinstance(found, dict) else None

    def server(self, key: str) -> str | None:
        """The server that gave a recorded answer; None for OpenAI's own."""
        document = self._document(key)
        return document.get("server") if document is not None else None

    def record(
        self, key: str, run: int, body: Mapping[str, Any], response: Mapping[str, Any], server: str | None
    ) -> None:
        """Writes an answer, and which server gave it: None for OpenAI's own. Raises ReconcileError where it holds a
        secret, or the file cannot be written."""
        by = {} if server is None else {"server": server}
        document = self._document(key) or {"version": VERSION, **by, "asked": _asked(body), "answers": {}}
        kept = {name: response[name] for name in _KEPT if response.get(name) is not None}
        # Who made a temporary upload would be another difference in git with every recording.
        kept = json.loads(_MAKER.sub(UPLOAD_PREFIX, json.dumps(kept)))
        answers = {**document["answers"], str(run): kept}
        document = {**document, "answers": dict(sorted(answers.items(), key=lambda one: int(one[0])))}
        text = json.dumps(document, ensure_ascii=False, indent=1) + "\n"
        secret = next(iter(literal_secrets(text, self._own_secrets)), None)
        if secret is not None:
            raise ReconcileError(f"An answer was not recorded, since {secret[1]} is written out in it.")
        path = self.folder / f"{key}.json"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            path.write_text(text.encode("utf-8", "backslashreplace").decode(), encoding="utf-8")
        except OSError as error:
            raise ReconcileError(f"{path} cannot be written: {error.strerror}.") from error
        self._known[key] = document

    def remove_unused(self) -> int:
        """Removes the recordings that no request asked for; returns their number."""
        unused = [path for path in self.folder.glob("*.json") if path.stem not in self.used]
        for path in unused:
            path.unlink(missing_ok=True)
        return len(unused)

    def _document(self, key: str) -> dict[str, Any] | None:
        if key not in self._known:
            found = (_read(folder / f"{key}.json") for folder in (self.folder, *self._others))
            self._known[key] = next((document for document in found if document is not None), None)
        return self._known[key]


def _read(path: Path) -> dict[str, Any] | None:
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ReconcileError(f"{path} cannot be read: {error}. Delete it, and record it again.") from error
    if not isinstance(document, dict) or document.get("version") != VERSION:
        raise ReconcileError(f"{path} is not a recording of this version. Delete it, and record it again.")
    return document


def _plain(value: Any) -> Any:
    """A request as JSON: files by their content, items that are text as what they hold, no header."""
    if isinstance(value, DataUrl):
        return {"file": hashlib.sha256(value.path.read_bytes()).hexdigest(), "type": value.content_type}
    if isinstance(value, Mapping):
        hidden = {"headers"} if value.get("type") == "mcp" else set()
        return {
            str(key): [_item(item) for item in part] if key == "input" and isinstance(part, list) else _plain(part)
            for key, part in value.items()
            if key not in hidden
        }
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return value


def _item(item: Any) -> Any:
    """An item of a request's input; one of the conversation's memory is JSON already."""
    return json.loads(item) if isinstance(item, str) and not isinstance(item, DataUrl) else _plain(item)


def _asked(body: Mapping[str, Any]) -> dict[str, Any]:
    """What a reader wants to know of a request."""
    said = list(_said(body))
    return {"model": body.get("model"), "said": "\n".join(said)[-_SHOWN:]}


def _said(body: Mapping[str, Any]) -> Iterator[str]:
    """The words since the assistant's last answer, and results of functions."""
    items = [_item(item) for item in body.get("input") or ()]
    newest = next((index for index in range(len(items) - 1, -1, -1) if items[index].get("role") == "assistant"), -1)
    for item in items[newest + 1 :]:
        if item.get("role") == "user" and isinstance(item.get("content"), str):
            yield item["content"]
        elif item.get("role") == "user":
            yield "\n".join(str(part.get("text") or part.get("type")) for part in item.get("content") or ())
        elif item.get("type") == "function_call_output":
            yield f"[result] {item.get('output')}"
