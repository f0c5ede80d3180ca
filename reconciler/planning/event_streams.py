"""The accounts' subscriptions to what Meta decides about templates: declared by their clients, against what is live.
Pure.

    a client of the account says true ──────► made, or completed
    none does, and one says false or leaves ─► deleted
    none says anything ─────────────────────► what an earlier apply made is reported, and deleted with --prune
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from reconciler.event_streams import KIND, values
from reconciler.kinds.diff import all_fields, field_changes
from reconciler.manifest import Manifest
from reconciler.model import AccountKey, Action, Binding, Change, FieldChange, Finding, Reason, Values
from reconciler.observation.event_streams import declared_streams, streams_to_read
from reconciler.observation.live_state import Failed, LiveState, Store
from reconciler.readers.twilio import LiveSink
from reconciler.settings import Settings
from runtime.store.records import INSTALLATION, AppliedRecord


@dataclass(slots=True)
class EventStreamPlan:
    """The part of the plan that is about them."""

    changes: list[Change] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    unrecorded: list[Binding] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)
    """Accounts of which the record is left, and nothing else."""


def plan_event_streams(
    manifests: Sequence[Manifest], live_state: LiveState, store: Store, settings: Settings, *, prune: bool
) -> EventStreamPlan:
    """The changes that make them as declared."""
    plan = EventStreamPlan()
    for account, is_wanted in sorted(
        streams_to_read(manifests, store, settings).items(), key=lambda item: str(item[0].sid)
    ):
        live = live_state.event_streams.get(account, ())
        if isinstance(live, Failed):
            plan.findings.append(Finding("error", f"{account.describe()}: events about templates: {live.message}"))
            continue
        if is_wanted and settings.public_url is None:
            message = "PUBLIC_URL is not set, and sender.template_events needs the runtime's address"
            plan.findings.append(Finding("error", message))
            continue
        _plan(plan, account, is_wanted, _OurSinks.of(account, live, store, settings), settings, prune=prune)
    return plan


class _OurSinks(NamedTuple):
    """What an account has of ours."""

    sink: LiveSink | None
    """The one that goes to the runtime."""
    former: LiveSink | None
    """The one that was applied last, where it goes elsewhere."""
    record: AppliedRecord | None

    @classmethod
    def of(cls, account: AccountKey, live: Sequence[LiveSink], store: Store, settings: Settings) -> _OurSinks:
        wanted = values(settings, str(account.sid))["destination"]
        # A sink that is subscribed already first, then the oldest.
        ours = sorted((one for one in live if one.destination == wanted), key=lambda one: (not one.has_events, one.sid))
        record = store.event_streams.get(str(account.sid))
        others = (one for one in live if record is not None and one.sid == record.live_id and one.destination != wanted)
        return cls(ours[0] if ours else None, next(others, None), record)


def _plan(
    plan: EventStreamPlan,
    account: AccountKey,
    is_wanted: bool | None,
    found: _OurSinks,
    settings: Settings,
    *,
    prune: bool,
) -> None:
    sid, live = str(account.sid), found.sink or found.former
    if is_wanted:
        _plan_wanted(plan, account, found, settings)
    elif live is None:
        plan.forgotten += [sid] if found.record is not None else []
    elif is_wanted is False or prune:
        plan.changes.append(_change(account, "delete", live.sid, (), {}, "config"))
    else:
        message = (
            f"{account.describe()} tells the runtime about its templates, and no client declares "
            "sender.template_events any more; --prune deletes the subscription"
        )
        plan.findings.append(Finding("notice", message))


def _plan_wanted(plan: EventStreamPlan, account: AccountKey, found: _OurSinks, settings: Settings) -> None:
    after = dict(values(settings, str(account.sid)))
    live = found.sink or found.former
    reason: Reason = "config" if found.record is None or found.record.values != after else "drift"
    if live is None:
        plan.changes.append(_change(account, "create", None, all_fields(after), after, reason))
        return
    shown = {"destination": live.destination, "status": live.status, "events": after["events"]}
    fields = field_changes(shown if live.has_events else {**shown, "events": None}, after)
    if fields:
        plan.changes.append(_change(account, "update", live.sid, fields, after, reason))
    elif found.record is None or (found.record.live_id, found.record.values) != (live.sid, after):
        plan.unrecorded.append(Binding(str(account.sid), KIND, live.sid, after))


def _change(
    account: AccountKey,
    action: Action,
    live_id: str | None,
    fields: Sequence[FieldChange],
    after: Values,
    reason: Reason,
) -> Change:
    return Change(
        client=INSTALLATION,
        kind=KIND,
        action=action,
        key=str(account.sid),
        live_id=live_id,
        fields=tuple(fields),
        after=after,
        reason=reason,
        account=account,
    )


def stream_states(
    manifests: Iterable[Manifest], live_state: LiveState, settings: Settings
) -> Iterator[tuple[AccountKey, str]]:
    """For each account that declares one, its status in a word: `active`, `missing`, or Twilio's."""
    for account, is_wanted in declared_streams(manifests, settings).items():
        live = live_state.event_streams.get(account, ())
        if not is_wanted or isinstance(live, Failed):
            continue
        wanted = values(settings, str(account.sid))["destination"]
        ours = [one for one in live if one.destination == wanted]
        subscribed = [one for one in ours if one.has_events]
        yield account, (subscribed[0].status if subscribed else "missing") if ours else "missing"
