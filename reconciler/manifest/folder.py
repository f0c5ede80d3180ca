"""The folder of manifests: which files belong to it, how they are read, and their names in messages."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.manifest.defaults import FILE
from reconciler.manifest.document import MAX_BYTES, YamlDocument, parse, too_large
from reconciler.manifest.lookalikes import lookalikes
from reconciler.manifest.problem import NoManifests, Problem

TARIFFS = "tariffs.yaml"
"""Beside the folder of manifests, with prices and what the agency adds to them."""


@dataclass(slots=True)
class Folder:
    """An existing folder and the manifests in it."""

    path: Path
    display: str
    """The folder's name in messages: relative to the working directory when it is below that."""
    name: str
    """The folder's own name."""
    manifests: list[str] = field(default_factory=list)
    has_defaults: bool = False
    own_secrets: Mapping[str, str] = field(default_factory=dict)
    """See literal_secrets."""
    problems: list[Problem] = field(default_factory=list)

    def shown(self, file: str) -> str:
        """A file's name in messages."""
        return f"{self.display}/{file}"

    def parse(self, file: str) -> YamlDocument:
        """Reads and parses a file; errors become the document's problems."""
        return read_document(f"{self.path}/{file}", self.shown(file), self.own_secrets)


def read_document(path: str, shown: str, own_secrets: Mapping[str, str]) -> YamlDocument:
    """Reads and parses a file that messages call `shown`; errors become the document's problems."""
    try:
        with open(path, "rb", buffering=0) as stream:  # noqa: PTH123 - a third less for each client
            size = os.fstat(stream.fileno()).st_size
            if size > MAX_BYTES:
                return _unreadable(shown, *too_large(size))
            return parse(shown, stream.readall(), own_secrets)
    except OSError as error:
        return _unreadable(shown, f"the file cannot be read ({error.strerror})", "Check its permissions.")


def open_folder(clients_dir: Path, own_secrets: Mapping[str, str]) -> Folder:
    """Lists a folder; raises ManifestErrors when it does not exist or is empty."""
    folder = Folder(clients_dir, display(clients_dir), clients_dir.resolve().name, own_secrets=own_secrets)
    try:
        with os.scandir(clients_dir) as entries:
            for entry in entries:
                if not entry.name.startswith(".") and entry.name.lower().endswith((".yaml", ".yml")):
                    _take(folder, entry)
    except FileNotFoundError:
        hint = "Run in the folder that holds it, or set CLIENTS_DIR; reconcile new creates one."
        raise _nothing(folder, f"no {clients_dir.name or clients_dir} here", hint) from None
    except OSError as error:
        hint = "CLIENTS_DIR names the folder that holds the manifests."
        raise _nothing(folder, f"the folder of manifests cannot be read ({error.strerror})", hint) from error
    if not folder.manifests and not folder.problems:
        nothing = _nothing(folder, "no manifest in the folder", "reconcile new writes the first one.")
        raise NoManifests([*nothing.problems, *lookalikes(clients_dir, folder.display, ())])
    folder.manifests.sort()
    return folder


def _take(folder: Folder, entry: os.DirEntry[str]) -> None:
    def refuse(message: str, hint: str) -> None:
        folder.problems.append(Problem(folder.shown(entry.name), 0, 0, message, hint))

    if entry.is_symlink() and not os.path.exists(entry.path):  # noqa: PTH110 - also False for a link to itself
        refuse("a link that leads to no file", "Remove it, or put the manifest itself into the folder.")
    elif entry.is_symlink() and not _stays_inside(folder.path, entry.path):
        refuse("a link to a file outside the folder", "Put the manifest itself into the folder.")
    elif not entry.is_file():
        refuse("not a file", "Only files end in .yaml here; remove or rename it.")
    elif entry.name == FILE:
        folder.has_defaults = True
    elif entry.name.startswith("_"):
        refuse(f"only {FILE} begins with an underscore", f"Rename it, or move it into {FILE}.")
    else:
        folder.manifests.append(entry.name)


def _stays_inside(folder: Path, link: str) -> bool:
    root = os.path.realpath(folder)
    return os.path.commonpath((root, os.path.realpath(link))) == root


def tariffs_file(clients_dir: Path, named: Path | None) -> Path | None:
    """Where the tariffs are; None where there are none. One that is `named`, by TARIFFS_FILE, must exist."""
    path = named or clients_dir.parent / TARIFFS
    return path if named is not None or path.exists() else None


def display(path: Path) -> str:
    """A path as messages write it: relative to the working directory when it is below that."""
    if path.is_absolute() and path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    return path.as_posix()


def _unreadable(path: str, message: str, hint: str) -> YamlDocument:
    document = YamlDocument(path)
    document.report((0, 0), message, hint)
    return document


def _nothing(folder: Folder, message: str, hint: str) -> NoManifests:
    return NoManifests([Problem(folder.display, 0, 0, message, hint)])
