"""The bot store's records of what was applied and by whom, of edits through the API, and of notices of drift.

Apart from those of `runtime.store.records`, which every plan is made from. Times as there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One apply, for `reconcile history`."""

    id: str
    started_at: str
    actor: str
    digest: str
    git_sha: str | None = None
    finished_at: str | None = None
    outcome: str | None = None
    """applied | partial | failed | interrupted; None while it runs."""
    changes: Sequence[Mapping[str, Any]] | None = ()
    """{"client", "kind", "action", "outcome", "error"}; None when the stored value is damaged."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The owner of the right to apply, and its expiry."""

    owner: str
    acquired_at: str
    expires_at: str


@dataclass(frozen=True, slots=True)
class EditRecord:
    """A change through the API to an object that a manifest declares."""

    kind: str
    """`bot` or `assistant`."""
    object_id: str
    action: str
    """`change`, `declare` (as the reconciler sends it) or `delete`."""
    actor: str
    """The token's name."""
    at: str
    overridden: str | None = None
    """The manifest that declares it."""
    fields: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class NoticeRecord:
    """A finding of drift that was sent to one channel: it is not sent there again until it is resolved."""

    channel: str
    """A digest of the channel's address, which may hold a secret itself."""
    finding: str
    """The resource: `la-cocina/sender/+56912345678`."""
    fingerprint: str
    """A digest of the finding; another one is new."""
    notified_at: str
