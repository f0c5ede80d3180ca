"""From the manifests to the desired state: for each client its account, and what is declared of each kind.

It is between reading and comparing, so that this is computed once for a client. No live object is used: an id that only
a provider can assign is `UNKNOWN_ID`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reconciler.kinds.context import DesiredClient
from reconciler.kinds.registry import KINDS
from reconciler.manifest import Manifest
from reconciler.observation.accounts import account_of, account_of_bot
from reconciler.observation.live_state import Store
from reconciler.settings import Settings


def desired_clients(manifests: Iterable[Manifest], settings: Settings) -> Iterator[DesiredClient]:
    """Every client, one at a time: ten thousand of them are never held at once."""
    for manifest in manifests:
        if manifest.client.state == "absent":
            yield DesiredClient(manifest.client.id, manifest, account_of(manifest, settings), is_leaving=True)
        else:
            yield desired_client(manifest, settings)


def desired_client(manifest: Manifest, settings: Settings) -> DesiredClient:
    """One client, as far as its manifest declares it."""
    declared = ((kind.name, kind.desired(manifest, settings)) for kind in KINDS.values())
    return DesiredClient(
        id=manifest.client.id,
        manifest=manifest,
        account=account_of(manifest, settings),
        resources={name: values for name, values in declared if values is not None},
    )


def client_without_manifest(client: str, store: Store, settings: Settings) -> DesiredClient:
    """A client that is only in the live state, and that is to be removed."""
    account = account_of_bot(store.bots_by_client.get(client), settings)
    return DesiredClient(client, None, account, is_leaving=True)
