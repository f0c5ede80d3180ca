"""What could not be read, and which clients cannot be planned without it. Nothing of those is changed or deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reconciler.kinds.column import Column
from reconciler.kinds.knowledge import knowledge
from reconciler.manifest import Manifest
from reconciler.model import AccountKey, Finding, Severity
from reconciler.observation.accounts import account_of, former_account
from reconciler.observation.live_state import AccountSenders, Failed, LiveState, Store
from reconciler.readers.openai import ObjectEngine
from reconciler.settings import Settings

OBJECTS: Mapping[ObjectEngine, str] = {"assistants": "OpenAI assistants", "agents": "OpenAI agents"}
"""The sources that only their engine needs."""

DOCUMENTS = "OpenAI vector stores"
"""The source that only those who search in documents need."""


def failed_sources(
    live_state: LiveState, store: Store, settings: Settings, manifests: Sequence[Manifest]
) -> list[Finding]:
    """Which sources could not be read, each said once however many clients it concerns."""
    sources: list[tuple[str, object]] = [("OpenAI models", live_state.models)]
    for manifest in manifests:
        client = manifest.client
        accounts = _accounts(manifest, live_state, store, settings)
        sources += [(account.describe(), live_state.senders[account]) for account in accounts]
        senders = live_state.senders[account_of(manifest, settings)]
        if isinstance(senders, AccountSenders):
            sources.append((f"{client.id}: sender", senders.by_number.get(client.number)))
        if not isinstance(live_state.documents, Failed):
            sources.append((f"{client.id}: documents", knowledge.unread(client.id, manifest, live_state, store)))
    said = dict.fromkeys(f"{source}: {read.message}" for source, read in sources if isinstance(read, Failed))
    return [*(Finding("error", text) for text in said), *_unread_apis(live_state, store, manifests)]


def is_unresolved(manifest: Manifest, live_state: LiveState, store: Store, settings: Settings) -> bool:
    """Whether something of a client that shall exist could not be read."""
    client = manifest.client
    accounts = [live_state.senders[account] for account in _accounts(manifest, live_state, store, settings)]
    if isinstance(live_state.models, Failed) or any(isinstance(read, Failed) for read in accounts):
        return True
    senders = live_state.senders[account_of(manifest, settings)]
    if isinstance(senders, AccountSenders) and isinstance(senders.by_number.get(client.number), Failed):
        return True
    if knowledge.unread(client.id, manifest, live_state, store) is not None:
        return True
    return any(_misses(engine, read, manifest, store) for engine, read in _unread_objects(live_state))


def _accounts(manifest: Manifest, live_state: LiveState, store: Store, settings: Settings) -> list[AccountKey]:
    """The accounts without which a client cannot be planned: the declared one, and a former one that still lets us in,
    since a sender is to be detached there."""
    declared = account_of(manifest, settings)
    former = former_account(manifest, store.bots_by_client.get(manifest.client.id), settings)
    read = live_state.senders.get(former) if former is not None else None
    if former is None or read is None or (isinstance(read, Failed) and read.refused):
        return [declared]
    return [declared, former]


def is_departure_unresolved(column: Column) -> bool:
    """Whether something of a client that goes could not be read, so that what is left of it cannot be told.

    Of an API that is gone nothing is left; where the models are not there either, it is the address that is wrong.
    """
    live_state, store = column.live_state, column.store
    unread = [read for engine, read in _unread_objects(live_state) if _was(engine, column.id, store)]
    if isinstance(live_state.documents, Failed) and column.applied("knowledge") is not None:
        unread.append(live_state.documents)
    if any(not read.gone or isinstance(live_state.models, Failed) for read in unread):
        return True
    return isinstance(live_state.senders.get(column.account), Failed)


def _unread_apis(live_state: LiveState, store: Store, manifests: Sequence[Manifest]) -> list[Finding]:
    """Lists of what lives at OpenAI that could not be read. Who has left an API that is gone is only warned that it
    cannot be asked for what was left behind."""
    found = []
    if isinstance(live_state.documents, Failed):
        searched = any(manifest.search is not None and manifest.client.state != "absent" for manifest in manifests)
        severity: Severity = "error" if searched or not live_state.documents.gone else "warning"
        found.append(Finding(severity, f"{DOCUMENTS}: {live_state.documents.message}"))
    for engine, read in _unread_objects(live_state):
        missed = any(_misses(engine, read, manifest, store) for manifest in manifests)
        found.append(Finding("error" if missed else "warning", f"{OBJECTS[engine]}: {read.message}"))
    return found


def _misses(engine: ObjectEngine, read: Failed, manifest: Manifest, store: Store) -> bool:
    """Whether a client cannot be planned without an engine's objects: it has one, or may have one to be taken away."""
    client = manifest.client
    uses = client.assistant.engine == engine and client.state != "absent"
    return uses or (not read.gone and _was(engine, manifest.client.id, store))


def _was(engine: ObjectEngine, client: str, store: Store) -> bool:
    applied = store.applied.get((client, "assistant"))
    return applied is not None and applied.values.get("engine") == engine


def _unread_objects(live_state: LiveState) -> list[tuple[ObjectEngine, Failed]]:
    return [(engine, read) for engine, read in live_state.objects.items() if isinstance(read, Failed)]
