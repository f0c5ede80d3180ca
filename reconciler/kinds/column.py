"""One client's column while it is planned: what is declared, what is live of it, and what was applied last."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from reconciler.kinds.diff import all_fields, field_changes, reason_of, reason_of_missing
from reconciler.manifest import Manifest
from reconciler.model import AccountKey, Action, Binding, Change, FieldChange, Finding, Kind, Reason, Severity, Values
from reconciler.observation.live_state import LiveState, Store
from reconciler.ownership import foreign_owner
from reconciler.settings import Settings
from runtime.store.records import AppliedRecord, AssistantRecord, BotRecord


class Withheld(Exception):
    """This kind, and those that follow it, cannot be planned; the text is the finding."""


def withhold_foreign(what: str, live_id: str | None, metadata: Mapping[str, str]) -> None:
    """Raise `Withheld` when another tool has its mark on an object: that is never written to."""
    owner = foreign_owner(metadata)
    if owner is not None:
        raise Withheld(
            f"the {what} {live_id!r} carries the mark of {owner!r} and is left alone; who takes it over removes "
            "`managed-by` from its metadata first"
        )


@dataclass(slots=True)
class Column:
    """The column is filled while the kinds are planned from left to right."""

    id: str
    """The client's id."""
    declared: Manifest | None
    """None for a client that is taken away."""
    account: AccountKey
    """Where its number lives."""
    live_state: LiveState
    store: Store
    settings: Settings
    numbers: Mapping[str, str] = field(default_factory=dict)
    """The declared numbers of all clients that shall exist, by client."""
    moving: Collection[str] = ()
    """Clients whose bots leave their numbers in this plan."""
    delete_sender: bool = False
    """Whether a sender that is taken away is deleted at Twilio, and not only detached."""
    assistant_id: str | None = None
    """The assistant's live id, or `UNKNOWN_ID`, once its kind was planned."""
    vector_store_id: str | None = None
    """Where its documents are searched, or `UNKNOWN_ID`, once that kind was planned; None when it has none."""
    findings: list[Finding] = field(default_factory=list)
    deferred: list[Change] = field(default_factory=list)
    """Takes away what was replaced, once everything else of the client is in place."""
    unrecorded: list[Binding] = field(default_factory=list)
    forgotten: list[Kind] = field(default_factory=list)
    """Kinds that are on record as applied, and that the client neither declares nor has any more."""
    adoptions: list[Change] = field(default_factory=list)
    """Made by hand, already as declared, and ours from the next apply on."""

    @property
    def manifest(self) -> Manifest:
        """What is declared, for the kinds' `plan`; those of a client that is taken away are never asked."""
        if self.declared is None:
            raise LookupError(f"nothing is declared for {self.id}")
        return self.declared

    @property
    def bot(self) -> BotRecord | None:
        """The client's own bot in the store."""
        return self.store.bots_by_client.get(self.id)

    @property
    def record(self) -> AssistantRecord | None:
        """The client's own assistant in the store."""
        return self.store.assistants_by_client.get(self.id)

    @property
    def handmade(self) -> BotRecord | None:
        """The bot that somebody made by hand for the declared number, while the client has none of its own."""
        if self.declared is None or self.bot is not None:
            return None
        holder = self.store.bots_by_number.get(self.declared.client.number)
        return holder if holder is not None and holder.client is None else None

    def applied(self, kind: Kind) -> AppliedRecord | None:
        """What was applied last for this client and kind."""
        return self.store.applied.get((self.id, kind))

    def say(self, severity: Severity, kind: Kind, message: str) -> None:
        """Add a finding about one of this client's resources."""
        self.findings.append(Finding(severity, message, self.id, kind))

    def withhold_namesake(self, what: Kind, namesake: BotRecord | AssistantRecord | None) -> None:
        """Raise `Withheld` when the store's id for what is to be made is taken: by hand, or by another client that has
        adopted it."""
        if namesake is None:
            return
        if namesake.client is None:
            raise Withheld(
                f"the bot store's {what} {self.id!r} was made by hand; `reconcile adopt {self.id}` takes it over"
            )
        raise Withheld(
            f"the bot store's {what} {self.id!r} belongs to client {namesake.client!r}; give this client another id"
        )

    def create(self, kind: Kind, key: str, after: Values, applied: Values | None) -> Change:
        """The change that makes what is declared and not there."""
        reason = reason_of_missing(after, applied)
        return self._change(kind, "create", key, None, all_fields(after), after, reason)

    def update(self, kind: Kind, key: str, live_id: str, live: Values, after: Values, before: Values) -> Change | None:
        """The change that makes a live object equal to what is declared; None when it is."""
        fields = field_changes(live, after)
        applied = self.applied(kind)
        if not fields:
            if applied is None or applied.live_id != live_id or applied.values != after:
                self.unrecorded.append(Binding(self.id, kind, live_id, after))
            return None
        last = applied.values if applied and applied.live_id == live_id else None
        return self._change(kind, "update", key, live_id, fields, after, reason_of(fields, last), before)

    def adopt(self, kind: Kind, key: str, live_id: str | None, live: Values, after: Values, before: Values) -> None:
        """Take over an object that is what is declared, though perhaps said in another way."""
        change = self._change(kind, "adopt", key, live_id, field_changes(live, after), after, "config", before)
        self.adoptions.append(change)

    def take_away(
        self, kind: Kind, key: str, live_id: str, action: Action = "delete", before: Values | None = None
    ) -> Change:
        """The change that removes what shall be absent, or what was replaced."""
        return self._change(kind, action, key, live_id, (), {}, "config", before)

    def _change(
        self,
        kind: Kind,
        action: Action,
        key: str,
        live_id: str | None,
        fields: Sequence[FieldChange],
        after: Values,
        reason: Reason,
        before: Values | None = None,
    ) -> Change:
        return Change(
            client=self.id,
            kind=kind,
            action=action,
            key=key,
            live_id=live_id,
            fields=tuple(fields),
            after=after,
            reason=reason,
            before=before,
            source=self.declared.path if self.declared else None,
            account=self.account,
        )
