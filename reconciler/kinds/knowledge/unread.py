"""Lists of documents that could not be read."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.kinds.context import ClientContext
from reconciler.kinds.knowledge.live import stores_of
from reconciler.kinds.protocol import Unread
from reconciler.observation.live_state import Failed, LiveState
from reconciler.observation.sources import DOCUMENTS


def failed(live_state: LiveState) -> Iterator[Unread]:
    """The list of vector stores. In an API that does not exist nothing can be left, so that is a warning only."""
    if isinstance(live_state.documents, Failed):
        yield Unread(DOCUMENTS, live_state.documents, "warning" if live_state.documents.gone else "error")


def unread(context: ClientContext) -> Iterator[Unread]:
    """That list, a store that it lacks, or the files in a store of the client's own.

    Where the models are not found either, the address is wrong, rather than the API switched off.
    """
    documents = context.live_state.documents
    is_leaving = context.client.is_leaving
    if isinstance(documents, Failed):
        searches = not is_leaving and context.manifest.search is not None
        is_elsewhere = is_leaving and isinstance(context.live_state.models, Failed)
        may_be_left = context.applied("knowledge") is not None and (not documents.gone or is_elsewhere)
        if searches or may_be_left:
            yield Unread(DOCUMENTS, documents, "error" if searches or not documents.gone else "warning")
        return
    missed = context.live_state.missed.get((context.id, "knowledge"))
    if missed is not None:
        yield Unread(f"{context.id}: documents", missed)
        return
    for live in stores_of(context.id, context.live_state, context.store):
        files = documents.files.get(live.id)
        if isinstance(files, Failed):
            yield Unread(f"{context.id}: documents", files, holds_up=not is_leaving)
            return
