"""Live objects that no manifest declares: ours are orphans, those of nobody are unmanaged. Both are reported."""

from __future__ import annotations

from reconciler.kinds.knowledge import knowledge
from reconciler.manifest import Fleet
from reconciler.model import KINDS, Orphan, Unmanaged
from reconciler.observation.live_state import AccountSenders, Failed, LiveState, Store
from reconciler.ownership import client_of


def orphans_of(fleet: Fleet, live_state: LiveState, store: Store) -> list[Orphan]:
    """Objects of ours whose client no manifest declares. They are reported, never deleted for being absent."""
    declared = {manifest.client.id for manifest in fleet.clients}
    found = [
        Orphan(client, "assistant", "responses", record.id)
        for client, record in store.assistants_by_client.items()
        if client not in declared
    ]
    found += [
        Orphan(owner, "assistant", live.engine, live.id)
        for owner, objects in live_state.objects_by_client.items()
        for live in objects
        if owner not in declared
    ]
    if not isinstance(live_state.documents, Failed):
        for owner, stores in live_state.documents.by_client.items():
            found += [Orphan(owner, "knowledge", knowledge.KEY, live.id) for live in stores if owner not in declared]
    found += [
        Orphan(client, "bot", held.twilio_phone_number, held.id)
        for client, held in store.bots_by_client.items()
        if client not in declared
    ]
    for (client, kind), applied in store.applied.items():
        if kind == "sender" and client not in declared:
            found.append(Orphan(client, "sender", _number_of(live_state, applied.live_id), applied.live_id))
    return sorted(found, key=lambda orphan: (orphan.client, KINDS.index(orphan.kind), orphan.live_id))


def unmanaged_of(fleet: Fleet, live_state: LiveState, store: Store) -> list[Unmanaged]:
    """Live objects that are nobody's."""
    numbers = {manifest.client.number for manifest in fleet.clients}
    bound = {applied.live_id for (_, kind), applied in store.applied.items() if kind == "sender"}
    found = [
        Unmanaged("assistant", record.name, record.id) for record in store.assistants.values() if not record.client
    ]
    for objects in live_state.objects.values():
        found += [
            Unmanaged("assistant", str(live.values["name"] or "without a name"), live.id)
            for live in (() if isinstance(objects, Failed) else objects)
            if client_of(live.metadata) is None
        ]
    if not isinstance(live_state.documents, Failed):
        found += [
            Unmanaged("knowledge", live.name, live.id)
            for live in live_state.documents.stores.values()
            if client_of(live.metadata) is None
        ]
    found += [Unmanaged("bot", held.twilio_phone_number, held.id) for held in store.bots.values() if not held.client]
    read = [senders.by_sid for senders in live_state.senders.values() if isinstance(senders, AccountSenders)]
    found += [
        Unmanaged("sender", live.number, sid)
        for sid, live in {sid: live for by_sid in read for sid, live in by_sid.items()}.items()
        if sid not in bound and live.number not in numbers
    ]
    return found


def _number_of(live_state: LiveState, sid: str) -> str:
    for senders in live_state.senders.values():
        if isinstance(senders, AccountSenders) and sid in senders.by_sid:
            return senders.by_sid[sid].number
    return sid
