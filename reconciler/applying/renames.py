"""How a client is renamed: one step in the bot store, and the marker of each object at the provider."""

from __future__ import annotations

from reconciler.applying.ports import Ports
from reconciler.model import Change
from reconciler.readers.openai import OBJECT_ENGINES


def rename(change: Change, ports: Ports) -> None:
    """Rename what a change names. Again it has no effect. Raises `ProviderError` or `StoreError`."""
    former, live_id = str((change.before or {})["client"]), str(change.live_id)
    if change.kind == "knowledge" and change.live_id != change.client:
        ports.documents().rename(live_id, former, change.client)
    elif change.key in OBJECT_ENGINES:
        ports.objects().rename_object(change.key, live_id, former, change.client)
    else:
        ports.store.rename_client(former, change.client, change.source)
