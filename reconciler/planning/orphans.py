"""Live objects that no manifest declares: those with our marker are orphans, the others unmanaged. Both are
reported."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from reconciler.kinds.registry import KINDS
from reconciler.manifest import Fleet
from reconciler.model import KIND_ORDER, Orphan, Unmanaged
from reconciler.observation.live_state import LiveState, Store


def undeclared(fleet: Fleet, live_state: LiveState, store: Store) -> tuple[Sequence[Orphan], Sequence[Unmanaged]]:
    """Both of these. Orphans are never deleted because a manifest is missing."""
    clients: Collection[str] = {manifest.client.id for manifest in fleet.clients}
    numbers: Collection[str] = {manifest.client.number for manifest in fleet.clients}
    found = [item for kind in KINDS.values() for item in kind.undeclared(live_state, store, clients, numbers)]
    orphans = [item for item in found if isinstance(item, Orphan)]
    orphans.sort(key=lambda orphan: (orphan.client, KIND_ORDER.index(orphan.kind), orphan.live_id))
    return orphans, [item for item in found if isinstance(item, Unmanaged)]
