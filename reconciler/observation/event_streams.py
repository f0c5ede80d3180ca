"""Which Twilio accounts declare a subscription to what Meta decides about their templates, or have one of ours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reconciler.manifest import Manifest
from reconciler.model import AccountKey
from reconciler.observation.accounts import account_of, shared_account
from reconciler.observation.live_state import Failed, Store
from reconciler.settings import Settings


def declared_streams(manifests: Iterable[Manifest], settings: Settings) -> dict[AccountKey, bool]:
    """Whether each account has one, of those of which a client says so."""
    found: dict[AccountKey, bool] = {}
    for manifest in manifests:
        said = manifest.client.sender.template_events
        if said is not None:
            account = account_of(manifest, settings)
            found[account] = found.get(account, False) or (said and manifest.client.state != "absent")
    return found


def streams_to_read(
    manifests: Sequence[Manifest], store: Store | Failed | None, settings: Settings
) -> dict[AccountKey, bool | None]:
    """The accounts that declare one, or for which one was made, with what is declared; None: nothing any more.
    Without a `store` only those that declare one."""
    found: dict[AccountKey, bool | None] = {**declared_streams(manifests, settings)}
    if not isinstance(store, Store):
        return found
    known = {account_of(manifest, settings) for manifest in manifests} | {shared_account(settings)}
    by_sid = {str(account.sid): account for account in sorted(known, key=lambda one: one.token_env, reverse=True)}
    sids = {account.sid for account in found}
    return found | {by_sid[sid]: None for sid in store.event_streams if sid in by_sid and sid not in sids}
