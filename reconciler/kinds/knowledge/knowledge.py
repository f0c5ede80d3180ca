"""The kind `knowledge`: the documents that an assistant searches, in a vector store of OpenAI.

Documents in git are in a store of the client's own, known by the mark in its metadata; each file's attributes say which
path and which content it has. A store that the manifest names instead is kept by hand: it must be there, and nothing of
it is changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from reconciler.kinds.column import Column, Withheld, withhold_foreign
from reconciler.kinds.knowledge.document import Document, document_of
from reconciler.manifest import Manifest
from reconciler.model import UNKNOWN_ID, Change
from reconciler.observation.live_state import Documents, Failed, LiveState, Store
from reconciler.ownership import client_of
from reconciler.readers.openai import StoreFile, VectorStore

KEY: Final = "documents"
EXPIRED: Final = "expired documents"
"""Those of a store that is replaced, since OpenAI searches it no more."""

BY_HAND: Final = "added by hand"
"""What is shown of a file that is in a store of ours and not from git."""


def plan(column: Column) -> list[Change]:
    """The changes of one client's documents. Sets the column's `vector_store_id`. Raises `Withheld`."""
    search = column.manifest.search
    own = stores_of(column.id, column.live_state, column.store)
    if search is not None and search.files is not None:
        return _plan_own(column, own)
    if search is not None:
        column.vector_store_id = _kept_by_hand(column, str(search.vector_store)).id
    leaving = _deletes(column, own)
    column.deferred += leaving
    if not leaving and column.applied("knowledge") is not None:
        column.forgotten.append("knowledge")
    return []


def plan_absent(column: Column) -> list[Change]:
    """The deletes for a client that shall be absent."""
    return _deletes(column, stores_of(column.id, column.live_state, column.store))


def stores_of(client: str, live_state: LiveState, store: Store) -> Sequence[VectorStore]:
    """The stores of this client: by their mark, or by the last apply's record when someone wiped the mark."""
    documents = live_state.documents
    if isinstance(documents, Failed):
        return ()
    applied = store.applied.get((client, "knowledge"))
    unmarked = documents.stores.get(applied.live_id) if applied is not None else None
    marked = documents.by_client.get(client, ())
    if not marked and unmarked is not None and client_of(unmarked.metadata) is None:
        return (unmarked,)
    return marked


def unread(client: str, manifest: Manifest, live_state: LiveState, store: Store) -> Failed | None:
    """What of a client's documents could not be read, None when all of it was, or when it has none."""
    if isinstance(live_state.documents, Failed):
        may_be_left = (client, "knowledge") in store.applied and not live_state.documents.gone
        return live_state.documents if manifest.search is not None or may_be_left else None
    files = (live_state.documents.files.get(live.id) for live in stores_of(client, live_state, store))
    return next((read for read in files if isinstance(read, Failed)), None)


def searched(manifest: Manifest, live_state: LiveState, store: Store) -> VectorStore | Failed | None:
    """The vector store that a client's assistant searches; None when it has no such tool, or the store is not there."""
    search = manifest.search
    if search is None or isinstance(live_state.documents, Failed):
        return live_state.documents if search is not None and isinstance(live_state.documents, Failed) else None
    if search.vector_store is not None:
        return live_state.documents.stores.get(search.vector_store)
    own = stores_of(manifest.client.id, live_state, store)
    return next((live for live in own if live.status != "expired"), None)


def store_values(manifest: Manifest) -> dict[str, Any]:
    """What the manifest declares of the client's own store."""
    return {
        "name": manifest.client.name,
        "expires_after": None,
        "files": {file.path: Document(file.path, file.size, file.sha256).content for file in manifest.knowledge},
    }


def values_of(
    live: VectorStore, files: Sequence[StoreFile], client: str, declared: Mapping[str, str]
) -> dict[str, Any]:
    """A live store in the same shape. Of several files with one path, which a run that was cut off leaves behind, the
    `declared` one counts; the others are shown with their ids."""
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


def _plan_own(column: Column, own: Sequence[VectorStore]) -> list[Change]:
    alive = [live for live in own if live.status != "expired"]
    if len(alive) > 1:
        ids = ", ".join(live.id for live in alive)
        raise Withheld(f"{len(alive)} vector stores carry this client's mark ({ids}); delete all but the one in use")
    column.deferred += _deletes(column, [live for live in own if live.status == "expired"], EXPIRED)
    after = store_values(column.manifest)
    if not alive:
        column.vector_store_id = UNKNOWN_ID
        applied = column.applied("knowledge")
        return [column.create("knowledge", KEY, after, applied.values if applied else None)]
    [live] = alive
    withhold_foreign("vector store", live.id, live.metadata)
    column.vector_store_id = live.id
    values = values_of(live, _files_of(column, live), column.id, after["files"])
    change = column.update("knowledge", KEY, live.id, values, after, {"metadata": dict(live.metadata)})
    return [change] if change else []


def _files_of(column: Column, live: VectorStore) -> Sequence[StoreFile]:
    files = column.live_state.documents.files[live.id] if isinstance(column.live_state.documents, Documents) else ()
    if isinstance(files, Failed):
        raise Withheld(files.message)
    return files


def _said_of(file: StoreFile, document: Document) -> str:
    if file.status == "completed":
        return document.content
    if file.status == "in_progress":
        return f"{document.content}, not indexed yet"
    return f"{document.content}, {file.status}" + (f": {file.error}" if file.error else "")


def _deletes(column: Column, stores: Sequence[VectorStore], key: str = KEY) -> list[Change]:
    """Of a store without our mark nothing is deleted: whoever took the mark off keeps it by hand from then on."""
    marked = (live for live in stores if client_of(live.metadata) == column.id)
    return [column.take_away("knowledge", key, live.id) for live in marked]


def _kept_by_hand(column: Column, named: str) -> VectorStore:
    live = searched(column.manifest, column.live_state, column.store)
    if isinstance(live, Failed):
        raise Withheld(live.message)
    if live is None:
        raise Withheld(
            f"the vector store {named} does not exist for this OpenAI key; correct its id in the manifest, or make it "
            "in OpenAI's console"
        )
    owner = client_of(live.metadata)
    if owner is not None:
        raise Withheld(
            f"the vector store {named} holds the documents that client {owner!r} has in git and goes with them; list "
            "the documents as files here too, or name a store that is kept by hand (whoever keeps this one by hand "
            "from now on takes `managed-by` out of its metadata first)"
        )
    if live.status == "expired":
        raise Withheld(
            f"the vector store {named} has expired and is searched no more; make another in OpenAI's console, without "
            "an expiry, and name it in the manifest"
        )
    return live
