"""What a manifest declares of documents in git: a vector store of the client's own."""

from __future__ import annotations

from typing import Any

from reconciler.kinds.knowledge.document import Document
from reconciler.manifest import Manifest
from reconciler.settings import Settings


def values(manifest: Manifest, settings: Settings) -> dict[str, Any] | None:
    """The store and its files; None when the client has none in git."""
    if manifest.search is None or manifest.search.files is None:
        return None
    return {
        "name": manifest.client.name,
        "expires_after": None,
        "files": {file.path: Document(file.path, file.size, file.sha256).content for file in manifest.knowledge},
    }
