"""From what is declared and what is live to the plan: pure, no call, no write.

Each client is planned by itself, in its own column. A client of which a source could not be read leaves the plan as
`unresolved`; one of which a kind is withheld keeps the changes of the kinds before it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from reconciler.errors import ReadFailed
from reconciler.kinds.assistant import assistant
from reconciler.kinds.bot import bot
from reconciler.kinds.bot.handmade import take_over
from reconciler.kinds.column import Column, Withheld
from reconciler.kinds.knowledge import knowledge
from reconciler.kinds.sender import sender
from reconciler.manifest import Fleet, Manifest
from reconciler.model import KINDS, Binding, Change, Finding, Kind, Plan, Unmanaged
from reconciler.observation.accounts import account_of, account_of_bot, former_account
from reconciler.observation.live_state import Failed, LiveState, Store
from reconciler.planning.orphans import orphans_of, unmanaged_of
from reconciler.planning.unresolved import failed_sources, is_departure_unresolved, is_unresolved
from reconciler.settings import Settings

Planner = Callable[[Column], list[Change]]

PLANNERS: Mapping[Kind, Planner] = {
    "knowledge": knowledge.plan,
    "assistant": assistant.plan,
    "bot": bot.plan,
    "sender": sender.plan,
}
DEPARTURES: Mapping[Kind, Planner] = {
    "knowledge": knowledge.plan_absent,
    "assistant": assistant.plan_absent,
    "bot": bot.plan_absent,
    "sender": sender.plan_absent,
}


@dataclass(frozen=True, slots=True)
class Scope:
    """What a plan looks at, and how far it may go."""

    only: Collection[str] = ()
    """Clients' ids; all when empty. Orphans are looked for only when it is."""
    prune: bool = False
    """Take orphans away."""
    delete_senders: bool = False
    """Delete the senders of clients that go, instead of detaching them."""


@dataclass(slots=True)
class _Draft:
    """A plan while it grows."""

    changes: list[Change] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    unresolved: list[str] = field(default_factory=list)
    unrecorded: list[Binding] = field(default_factory=list)
    forgotten: list[tuple[str, Kind]] = field(default_factory=list)
    adoptions: list[Change] = field(default_factory=list)

    def add(self, column: Column, changes: Sequence[Change]) -> None:
        self.changes += _chained(changes)
        self.findings += column.findings
        self.unrecorded += column.unrecorded
        self.forgotten += [(column.id, kind) for kind in column.forgotten]
        self.adoptions += _chained(column.adoptions)


def make_plan(fleet: Fleet, live_state: LiveState, settings: Settings, scope: Scope = Scope()) -> Plan:
    """The plan for the fleet, or for a part of it.

    Raises `ReadFailed` when the bot store could not be read: without it nothing can be said about anyone.
    """
    store = live_state.store
    if isinstance(store, Failed):
        raise ReadFailed(store.message)
    chosen = [manifest for manifest in fleet.clients if not scope.only or manifest.client.id in scope.only]
    draft = _Draft(findings=failed_sources(live_state, store, settings, chosen))
    numbers = {manifest.client.id: manifest.client.number for manifest in fleet.clients if _shall_exist(manifest)}
    moving = _moving(chosen, numbers, live_state, store, settings)
    for manifest in chosen:
        _plan_client(draft, manifest, numbers, moving, live_state, store, settings, scope)
    orphans = [] if scope.only else orphans_of(fleet, live_state, store)
    if scope.prune:
        for client in sorted({orphan.client for orphan in orphans}):
            account = account_of_bot(store.bots_by_client.get(client), settings)
            gone = Column(client, None, account, live_state, store, settings, delete_sender=scope.delete_senders)
            _plan_departure(draft, gone)
    return Plan(
        changes=draft.changes,
        findings=draft.findings,
        orphans=orphans,
        unresolved=draft.unresolved,
        clients=len(chosen),
        unmanaged=_without(draft.adoptions, unmanaged_of(fleet, live_state, store)),
        unrecorded=draft.unrecorded,
        forgotten=draft.forgotten,
        adoptions=draft.adoptions,
    )


def _shall_exist(manifest: Manifest) -> bool:
    return manifest.client.state != "absent"


def _moving(
    chosen: Sequence[Manifest], numbers: Mapping[str, str], live_state: LiveState, store: Store, settings: Settings
) -> Collection[str]:
    """Clients whose bots leave their numbers in this plan. Whatever holds one of them up holds up who waits for its
    number too, and nobody else."""
    moving: dict[str, Manifest] = {}
    for manifest in chosen:
        live = store.bots_by_client.get(manifest.client.id)
        following = numbers.get(manifest.client.id)
        leaves = live is not None and following is not None and following != live.twilio_phone_number
        # Who moves to another Twilio account too has a number there that nobody here can have.
        is_elsewhere = former_account(manifest, live, settings) is not None
        if leaves and not is_elsewhere and not is_unresolved(manifest, live_state, store, settings):
            moving[manifest.client.id] = manifest
    while True:
        columns = [
            Column(client, manifest, account_of(manifest, settings), live_state, store, settings, numbers, moving)
            for client, manifest in moving.items()
        ]
        planned = {column.id: _planned(column, PLANNERS, KINDS) for column in columns}
        held_up = [client for client, changes in planned.items() if not any(change.kind == "bot" for change in changes)]
        if not held_up:
            return moving
        for client in held_up:
            del moving[client]


def _plan_client(
    draft: _Draft,
    manifest: Manifest,
    numbers: Mapping[str, str],
    moving: Collection[str],
    live_state: LiveState,
    store: Store,
    settings: Settings,
    scope: Scope,
) -> None:
    client = manifest.client
    account = account_of(manifest, settings)
    if not _shall_exist(manifest):
        column = Column(client.id, None, account, live_state, store, settings, delete_sender=scope.delete_senders)
        if not _plan_departure(draft, column):
            message = f"nothing of it is left, so {manifest.path} can be removed"
            draft.findings.append(Finding("notice", message, client.id))
        return
    if is_unresolved(manifest, live_state, store, settings):
        draft.unresolved.append(client.id)
        return
    column = Column(client.id, manifest, account, live_state, store, settings, numbers, moving)
    draft.add(column, _planned_or_taken_over(column))


def _plan_departure(draft: _Draft, column: Column) -> bool:
    """Plan that a client goes. Returns False when nothing of it is left."""
    if is_departure_unresolved(column):
        draft.unresolved.append(column.id)
        return True
    changes = _planned(column, DEPARTURES, tuple(reversed(KINDS)))
    draft.add(column, changes)
    touched = {change.kind for change in changes}
    draft.forgotten += [(column.id, kind) for kind in KINDS if column.applied(kind) and kind not in touched]
    return bool(changes)


def _planned_or_taken_over(column: Column) -> list[Change]:
    """The changes of a client that shall exist. While its bot is one that somebody made by hand, it is adopted with its
    assistant or nothing of the client is touched."""
    if column.handmade is None:
        return _planned(column, PLANNERS, KINDS)
    try:
        changes = take_over(column, column.handmade)
    except Withheld as withheld:
        column.say("error", "bot", str(withheld))
        return []
    return changes + _planned(column, {"sender": sender.plan}, KINDS)


def _planned(column: Column, planners: Mapping[Kind, Planner], order: tuple[Kind, ...]) -> list[Change]:
    changes: list[Change] = []
    for kind in order:
        planner = planners.get(kind)
        if planner is None:
            continue
        try:
            changes += planner(column)
        except Withheld as withheld:
            column.say("error", kind, str(withheld))
            return changes
    return changes + column.deferred


def _chained(changes: Sequence[Change]) -> list[Change]:
    """The changes of one client, each with an id of its own and waiting for the one before it."""
    named = Counter(change.id for change in changes)
    chained: list[Change] = []
    for change in changes:
        waits = (chained[-1].id,) if chained else ()
        chained.append(replace(change, depends_on=waits, is_one_of_several=named[change.id] > 1))
    return chained


def _without(adoptions: Iterable[Change], unmanaged: Iterable[Unmanaged]) -> list[Unmanaged]:
    adopted = {change.live_id for change in adoptions}
    return [item for item in unmanaged if item.live_id not in adopted]
