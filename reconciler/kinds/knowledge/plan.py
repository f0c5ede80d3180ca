"""The changes that make a client's vector store equal to the documents in git."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from reconciler.kinds.changes import create, removal, update
from reconciler.kinds.client_plan import NOTHING, ClientPlan
from reconciler.kinds.context import ClientContext
from reconciler.kinds.knowledge.live import KEY, searchable, searched, stores_of, values_of
from reconciler.kinds.withheld import Withheld, withhold_foreign
from reconciler.model import Change
from reconciler.observation.live_state import Documents, Failed
from reconciler.ownership import client_of
from reconciler.readers.openai import StoreFile, VectorStore

EXPIRED: Final = "expired documents"
"""The documents of a store that is replaced, since OpenAI no longer searches it."""


def plan(context: ClientContext) -> ClientPlan:
    """The changes of one client's documents. Raises `Withheld`."""
    search = context.manifest.search
    if search is not None and search.files is not None:
        return _plan_own(context)
    if search is not None:
        _check_kept_by_hand(context, str(search.vector_store))
    leaving = _removals(context, stores_of(context.id, context.live_state, context.store))
    if leaving:
        return ClientPlan(deferred=leaving)
    return NOTHING if context.applied("knowledge") is None else ClientPlan(forgotten=("knowledge",))


def plan_absent(context: ClientContext) -> ClientPlan:
    """The deletes for a client with `state: absent`."""
    return ClientPlan(changes=_removals(context, stores_of(context.id, context.live_state, context.store)))


def _plan_own(context: ClientContext) -> ClientPlan:
    alive = searchable(context)
    if len(alive) > 1:
        ids = ", ".join(live.id for live in alive)
        raise Withheld(f"{len(alive)} vector stores have this client's marker ({ids}); delete all but the one in use")
    stores = stores_of(context.id, context.live_state, context.store)
    deferred = _removals(context, [live for live in stores if live.status == "expired"], EXPIRED)
    after = context.desired("knowledge")
    if not alive:
        applied = context.applied("knowledge")
        change = create(context, "knowledge", KEY, after, applied.values if applied else None)
        return ClientPlan(changes=(change,), deferred=deferred)
    [live] = alive
    withhold_foreign("vector store", live.id, live.metadata)
    values = values_of(live, _files_of(context, live), context.id, after["files"])
    found = update(context, "knowledge", KEY, live.id, values, after, {})
    return replace(found, deferred=deferred) if deferred else found


def _files_of(context: ClientContext, live: VectorStore) -> Sequence[StoreFile]:
    documents = context.live_state.documents
    files = documents.files[live.id] if isinstance(documents, Documents) else ()
    if isinstance(files, Failed):
        raise Withheld(files.message)
    return files


def _removals(context: ClientContext, stores: Sequence[VectorStore], key: str = KEY) -> list[Change]:
    """Of a store without our marker nothing is deleted: since its marker was removed it is maintained by hand."""
    marked = (live for live in stores if client_of(live.metadata) == context.id)
    return [removal(context, "knowledge", key, live.id) for live in marked]


def _check_kept_by_hand(context: ClientContext, named: str) -> None:
    """Raise `Withheld` when a store that the manifest names cannot be searched, or is not maintained by hand."""
    live = searched(context.manifest, context.live_state, context.store)
    if isinstance(live, Failed):
        raise Withheld(live.message)
    if live is None:
        raise Withheld(
            f"the vector store {named} does not exist for this OpenAI key; correct its id in the manifest, or create "
            "it in OpenAI's console"
        )
    owner = client_of(live.metadata)
    if owner is not None:
        raise Withheld(
            f"the vector store {named} holds the documents that client {owner!r} has in git and is deleted with them; "
            "list the documents as files here too, or name a store that is maintained by hand (to maintain this one by "
            "hand from now on, remove `managed-by` from its metadata first)"
        )
    if live.status == "expired":
        raise Withheld(
            f"the vector store {named} has expired and can no longer be searched; create another in OpenAI's console, "
            "without an expiry, and name it in the manifest"
        )
