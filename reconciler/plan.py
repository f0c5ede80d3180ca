"""From what is declared and what is live to the plan: pure, no call, no write.

Each client is planned by itself, in its own column. A client of which a side could not be read leaves the plan as
`unresolved`; one of which a kind is withheld keeps the changes of the kinds before it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from reconciler.errors import ReadFailed
from reconciler.kinds import assistant, bot, sender
from reconciler.kinds.column import Column, Withheld
from reconciler.kinds.marker import client_of
from reconciler.manifest import Fleet, Manifest
from reconciler.model import KINDS, Binding, Change, Finding, Kind, Orphan, Plan
from reconciler.observe import Failed, Senders, Store, World, account_of
from reconciler.settings import Settings

PLANNERS: Mapping[Kind, Callable[[Column], list[Change]]] = {
    "assistant": assistant.plan,
    "bot": bot.plan,
    "sender": sender.plan,
}
ABSENT_PLANNERS: Mapping[Kind, Callable[[Column], list[Change]]] = {
    "assistant": assistant.plan_absent,
    "bot": bot.plan_absent,
    "sender": sender.plan_absent,
}


def make_plan(fleet: Fleet, world: World, settings: Settings, only: Sequence[str] = ()) -> Plan:
    """The plan for the fleet, or for the clients named by `only`.

    Raises `ReadFailed` when the bot store could not be read: without it nothing can be said about anyone.
    """
    if isinstance(world.store, Failed):
        raise ReadFailed(world.store.message)
    chosen = [manifest for manifest in fleet.clients if not only or manifest.client.id in only]
    changes: list[Change] = []
    findings: list[Finding] = []
    unresolved: list[str] = []
    unrecorded: list[Binding] = []
    for side, failed in _failed_sides(world, settings, chosen).items():
        findings.append(Finding("error", f"{side}: {failed.message}"))
    for manifest in chosen:
        if _is_unresolved(manifest, world, settings):
            unresolved.append(manifest.client.id)
            continue
        column = Column(manifest, world, world.store, settings)
        changes += _chained(_plan_column(column))
        findings += column.findings
        unrecorded += column.unrecorded
    return Plan(
        changes=changes,
        findings=findings,
        orphans=() if only else _orphans(fleet, world, world.store),
        unresolved=unresolved,
        clients=len(chosen),
        unmanaged=_unmanaged(fleet, world, world.store),
        unrecorded=unrecorded,
    )


def digest(plan: Plan) -> str:
    """64 hex digits that are equal exactly when the plans' content is: who, what, from, to."""
    content = [
        [
            change.client,
            change.kind,
            change.action,
            change.key,
            change.live_id,
            [[list(field.steps), field.old, field.new] for field in change.fields],
            change.after,
        ]
        for change in plan.changes
    ]
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _plan_column(column: Column) -> list[Change]:
    absent = column.manifest.client.state == "absent"
    planners = ABSENT_PLANNERS if absent else PLANNERS
    changes: list[Change] = []
    for kind in reversed(KINDS) if absent else KINDS:
        planner = planners.get(kind)
        if planner is None:
            continue
        try:
            changes += planner(column)
        except Withheld as withheld:
            column.say("error", kind, str(withheld))
            return changes
    if absent and not changes:
        column.say("notice", "bot", f"nothing of it is left; {column.manifest.path} can be removed")
    return changes + column.deferred


def _chained(changes: Iterable[Change]) -> list[Change]:
    """The changes of one client, each waiting for the one before it."""
    chained: list[Change] = []
    for change in changes:
        chained.append(replace(change, depends_on=(chained[-1].id,)) if chained else change)
    return chained


def _failed_sides(world: World, settings: Settings, manifests: Sequence[Manifest]) -> dict[str, Failed]:
    """Which sides could not be read, each said once however many clients it concerns."""
    sides: dict[str, object] = {"OpenAI models": world.models, "OpenAI assistants": world.assistants}
    for manifest in manifests:
        account = account_of(manifest, settings)
        sides[account.describe()] = world.senders[account.sid or ""]
    return {side: read for side, read in sides.items() if isinstance(read, Failed)}


def _is_unresolved(manifest: Manifest, world: World, settings: Settings) -> bool:
    client = manifest.client
    senders = world.senders[account_of(manifest, settings).sid or ""]
    if isinstance(senders, Failed) or isinstance(world.models, Failed):
        return True
    if isinstance(senders.by_number.get(client.number), Failed):
        return True
    return isinstance(world.assistants, Failed) and client.assistant.engine == "assistants"


def _orphans(fleet: Fleet, world: World, store: Store) -> list[Orphan]:
    """Objects of ours whose client no manifest declares. They are reported, never deleted for being absent."""
    declared = {manifest.client.id for manifest in fleet.clients}
    found = [
        Orphan(record.client, "assistant", "responses", record.id)
        for record in store.assistants.values()
        if record.client is not None and record.client not in declared
    ]
    if not isinstance(world.assistants, Failed):
        for live in world.assistants:
            owner = client_of(live.metadata)
            if owner is not None and owner not in declared:
                found.append(Orphan(owner, "assistant", "assistants", live.id))
    found += [
        Orphan(held.client, "bot", held.twilio_phone_number, held.id)
        for held in store.bots.values()
        if held.client is not None and held.client not in declared
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


def _unmanaged(fleet: Fleet, world: World, store: Store) -> int:
    """How many live objects are nobody's: made by hand, listed, never touched."""
    numbers = {manifest.client.number for manifest in fleet.clients}
    bound = {applied.live_id for (_, kind), applied in store.applied.items() if kind == "sender"}
    count = sum(bot_record.client is None for bot_record in store.bots.values())
    count += sum(record.client is None for record in store.assistants.values())
    if not isinstance(world.assistants, Failed):
        count += sum(client_of(live.metadata) is None for live in world.assistants)
    for senders in world.senders.values():
        if isinstance(senders, Senders):
            count += sum(sid not in bound and live.number not in numbers for sid, live in senders.by_sid.items())
    return count
