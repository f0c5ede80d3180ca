"""The input of every kind for planning one client: declared, live and last applied values. Frozen."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from reconciler.manifest import Manifest
from reconciler.model import AccountKey, KindName, Values
from reconciler.observation.live_state import LiveState, Store
from reconciler.settings import Settings
from runtime.store.records import AppliedRecord, AssistantRecord, BotRecord


@dataclass(frozen=True, slots=True)
class DesiredClient:
    """The desired state of one client; computed once, by `planning.desired`."""

    id: str
    manifest: Manifest | None
    """None for a client that no manifest declares any more."""
    account: AccountKey
    """The Twilio account of its number."""
    is_leaving: bool = False
    """Whether all of its live objects are to be deleted."""
    resources: Mapping[KindName, Values] = field(default_factory=dict)
    """The declared values of each kind that it has; none while it is leaving."""


class Successor(NamedTuple):
    """The client that gets the number of a leaving one, which answers until then."""

    client: str
    change: str | None
    """Id of the change with which it gets the number; None when this plan has none."""


@dataclass(frozen=True, slots=True)
class ClientContext:
    """One client, and everything that its plan depends on."""

    client: DesiredClient
    live_state: LiveState
    store: Store
    """The bot store of the live state, which was read."""
    settings: Settings
    numbers: Mapping[str, str] = field(default_factory=dict)
    """The declared numbers of all clients that are not absent, by client."""
    moving: Collection[str] = ()
    """Clients whose bots leave their numbers in this plan."""
    leaving: Collection[str] = ()
    """Clients whose bots are deleted in this plan, so that their numbers may pass to others."""
    successor: Successor | None = None
    """Of a leaving client: who gets its number."""
    delete_sender: bool = False
    """Whether a leaving client's sender is deleted at Twilio, rather than detached."""
    prune: bool = False
    """Whether what nothing declares any more is deleted."""
    is_adopted: bool = False
    """Whether the client's bot, created by hand, is adopted in this plan."""

    @property
    def id(self) -> str:
        """The client's."""
        return self.client.id

    @property
    def account(self) -> AccountKey:
        """The Twilio account of the client's number."""
        return self.client.account

    @property
    def manifest(self) -> Manifest:
        """The manifest; a client without one is only planned by steps that do not need it."""
        if self.client.manifest is None:
            raise LookupError(f"nothing is declared for {self.id}")
        return self.client.manifest

    @property
    def bot(self) -> BotRecord | None:
        """The client's own bot in the store."""
        return self.store.bots_by_client.get(self.id)

    @property
    def record(self) -> AssistantRecord | None:
        """The client's own assistant in the store."""
        return self.store.assistants_by_client.get(self.id)

    @property
    def unmanaged_bot(self) -> BotRecord | None:
        """The bot created by hand for the declared number, while the client has none of its own."""
        if self.bot is not None:
            return None
        holder = self.store.bots_by_number.get(self.manifest.client.number)
        return holder if holder is not None and holder.client is None else None

    def desired(self, kind: KindName) -> Values:
        """The declared values of a kind. Ids of live objects that other kinds create are `UNKNOWN_ID` in it."""
        return self.client.resources[kind]

    def applied(self, kind: KindName) -> AppliedRecord | None:
        """What was applied last for this client and kind."""
        return self.store.applied.get((self.id, kind))
