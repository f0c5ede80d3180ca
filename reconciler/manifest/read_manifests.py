"""What was read of some manifests of a folder: a part of a fleet, or all of it."""

from __future__ import annotations

import marshal
import pickle
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple

from reconciler.manifest.cut_values import cut_values
from reconciler.manifest.document import YamlDocument
from reconciler.manifest.folder import Folder
from reconciler.manifest.handoff_checks import DESK, desk_inbox
from reconciler.manifest.invisible import invisible
from reconciler.manifest.lookalikes import NAMING_KEYS, named_files
from reconciler.manifest.one_manifest import Manifest, OneManifest
from reconciler.manifest.problem import Problem
from reconciler.manifest.shape import Loc
from schemas import Client


class Claim(NamedTuple):
    """A file's claim to an id, a number or a desk's inbox."""

    file: str
    value: str
    loc: Loc


@dataclass(slots=True)
class ManifestsRead:
    """What was read of some manifests."""

    problems: list[Problem] = field(default_factory=list)
    manifests: dict[str, Manifest] = field(default_factory=dict)
    """By the file's name."""
    invalid: set[str] = field(default_factory=set)
    """Names of files with an error."""
    referred: set[str] = field(default_factory=set)
    """Files that manifests name."""
    ids: list[Claim] = field(default_factory=list)
    numbers: list[Claim] = field(default_factory=list)
    former_ids: list[Claim] = field(default_factory=list)
    desks: list[Claim] = field(default_factory=list)

    def add(self, other: ManifestsRead) -> None:
        """Adds what was read of manifests that follow in the folder."""
        for one in fields(self):
            mine, others = getattr(self, one.name), getattr(other, one.name)
            mine.extend(others) if isinstance(mine, list) else mine.update(others)

    def warn(self, document: YamlDocument) -> None:
        """Adds what may be wrong with a text, and the files that it names."""
        self.problems += invisible(document.path, document.text)
        self.problems += cut_values(document.path, document.text, document.root)
        if not document.texts.isdisjoint(NAMING_KEYS):
            self.referred.update(named_files(document.value))

    def claim(self, name: str, value: Mapping[str, Any]) -> None:
        """Adds what a file's values claim."""
        # A number passes from a client that goes to another one.
        keys = (("id", self.ids),) if value.get("state") == "absent" else (("id", self.ids), ("number", self.numbers))
        for key, claims in (*keys, ("formerly", self.former_ids)):
            if isinstance(value.get(key), str):
                claims.append(Claim(name, value[key], (key,)))
        if value.get("handoff") and value.get("state") != "absent" and (inbox := desk_inbox(value)) is not None:
            self.desks.append(Claim(name, inbox, (*DESK, "inbox")))


def read_manifests(
    folder: Folder, defaults: YamlDocument, names: Iterable[str], *, allow_private: bool
) -> ManifestsRead:
    """Reads manifests of a folder; their errors become problems. `allow_private`: see `checks.check`."""
    read = ManifestsRead()
    for name in names:
        _read_one(read, folder, defaults, name, allow_private=allow_private)
    return read


def read_packed(folder: Folder, defaults: YamlDocument, names: Iterable[str], *, allow_private: bool) -> bytes:
    """The same for another process, to be unpacked there.

    A client travels as its values, and is validated again: its model takes longer to be packed. `marshal` has equal
    texts be one object there, too, as they are here and in the live state.
    """
    read = ManifestsRead()
    values = {name: _read_one(read, folder, defaults, name, allow_private=allow_private) for name in names}
    clients, files = {}, {}
    for name, one in read.manifests.items():
        clients[name] = values[name], one.path, one.instructions, one.canary_instructions
        files[name] = {"knowledge": one.knowledge, "media": one.media, "cases": one.cases}
    others = replace(read, manifests={})
    return pickle.dumps((marshal.dumps(clients), files, others), pickle.HIGHEST_PROTOCOL)


def unpacked(packed: bytes) -> ManifestsRead:
    """What `read_packed` read."""
    read: ManifestsRead
    clients, files, read = pickle.loads(packed)  # noqa: S301 - from a process of this command
    for name, (value, path, instructions, canary) in marshal.loads(clients).items():  # noqa: S302
        client = Client.model_validate(value)
        read.manifests[name] = Manifest(path, client, instructions, **files[name], canary_instructions=canary)
    return read


def _read_one(
    read: ManifestsRead, folder: Folder, defaults: YamlDocument, name: str, *, allow_private: bool
) -> Mapping[str, Any]:
    """Reads a manifest; returns its values over the defaults, from which its client was validated."""
    value: Mapping[str, Any] = {}
    before = len(read.problems)
    document = folder.parse(name)
    read.warn(document)
    if not document.is_mapping and not document.problems:
        document.report((0, 0), "the file is empty", "Write a client into it (reconcile new helps), or remove it.")
    if document.is_mapping:
        one = OneManifest(folder, name, document, defaults)
        value = one.value
        manifest = one.manifest(allow_private)
        read.claim(name, value)
        if manifest is not None:
            read.manifests[name] = manifest
        read.problems += one.problems
    read.problems += document.problems
    if any(problem.severity == "error" for problem in read.problems[before:]):
        read.invalid.add(name)
    return value
