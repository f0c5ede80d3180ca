"""From the manifests to what shall be there: for each client its account, and what is declared of each kind.

It stands between reading and comparing, so that this is worked out once for a client. Nothing live is looked at: an id
that only a provider can give stands as `UNKNOWN_ID`.
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
    """A client that only the live state knows, and that shall be removed."""
    account = account_of_bot(store.bots_by_client.get(client), settings)
    return DesiredClient(client, None, account, is_leaving=True)
