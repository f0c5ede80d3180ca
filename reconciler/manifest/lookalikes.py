"""Files that look like manifests and are not read: in a folder below, or with an ending that an editor added.

A client in one of them does not exist, and nothing else would say so.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Final

from reconciler.manifest.problem import Problem

_MANIFEST: Final = re.compile(r"\.ya?ml$", re.IGNORECASE)
_ALMOST: Final = re.compile(r"\.(ya?ml[^a-z~#/]|yalm$|yml\.?$|yaml\.?$)", re.IGNORECASE)
"""`x.yaml.txt`, `x.yaml.bak`, `x.yml.`, `x.yalm`; not what an editor keeps beside a file, `x.yaml~`."""
NAMING_KEYS: Final = frozenset({"file", "files"})
"""A manifest with neither key names no file."""


def lookalikes(folder: Path, display: str, referred: Collection[str]) -> Iterator[Problem]:
    """A warning for each. `referred`: files that a manifest names, relative to the folder, in NFC."""
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        is_below = Path(parent) != folder
        for file in sorted(files):
            hint = _hint(file, is_below=is_below, display=display)
            if hint is None:
                continue
            name = (Path(parent) / file).relative_to(folder).as_posix()
            if unicodedata.normalize("NFC", name) not in referred:
                yield _warning(f"{display}/{name}", hint)


def _hint(file: str, *, is_below: bool, display: str) -> str | None:
    """What to do about a file, by its name alone; None where it looks like no manifest, or is one that is read."""
    if file.startswith((".", "#")):
        return None
    if _MANIFEST.search(file):
        return f"Move it into {display}, or rename it." if is_below else None
    return "Let its name end in .yaml, or remove the file." if _ALMOST.search(file) else None


def named_files(value: Any) -> Iterator[str]:
    """Every file that a manifest's values name, below `file` or `files` (a list, or a mapping from names), at any
    depth."""
    if isinstance(value, dict):
        for key, part in value.items():
            if key == "file" and isinstance(part, str):
                yield _named(part)
            elif key == "files" and isinstance(part, list):
                yield from (_named(name) for name in part if isinstance(name, str))
            elif key == "files" and isinstance(part, dict):
                yield from (_named(name) for name in part.values() if isinstance(name, str))
            elif isinstance(part, (dict, list)):
                yield from named_files(part)
    elif isinstance(value, list):
        for part in value:
            if isinstance(part, (dict, list)):
                yield from named_files(part)


def _named(name: str) -> str:
    return unicodedata.normalize("NFC", os.path.normpath(name))


def _warning(path: str, hint: str) -> Problem:
    return Problem(path, 0, 0, "it looks like a manifest, and is not read", hint, "warning")
