"""How a change of a client's documents is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from reconciler.intents import Creating
from reconciler.kinds.knowledge.plan import EXPIRED
from reconciler.model import Change, KindName, Values
from runtime.store.records import AppliedRecord


class DocumentsPort(Protocol):
    """The methods needed of the writer of documents."""

    def put(self, client: str, store_id: str | None, values: Values, creating: Creating) -> str:
        """Makes a store equal to the declared documents; returns its id."""

    def delete(self, client: str, store_id: str) -> None:
        """Deletes a store and the client's documents."""

    def delete_store(self, store_id: str) -> None:
        """Deletes a store and no document."""


class DocumentsPorts(Protocol):
    """An object with that writer."""

    def documents(self) -> DocumentsPort:
        """The one for OpenAI's vector stores."""

    def creating(self, change: Change) -> Creating:
        """What the change creates."""


def put(change: Change, made: Mapping[KindName, AppliedRecord], ports: DocumentsPorts) -> tuple[str, Values]:
    """Create or update. Returns the store's id, and what was applied."""
    creating = ports.creating(change)
    return ports.documents().put(change.client, change.live_id, change.after, creating), change.after


def remove(change: Change, ports: DocumentsPorts) -> None:
    """Delete a store; its documents too, unless another store has them now."""
    if change.key == EXPIRED:
        ports.documents().delete_store(str(change.live_id))
    else:
        ports.documents().delete(change.client, str(change.live_id))
