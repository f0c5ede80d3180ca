"""Clients that are renamed (`formerly` in a manifest): the live state under their new ids. Pure.

What was made under the former id is shown as the client's from the start, in the store and at the provider, so planning
compares it with what is declared like any other client's. What still has the former id is renamed first when the plan
is applied. A run that was cut off in between is continued: each part is looked up by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from reconciler.manifest import Manifest
from reconciler.observation.live_state import Documents, Failed, LiveState, Renaming, Store
from reconciler.ownership import Marked, client_of, renamed
from reconciler.readers.openai import StoreFile
from runtime.store.records import AppliedRecord, AssistantRecord, BotRecord

Row = TypeVar("Row", BotRecord, AssistantRecord)
M = TypeVar("M", bound=Marked)


def renamings(manifests: Iterable[Manifest], store: Store | Failed) -> Mapping[str, Renaming]:
    """By client, as far as manifests name a former id."""
    if isinstance(store, Failed):
        return {}
    return {
        manifest.client.id: _renaming(manifest.client.id, manifest.client.formerly, store)
        for manifest in manifests
        if manifest.client.formerly is not None
    }


def with_new_ids(store: Store | Failed, renames: Mapping[str, Renaming]) -> Store | Failed:
    """The store as if each client had been renamed."""
    if isinstance(store, Failed):
        return store
    whole = {renaming.former: client for client, renaming in renames.items() if renaming.both is None}
    intents = {
        (whole.get(client, client), kind): replace(intent, client=whole.get(client, client))
        for (client, kind), intent in store.intents.items()
    }
    store = replace(store, intents=intents)
    ids = {former: client for former, client in whole.items() if renames[client].is_in_store}
    if not ids:
        return store
    bots = {bot.id: _of_new_id(bot, ids) for bot in store.bots.values()}
    assistants = {record.id: _of_new_id(record, ids) for record in store.assistants.values()}
    # A record under the new id is younger.
    applied: dict[tuple[str, str], AppliedRecord] = {}
    for (client, kind), record in sorted(store.applied.items(), key=lambda item: item[0][0] not in ids):
        applied[ids.get(client, client), kind] = replace(record, client=ids.get(client, client))
    return replace(
        store,
        bots=bots,
        bots_by_number={bot.twilio_phone_number: bot for bot in bots.values()},
        bots_by_client={bot.client: bot for bot in bots.values() if bot.client is not None},
        assistants=assistants,
        assistants_by_client={record.client: record for record in assistants.values() if record.client is not None},
        applied=applied,
    )


def with_new_marks(live_state: LiveState, renames: Mapping[str, Renaming]) -> LiveState:
    """The objects at the provider as if each client's had its new marker; `former_marks` are those that have not."""
    ids = {renaming.former: client for client, renaming in renames.items() if renaming.both is None}
    live_state = replace(live_state, renames=renames)
    if not ids:
        return live_state
    old: set[str] = set()

    def marked(live_id: str, metadata: Mapping[str, str]) -> Mapping[str, str]:
        owner = client_of(metadata)
        if owner is None or owner not in ids:
            return metadata
        old.add(live_id)
        return renamed(metadata, ids[owner])

    objects = {
        engine: read if isinstance(read, Failed) else [replace(o, metadata=marked(o.id, o.metadata)) for o in read]
        for engine, read in live_state.objects.items()
    }
    documents = live_state.documents
    if isinstance(documents, Documents):
        stores = {key: replace(s, metadata=marked(key, s.metadata)) for key, s in documents.stores.items()}
        files = {
            key: read if isinstance(read, Failed) else [_of_new_mark(file, ids) for file in read]
            for key, read in documents.files.items()
        }
        documents = Documents(stores, by_mark(stores.values()), files)
    by_client = by_mark(item for read in objects.values() if not isinstance(read, Failed) for item in read)
    return replace(
        live_state, objects=objects, objects_by_client=by_client, documents=documents, former_marks=frozenset(old)
    )


def by_mark(found: Iterable[M]) -> Mapping[str, Sequence[M]]:
    """Marked objects, by their client."""
    grouped: dict[str, list[M]] = {}
    for live in found:
        owner = client_of(live.metadata)
        if owner is not None:
            grouped.setdefault(owner, []).append(live)
    return grouped


def _renaming(client: str, former: str, store: Store) -> Renaming:
    have = {"bot": store.bots_by_client, "assistant": store.assistants_by_client}
    both = next((kind for kind, by_client in have.items() if client in by_client and former in by_client), None)
    return Renaming(former, former in store.clients, both)


def _of_new_id(row: Row, ids: Mapping[str, str]) -> Row:
    return row if row.client is None or row.client not in ids else replace(row, client=ids[row.client])


def _of_new_mark(file: StoreFile, ids: Mapping[str, str]) -> StoreFile:
    owner = client_of(file.attributes)
    return file if owner is None or owner not in ids else replace(file, attributes=renamed(file.attributes, ids[owner]))
