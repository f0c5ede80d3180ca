"""The marker on an object that has metadata: written by one function, read by one function."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

from reconciler.model import MANAGED_BY, Values

OWNER = "managed-by"
CLIENT = "client"
SPEC = "spec-hash"
FORMERLY = "formerly"
"""Ids that the client had, with blanks between them: its uploads keep their names."""


class Marked(Protocol):
    """An object that can carry metadata."""

    @property
    def metadata(self) -> Mapping[str, str]:
        """As it was read."""


M = TypeVar("M", bound=Marked)


def marked(metadata: Mapping[str, str], client: str, values: Values) -> dict[str, str]:
    """`metadata` with our marker; other entries are kept."""
    return {**metadata, OWNER: MANAGED_BY, CLIENT: client, SPEC: spec_hash(values)}


def renamed(metadata: Mapping[str, str], client: str) -> dict[str, str]:
    """`metadata` with the marker of a client that was renamed, and the id that it had before."""
    former = [*metadata.get(FORMERLY, "").split(), metadata[CLIENT]]
    return {**metadata, CLIENT: client, FORMERLY: " ".join(name for name in former if name != client)}


def had_other_name(metadata: Mapping[str, str], client: str) -> bool:
    """Whether an object was made under this id for a client that was renamed since."""
    return client in metadata.get(FORMERLY, "").split()


def client_of(metadata: Mapping[str, str]) -> str | None:
    """The client of a managed object, None when the object is unmanaged."""
    return metadata.get(CLIENT) if metadata.get(OWNER) == MANAGED_BY else None


def own(with_mark: Sequence[M], last: M | None) -> Sequence[M]:
    """A client's objects: those with its marker or, where that was removed, the one that was applied `last`."""
    if with_mark or last is None or client_of(last.metadata) is not None:
        return with_mark
    return (last,)


def foreign_owner(metadata: Mapping[str, str]) -> str | None:
    """The other tool whose marker an object has, None when there is none."""
    owner = metadata.get(OWNER)
    return owner if owner != MANAGED_BY else None


def spec_hash(values: Values) -> str:
    """Sixteen hex digits that identify a declared content."""
    canonical = json.dumps(values, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]
