"""From what is declared and what is live to the plan: pure, no call, no write.

Each client is planned by itself, in its own column. A client of which a side could not be read leaves the plan as
`unresolved`; one of which a kind is withheld keeps the changes of the kinds before it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from reconciler.errors import ReadFailed
from reconciler.kinds import assistant, bot, knowledge, sender
from reconciler.kinds.column import Column, Withheld
from reconciler.kinds.handmade import take_over
from reconciler.kinds.marker import client_of
from reconciler.manifest import Fleet, Manifest
from reconciler.model import KINDS, AccountKey, Binding, Change, Finding, Kind, Orphan, Plan, Unmanaged
from reconciler.observe import Failed, Senders, Store, World, account_of, account_of_bot
from reconciler.readers.openai import ObjectEngine
from reconciler.settings import Settings

OBJECTS: Mapping[ObjectEngine, str] = {"assistants": "OpenAI assistants", "agents": "OpenAI agents"}
"""The sides that only their engine needs."""

DOCUMENTS = "OpenAI vector stores"
"""The side that only those who search in documents need."""

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

    def add(self, column: Column, changes: Iterable[Change]) -> None:
        self.changes += _chained(changes)
        self.findings += column.findings
        self.unrecorded += column.unrecorded
        self.forgotten += [(column.id, kind) for kind in column.forgotten]
        self.adoptions += _chained(column.adoptions)


def make_plan(fleet: Fleet, world: World, settings: Settings, scope: Scope = Scope()) -> Plan:
    """The plan for the fleet, or for a part of it.

    Raises `ReadFailed` when the bot store could not be read: without it nothing can be said about anyone.
    """
    store = world.store
    if isinstance(store, Failed):
        raise ReadFailed(store.message)
    chosen = [manifest for manifest in fleet.clients if not scope.only or manifest.client.id in scope.only]
    draft = _Draft(findings=_failed_sides(world, store, settings, chosen))
    numbers = {manifest.client.id: manifest.client.number for manifest in fleet.clients if _shall_exist(manifest)}
    for manifest in chosen:
        _plan_client(draft, manifest, numbers, world, store, settings, scope)
    orphans = [] if scope.only else _orphans(fleet, world, store)
    if scope.prune:
        for client in sorted({orphan.client for orphan in orphans}):
            account = account_of_bot(store.bots_by_client.get(client), settings)
            gone = Column(client, None, account, world, store, settings, delete_sender=scope.delete_senders)
            _plan_departure(draft, gone)
    return Plan(
        changes=draft.changes,
        findings=draft.findings,
        orphans=orphans,
        unresolved=draft.unresolved,
        clients=len(chosen),
        unmanaged=_without(draft.adoptions, _unmanaged(fleet, world, store)),
        unrecorded=draft.unrecorded,
        forgotten=draft.forgotten,
        adoptions=draft.adoptions,
    )


def digest(plan: Plan) -> str:
    """64 hex digits that are equal exactly when the plans' content is: for whom, what, from, to.

    Why it differs, and who made it so, is told beside it: what applying does would be the same.
    """
    content = [
        [
            change.client,
            change.kind,
            change.action,
            change.key,
            change.live_id,
            sorted(([list(field.steps), field.old, field.new] for field in change.fields), key=repr),
            change.after,
        ]
        for change in plan.work
    ]
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def _shall_exist(manifest: Manifest) -> bool:
    return manifest.client.state != "absent"


def _plan_client(
    draft: _Draft,
    manifest: Manifest,
    numbers: Mapping[str, str],
    world: World,
    store: Store,
    settings: Settings,
    scope: Scope,
) -> None:
    client = manifest.client
    account = account_of(manifest, settings)
    if not _shall_exist(manifest):
        column = Column(client.id, None, account, world, store, settings, delete_sender=scope.delete_senders)
        if not _plan_departure(draft, column):
            message = f"nothing of it is left, so {manifest.path} can be removed"
            draft.findings.append(Finding("notice", message, client.id))
        return
    if _is_unresolved(manifest, account, world, store):
        draft.unresolved.append(client.id)
        return
    column = Column(client.id, manifest, account, world, store, settings, numbers)
    draft.add(column, _planned_or_taken_over(column))


def _plan_departure(draft: _Draft, column: Column) -> bool:
    """Plan that a client goes. Returns False when nothing of it is left."""
    unseen = any(_was(engine, column.id, column.store) for engine, _ in _unread_objects(column.world))
    unseen = unseen or bool(knowledge.unread(column.id, None, column.world, column.store))
    if unseen or isinstance(column.world.senders[column.account.sid or ""], Failed):
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


def _chained(changes: Iterable[Change]) -> list[Change]:
    """The changes of one client, each waiting for the one before it."""
    chained: list[Change] = []
    for change in changes:
        chained.append(replace(change, depends_on=(chained[-1].id,)) if chained else change)
    return chained


def _failed_sides(world: World, store: Store, settings: Settings, manifests: Sequence[Manifest]) -> list[Finding]:
    """Which sides could not be read, each said once however many clients it concerns."""
    sides: dict[str, object] = {
        "OpenAI models": world.models,
        DOCUMENTS: world.documents,
    }
    for manifest in manifests:
        account = account_of(manifest, settings)
        senders = sides[account.describe()] = world.senders[account.sid or ""]
        if isinstance(senders, Senders):
            sides[f"{manifest.client.id}: sender"] = senders.by_number.get(manifest.client.number)
        if isinstance(world.store, Store) and not isinstance(world.documents, Failed):
            unread = knowledge.unread(manifest.client.id, manifest, world, world.store)
            sides[f"{manifest.client.id}: documents"] = unread
    findings = {side: read for side, read in sides.items() if isinstance(read, Failed)}
    return [
        *(Finding("error", f"{side}: {read.message}") for side, read in findings.items()),
        *_unread_engines(world, store, manifests),
    ]


def _unread_objects(world: World) -> list[tuple[ObjectEngine, Failed]]:
    return [(engine, read) for engine, read in world.objects.items() if isinstance(read, Failed)]


def _unread_engines(world: World, store: Store, manifests: Sequence[Manifest]) -> list[Finding]:
    """Engines whose objects could not be read. Who has left an API that is gone is only warned that it cannot be asked
    for what was left behind."""
    found = []
    for engine, read in _unread_objects(world):
        missed = any(_misses(engine, read, manifest, store) for manifest in manifests)
        found.append(Finding("error" if missed else "warning", f"{OBJECTS[engine]}: {read.message}"))
    return found


def _misses(engine: ObjectEngine, read: Failed, manifest: Manifest, store: Store) -> bool:
    """Whether a client cannot be planned without an engine's objects: it has one, or may have one to be taken away."""
    return manifest.client.assistant.engine == engine or (not read.gone and _was(engine, manifest.client.id, store))


def _was(engine: ObjectEngine, client: str, store: Store) -> bool:
    applied = store.applied.get((client, "assistant"))
    return applied is not None and applied.values.get("engine") == engine


def _is_unresolved(manifest: Manifest, account: AccountKey, world: World, store: Store) -> bool:
    senders = world.senders[account.sid or ""]
    if isinstance(senders, Failed) or isinstance(world.models, Failed):
        return True
    if isinstance(senders.by_number.get(manifest.client.number), Failed):
        return True
    if knowledge.unread(manifest.client.id, manifest, world, store) is not None:
        return True
    return any(_misses(engine, read, manifest, store) for engine, read in _unread_objects(world))


def _orphans(fleet: Fleet, world: World, store: Store) -> list[Orphan]:
    """Objects of ours whose client no manifest declares. They are reported, never deleted for being absent."""
    declared = {manifest.client.id for manifest in fleet.clients}
    found = [
        Orphan(client, "assistant", "responses", record.id)
        for client, record in store.assistants_by_client.items()
        if client not in declared
    ]
    found += [
        Orphan(owner, "assistant", live.engine, live.id)
        for owner, objects in world.objects_by_client.items()
        for live in objects
        if owner not in declared
    ]
    if not isinstance(world.documents, Failed):
        for owner, stores in world.documents.by_client.items():
            found += [Orphan(owner, "knowledge", knowledge.KEY, live.id) for live in stores if owner not in declared]
    found += [
        Orphan(client, "bot", held.twilio_phone_number, held.id)
        for client, held in store.bots_by_client.items()
        if client not in declared
    ]
    for (client, kind), applied in store.applied.items():
        if kind == "sender" and client not in declared:
            found.append(Orphan(client, "sender", _number_of(world, applied.live_id), applied.live_id))
    return sorted(found, key=lambda orphan: (orphan.client, KINDS.index(orphan.kind), orphan.live_id))


def _number_of(world: World, sid: str) -> str:
    for senders in world.senders.values():
        if isinstance(senders, Senders) and sid in senders.by_sid:
            return senders.by_sid[sid].number
    return sid


def _unmanaged(fleet: Fleet, world: World, store: Store) -> list[Unmanaged]:
    """Live objects that are nobody's."""
    numbers = {manifest.client.number for manifest in fleet.clients}
    bound = {applied.live_id for (_, kind), applied in store.applied.items() if kind == "sender"}
    found = [
        Unmanaged("assistant", record.name, record.id) for record in store.assistants.values() if not record.client
    ]
    for objects in world.objects.values():
        found += [
            Unmanaged("assistant", str(live.values["name"]), live.id)
            for live in (() if isinstance(objects, Failed) else objects)
            if client_of(live.metadata) is None
        ]
    if not isinstance(world.documents, Failed):
        found += [
            Unmanaged("knowledge", live.name, live.id)
            for live in world.documents.stores.values()
            if client_of(live.metadata) is None
        ]
    found += [Unmanaged("bot", held.twilio_phone_number, held.id) for held in store.bots.values() if not held.client]
    for senders in world.senders.values():
        if isinstance(senders, Senders):
            found += [
                Unmanaged("sender", live.number, sid)
                for sid, live in senders.by_sid.items()
                if sid not in bound and live.number not in numbers
            ]
    return found


def _without(adoptions: Iterable[Change], unmanaged: Iterable[Unmanaged]) -> list[Unmanaged]:
    adopted = {change.live_id for change in adoptions}
    return [item for item in unmanaged if item.live_id not in adopted]
