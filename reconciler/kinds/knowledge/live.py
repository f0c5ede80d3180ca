"""Which vector stores of OpenAI are a client's, and their content."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from reconciler.kinds.context import ClientContext
from reconciler.kinds.knowledge.document import Document, document_of
from reconciler.manifest import Manifest
from reconciler.model import UNKNOWN_ID, Orphan, Unmanaged
from reconciler.observation.live_state import Failed, LiveState, Store
from reconciler.ownership import client_of, own
from reconciler.readers.openai import StoreFile, VectorStore

KEY: Final = "documents"
BY_HAND: Final = "added by hand"
"""The text for a file that is in a managed store and not from git."""


def stores_of(client: str, live_state: LiveState, store: Store) -> Sequence[VectorStore]:
    """The vector stores of this client, also expired ones."""
    documents = live_state.documents
    if isinstance(documents, Failed):
        return ()
    applied = store.applied.get((client, "knowledge"))
    last = documents.stores.get(applied.live_id) if applied is not None else None
    return own(documents.by_client.get(client, ()), last)


def searchable(context: ClientContext) -> Sequence[VectorStore]:
    """Those of them that can be searched."""
    return [live for live in stores_of(context.id, context.live_state, context.store) if live.status != "expired"]


def own_store_id(context: ClientContext) -> str:
    """The store in which the client's documents in git are searched, or will be."""
    return next((live.id for live in searchable(context)), UNKNOWN_ID)


def searched(manifest: Manifest, live_state: LiveState, store: Store) -> VectorStore | Failed | None:
    """The vector store that a client's assistant searches; None when it has no such tool, or the store does not
    exist."""
    search, documents = manifest.search, live_state.documents
    if search is None:
        return None
    if isinstance(documents, Failed):
        return documents
    if search.vector_store is not None:
        return documents.stores.get(search.vector_store)
    own_stores = stores_of(manifest.client.id, live_state, store)
    return next((live for live in own_stores if live.status != "expired"), None)


def values_of(
    live: VectorStore, files: Sequence[StoreFile], client: str, declared: Mapping[str, str]
) -> dict[str, Any]:
    """A live store in the shape of the declared values. Of several files with one path, which an interrupted run
    leaves, the `declared` one counts; the others are shown with their ids."""
    seen: dict[str, str] = {}
    versions: dict[str, dict[str, str]] = {}
    for file in files:
        document = document_of(file.attributes, client)
        if document is None:
            seen[file.id] = BY_HAND
        else:
            versions.setdefault(document.path, {})[file.id] = _said_of(file, document)
    for path, found in versions.items():
        counts = next((key for key, said in found.items() if said == declared.get(path)), next(iter(found)))
        seen |= {path if key == counts else f"{path} ({key})": said for key, said in found.items()}
    return {"name": live.name, "expires_after": live.expires_after, "files": seen}


def undeclared(
    live_state: LiveState, store: Store, clients: Collection[str], numbers: Collection[str]
) -> Iterator[Orphan | Unmanaged]:
    """Vector stores that belong to none of these clients."""
    if isinstance(live_state.documents, Failed):
        return
    for live in live_state.documents.stores.values():
        owner = client_of(live.metadata)
        if owner is None:
            yield Unmanaged("knowledge", live.name, live.id)
        elif owner not in clients:
            yield Orphan(owner, "knowledge", KEY, live.id)


def _said_of(file: StoreFile, document: Document) -> str:
    if file.status == "completed":
        return document.content
    if file.status == "in_progress":
        return f"{document.content}, not indexed yet"
    return f"{document.content}, {file.status}" + (f": {file.error}" if file.error else "")
