"""A document of a client in its vector store: known by its attributes there, and by its name among OpenAI's files.

OpenAI's files have no metadata and never change, so a document's path and hash are in the attributes that the vector
store keeps. By its name an upload is found again that was not put into a store yet.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

from reconciler.ownership import client_of, marked, spec_hash

PATH: Final = "path"
SHA256: Final = "sha256"
BYTES: Final = "bytes"
LONGEST_NAME: Final = 100
"""Number of characters of a document's own name in the name of its upload."""
UPLOAD: Final = re.compile(r"(?P<client>[a-z0-9]+(?:-[a-z0-9]+)*)--[0-9a-f]{16}--")
"""Prefix of the name of every upload; an id has no two hyphens in a row, so the prefix is unique to one client."""


@dataclass(frozen=True, slots=True)
class Document:
    """One version of one document."""

    path: str
    """Relative to the manifest, in NFC."""
    size: int
    """Bytes."""
    sha256: str

    @property
    def content(self) -> str:
        """Its content as a plan shows it; different contents have different texts."""
        return f"{self.size:,} byte{'' if self.size == 1 else 's'}, sha256 {self.sha256}"

    def attributes(self, client: str) -> dict[str, str]:
        """Its attributes in the vector store, with our marker. The SDK reads numbers as floats, so all values are
        text."""
        said = {PATH: self.path, SHA256: self.sha256, BYTES: str(self.size)}
        return marked(said, client, said)

    def upload_name(self, client: str) -> str:
        """The name of its upload: client, hashes of path and content, and its own name.

        In plain ASCII, so that the provider returns it unchanged.
        """
        version = spec_hash({PATH: self.path, SHA256: self.sha256})
        called = PurePosixPath(self.path)
        stem = unicodedata.normalize("NFKD", called.stem).encode("ascii", "ignore").decode()
        plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", stem)[:LONGEST_NAME]
        return f"{client}--{version}--{plain}{called.suffix.lower()}"


def document_of(attributes: Mapping[str, Any] | None, client: str) -> Document | None:
    """The document of a file in a vector store, by its attributes; None when it is not one of this client."""
    said = attributes or {}
    path, sha256, size = said.get(PATH), said.get(SHA256), str(said.get(BYTES))
    if client_of(said) != client or not isinstance(path, str) or not isinstance(sha256, str) or not size.isdecimal():
        return None
    return Document(unicodedata.normalize("NFC", path), int(size), sha256)


def owner_of_upload(name: str) -> str | None:
    """The client that an upload of this name was made for; None for any other file."""
    ours = UPLOAD.match(name)
    return ours["client"] if ours else None
