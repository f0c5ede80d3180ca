"""From declared and live to the plan: pure, no call, no write.

Each client is planned by itself. A client of which a source could not be read leaves the plan as `unresolved`; one of
which a kind is withheld keeps the changes of the kinds before it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain

from reconciler.errors import ReadFailed
from reconciler.event_streams import KIND as EVENT_STREAM
from reconciler.kinds.context import ClientContext, Successor
from reconciler.kinds.protocol import Unread
from reconciler.manifest import Fleet, Manifest
from reconciler.model import KIND_ORDER, Binding, Change, Finding, KindName, Plan, TemplateState, Unmanaged
from reconciler.observation.live_state import Failed, LiveState, Store
from reconciler.origin import Origin
from reconciler.planning.client import plan_client, plan_departure
from reconciler.planning.desired import client_without_manifest, desired_clients
from reconciler.planning.event_streams import plan_event_streams
from reconciler.planning.handing_over import handing_over, successors
from reconciler.planning.moving import moving, with_other_numbers
from reconciler.planning.orphans import undeclared
from reconciler.planning.renaming import renames
from reconciler.planning.tariffs import plan_tariffs, undeclared_tariffs
from reconciler.planning.unresolved import (
    damaged_elsewhere,
    failed_reads,
    failed_sources,
    is_unresolved,
    names_of,
    unread_of,
)
from reconciler.recipient import ShownRecipient
from reconciler.recipients.declared import unused_leaves
from reconciler.recipients.shown import shown_recipients
from reconciler.settings import Settings
from runtime.store.records import INSTALLATION


@dataclass(frozen=True, slots=True)
class Scope:
    """The scope of a plan: which clients, and what it may delete."""

    only: Collection[str] = ()
    """Clients' ids; all when empty. Orphans are searched for only when it is empty."""
    prune: bool = False
    """Delete orphans."""
    delete_senders: bool = False
    """Delete the senders of removed clients, instead of detaching them."""


class _Draft:
    """A plan while it grows."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.findings: list[Finding] = []
        self.unread: list[Unread] = []
        self.unresolved: list[str] = []
        self.unrecorded: list[Binding] = []
        self.forgotten: list[tuple[str, KindName]] = []
        self.adoptions: list[Change] = []
        self.settled: list[tuple[str, KindName]] = []
        self.templates: list[TemplateState] = []
        self.recipients: list[ShownRecipient] = []

    def add(self, context: ClientContext) -> None:
        """Plan one client."""
        unread = unread_of(context)
        self.unread += unread
        if is_unresolved(unread):
            self.unresolved.append(context.id)
            return
        found = plan_departure(context) if context.client.is_leaving else plan_client(context)
        self.changes += _chained([*renames(context), *found.changes], context.successor)
        self.findings += found.findings
        self.unrecorded += found.unrecorded
        self.templates += found.templates
        self.forgotten += [(context.id, kind) for kind in found.forgotten]
        self.adoptions += _chained(found.adoptions)
        self.settled += [(context.id, kind) for kind in KIND_ORDER if (context.id, kind) in context.store.intents]
        manifest = context.client.manifest
        if manifest is not None and not context.client.is_leaving:
            former = context.bot or context.unmanaged_bot
            self.recipients += shown_recipients(manifest, former, context.record, context.applied("assistant"))
            self.findings += [
                Finding("notice", f"data.recipients names {name}, which gets nothing of this client", context.id)
                for name in unused_leaves(manifest.client)
            ]
        if context.client.is_leaving and manifest is not None and not found.changes:
            self.findings.append(
                Finding("notice", f"nothing of it is left, so {manifest.path} can be removed", context.id)
            )


def make_plan(fleet: Fleet, live_state: LiveState, settings: Settings, scope: Scope = Scope()) -> Plan:
    """The plan for the fleet, or for a part of it.

    Raises `ReadFailed` when the bot store could not be read: without it the state of every client is unknown.
    """
    store = live_state.store
    if isinstance(store, Failed):
        raise ReadFailed(store.message)
    chosen = [manifest for manifest in fleet.clients if not scope.only or manifest.client.id in scope.only]
    draft = _Draft()
    if not scope.only:
        draft.changes += plan_tariffs(fleet.tariffs, store.tariffs)
        draft.findings += undeclared_tariffs(fleet.tariffs, store.tariffs)
        streams = plan_event_streams(fleet.clients, live_state, store, settings, prune=scope.prune)
        draft.changes += streams.changes
        draft.findings += streams.findings
        draft.unrecorded += streams.unrecorded
        draft.forgotten += [(account, EVENT_STREAM) for account in streams.forgotten]
    orphans, unmanaged = undeclared(fleet, live_state, store)
    if scope.only:
        orphans = ()
    pruned = sorted({orphan.client for orphan in orphans}) if scope.prune else ()
    for context in _contexts(fleet, chosen, pruned, live_state, store, settings, scope):
        draft.add(context)
    elsewhere = () if scope.only else damaged_elsewhere(fleet, store)
    noted = [*elsewhere, *_unknown_origin(store, live_state)]
    failed = failed_reads(live_state, draft.unread)
    return Plan(
        changes=draft.changes,
        findings=[*failed_sources(failed), *noted, *draft.findings],
        orphans=orphans,
        unresolved=draft.unresolved,
        clients=len(chosen),
        names={INSTALLATION: "Toda la instalación"} | {manifest.client.id: manifest.client.name for manifest in chosen},
        unread=names_of(failed),
        unmanaged=_without(draft.adoptions, unmanaged),
        unrecorded=draft.unrecorded,
        forgotten=draft.forgotten,
        settled=draft.settled,
        adoptions=draft.adoptions,
        templates=draft.templates,
        recipients=draft.recipients,
        origin=_origin(store, live_state),
    )


def _origin(store: Store, live_state: LiveState) -> Origin | None:
    """Whose objects the records are from the next apply on; None where that is recorded already."""
    now = store.origin.updated(live_state.origin)
    return None if now == store.origin else now


def _unknown_origin(store: Store, live_state: LiveState) -> Iterator[Finding]:
    """Said once, of a store that an earlier release filled: the next apply records it."""
    account = live_state.origin.twilio_account
    if store.applied and store.origin.twilio_account is None and account is not None:
        yield Finding(
            "notice",
            "the bot store does not say whose objects its records are; the next apply notes the Twilio account "
            f"{account}",
        )


def _contexts(
    fleet: Fleet,
    chosen: Sequence[Manifest],
    pruned: Sequence[str],
    live_state: LiveState,
    store: Store,
    settings: Settings,
    scope: Scope,
) -> Iterator[ClientContext]:
    """The planning contexts of the chosen clients, then of those that are pruned."""
    numbers = {m.client.id: m.client.number for m in fleet.clients if m.client.state != "absent"}
    removed = [client_without_manifest(client, store, settings) for client in pruned]
    absent = desired_clients((m for m in chosen if m.client.state == "absent"), settings)
    handed = handing_over([*absent, *removed], numbers, live_state, store, settings)
    context_of = partial(
        ClientContext,
        live_state=live_state,
        store=store,
        settings=settings,
        numbers=numbers,
        leaving=frozenset(handed),
        prune=scope.prune,
    )
    wanderers = desired_clients(with_other_numbers(chosen, numbers, store), settings)
    context_of = partial(context_of, moving=moving([context_of(client) for client in wanderers]))
    taking = desired_clients((m for m in chosen if m.client.id in set(handed.values())), settings)
    following = successors(handed, {client.id: context_of(client) for client in taking}, store)
    for client in chain(desired_clients(chosen, settings), removed):
        if client.is_leaving:
            yield context_of(client, successor=following.get(client.id), delete_sender=scope.delete_senders)
        else:
            yield context_of(client)


def _chained(changes: Sequence[Change], successor: Successor | None = None) -> list[Change]:
    """The changes of one client, each with its own id and depending on the one before it; the first on that with which
    its successor gets its number."""
    if not changes:
        return []
    named = Counter(change.id for change in changes)
    first = (successor.change,) if successor is not None and successor.change is not None else ()
    chained: list[Change] = []
    for change in changes:
        waits = (chained[-1].id,) if chained else first
        chained.append(replace(change, depends_on=waits, is_one_of_several=named[change.id] > 1))
    return chained


def _without(adoptions: Iterable[Change], unmanaged: Iterable[Unmanaged]) -> list[Unmanaged]:
    adopted = {change.live_id for change in adoptions}
    return [item for item in unmanaged if item.live_id not in adopted]
