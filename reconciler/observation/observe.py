"""Reads every source concurrently: the bot store, OpenAI and each Twilio account."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from typing import NamedTuple, TypeVar

from reconciler.manifest import Fleet, Manifest
from reconciler.model import AccountKey
from reconciler.observation.accounts import account_of, account_of_bot, former_account, shared_account
from reconciler.observation.event_streams import streams_to_read
from reconciler.observation.live_state import AccountSenders, Documents, Failed, LiveState, Store
from reconciler.observation.missed import read_missed
from reconciler.observation.renames import by_mark, renamings, with_new_ids, with_new_marks
from reconciler.observation.sources import (
    attempt,
    open_openai,
    open_twilio,
    openai_advice,
    read_contents,
    read_documents,
    read_objects,
    read_senders,
    read_services,
    read_sinks,
    read_store,
    read_templates,
    reading_threads,
    twilio_advice,
)
from reconciler.origin import Origin
from reconciler.readers.openai import OBJECT_ENGINES, OBJECT_PREFIXES, LiveAssistant, ObjectEngine, OwnedModels
from reconciler.readers.twilio import ONLINE, LiveSender
from reconciler.settings import Settings
from runtime.store.database.url import is_sqlite

T = TypeVar("T")

MANAGED_URLS = ("callback_url", "fallback_url", "status_callback_url")
"""Of a sender's webhook; its methods are POST where Twilio names none."""


class Begun(NamedTuple):
    """Reads that were begun before the manifests are known."""

    store: Future[Store | Failed]
    objects: Mapping[ObjectEngine, Future[Sequence[LiveAssistant] | Failed | None]]
    """None where no client in the store uses that engine."""
    models: Future[OwnedModels | Failed]
    senders: Mapping[AccountKey, Future[Sequence[LiveSender]]]
    """Lists of the accounts that are known without manifests: the shared one."""


def begin(settings: Settings) -> Begun:
    """Begin to read the store, the models, the shared account's senders, and the objects of each engine that a client
    in the store uses.

    Providers answer while manifests are parsed. Each page of objects and senders names the next one, so these reads
    take the longest.
    """
    shared = shared_account(settings)
    senders = _in_background(lambda: open_twilio(settings, shared).senders())
    models = _in_background(lambda: attempt(lambda: open_openai(settings).models_and_owner(), openai_advice))
    store = _begin_store(settings)

    def objects(engine: ObjectEngine) -> Sequence[LiveAssistant] | Failed | None:
        return read_objects(settings, engine) if _is_used(engine, store.result()) else None

    return Begun(
        store=store,
        objects={engine: _in_background(partial(objects, engine)) for engine in OBJECT_ENGINES},
        models=models,
        senders={shared: senders},
    )


def _begin_store(settings: Settings) -> Future[Store | Failed]:
    def read() -> Store | Failed:
        return attempt(lambda: read_store(settings))

    if not is_sqlite(settings.bot_store_url):
        return _in_background(read)
    # SQLite releases the GIL at each row; beside a busy parser it would wait to get it back thousands of times.
    store: Future[Store | Failed] = Future()
    store.set_result(read())
    return store


def _in_background(read: Callable[[], T]) -> Future[T]:
    """Read in a daemon thread: a command that finds invalid manifests ends without waiting for it."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(read())
        except BaseException as error:  # noqa: BLE001 - raised again where the result is requested
            future.set_exception(error)

    threading.Thread(target=run, name="begun", daemon=True).start()
    return future


def observe(
    fleet: Fleet,
    settings: Settings,
    *,
    only: Collection[str] = (),
    whole_senders: bool = False,
    begun: Begun | None = None,
) -> LiveState:
    """Read all sources concurrently; live objects only of the engines that the store or a manifest uses.

    With `only`, what concerns other clients only is not read: their accounts, the files in their vector stores, and
    orphans. A sender is fetched by itself where the list lacks managed fields, or the reason why it is not online; with
    `whole_senders` also where it lacks the quality rating. What was `begun` is not read again.
    """
    begun = begun or begin(settings)
    chosen = [manifest for manifest in fleet.clients if not only or manifest.client.id in only]
    # A number that passes from an absent client to another is the other's.
    by_state = sorted(chosen, key=lambda manifest: manifest.client.state != "absent")
    manifests = {manifest.client.number: manifest for manifest in by_state}
    declared = {account_of(manifest, settings) for manifest in chosen}
    with reading_threads(32, "observe") as pool:

        def reading_senders(account: AccountKey) -> Future[AccountSenders | Failed]:
            read = partial(read_senders, settings, account, is_wanted, begun.senders.get(account))
            return pool.submit(attempt, read, twilio_advice)

        def is_wanted(live: LiveSender) -> bool:
            manifest = manifests.get(live.number)
            return manifest is not None and (is_sparse(live, manifest) or (whole_senders and not live.is_rating_told))

        senders = {account: reading_senders(account) for account in declared}
        services = {account: pool.submit(read_services, settings, account) for account in declared}
        renames = renamings(fleet.clients, begun.store.result())
        store = with_new_ids(begun.store.result(), renames)
        offering = {account_of(manifest, settings) for manifest in chosen if _offers_choices(manifest)}
        contents = {account: pool.submit(read_contents, settings, account) for account in offering}
        strays = set() if only else _strays(fleet, store)
        with_templates = _accounts_with_templates(chosen, strays, store, settings)
        templates = {account: pool.submit(read_templates, settings, account) for account in with_templates}
        streaming = streams_to_read(chosen if only else fleet.clients, None if only else store, settings)
        streams = {account: pool.submit(read_sinks, settings, account) for account in streaming}
        documents = None
        if _documents_are_used(chosen, strays, store):
            documents = pool.submit(read_documents, settings, _with_own_documents(chosen, store))
        late = [engine for engine in _declared_engines(chosen) if not _is_used(engine, store)]
        reading = dict(begun.objects)
        for engine in late:
            reading[engine] = pool.submit(read_objects, settings, engine)
        for account in _accounts_in_use(chosen, strays, store, settings) - declared:
            senders[account] = reading_senders(account)
        objects = {engine: read.result() or () for engine, read in reading.items()}
        models = begun.models.result()
        read = {account: reading.result() for account, reading in senders.items()}
        live_state = LiveState(
            store=store,
            models=models if isinstance(models, Failed) else models.models,
            objects=objects,
            objects_by_client=by_mark(
                live for read in objects.values() if not isinstance(read, Failed) for live in read
            ),
            senders=read,
            origin=_origin(read.get(shared_account(settings)), models),
            documents=documents.result() if documents else Documents(),
            contents={account: reading.result() for account, reading in contents.items()},
            templates={account: reading.result() for account, reading in templates.items()},
            services={account: reading.result() for account, reading in services.items()},
            event_streams={account: reading.result() for account, reading in streams.items()},
        )
    live_state = with_new_marks(live_state, renames)
    return replace(live_state, missed=read_missed(settings, live_state, _accounts(chosen, strays, store, settings)))


def _origin(shared: AccountSenders | Failed | None, models: OwnedModels | Failed) -> Origin:
    """Whose credentials the settings hold, as far as the providers said so. The shared account counts where a client
    uses it."""
    account = shared.account_sid if isinstance(shared, AccountSenders) else None
    if isinstance(models, Failed):
        return Origin(account)
    return Origin(account, models.organization, models.project)


def _strays(fleet: Fleet, store: Store | Failed) -> set[str]:
    """Clients that are in the store and that no manifest declares."""
    return set() if isinstance(store, Failed) else store.clients - {manifest.client.id for manifest in fleet.clients}


def _accounts_in_use(
    chosen: Sequence[Manifest], strays: Collection[str], store: Store | Failed, settings: Settings
) -> set[AccountKey]:
    """Accounts of live bots that no manifest names: orphans are described and pruned there, and former senders are
    detached there."""
    if isinstance(store, Failed):
        return set()
    bots = store.bots_by_client
    accounts = {account_of_bot(bots.get(client), settings) for client in strays}
    moved = (former_account(manifest, bots.get(manifest.client.id), settings) for manifest in chosen)
    return accounts | {account for account in moved if account is not None}


def _accounts(
    chosen: Sequence[Manifest], strays: Collection[str], store: Store | Failed, settings: Settings
) -> Mapping[str, set[AccountKey]]:
    """The accounts that the sender of each client may be in: the declared one, and that of its bot."""
    bots = {} if isinstance(store, Failed) else store.bots_by_client
    accounts = {client: {account_of_bot(bots.get(client), settings)} for client in strays}
    for manifest in chosen:
        client = manifest.client.id
        accounts[client] = {account_of(manifest, settings), account_of_bot(bots.get(client), settings)}
    return accounts


def _documents_are_used(chosen: Sequence[Manifest], strays: Collection[str], store: Store | Failed) -> bool:
    if any(manifest.search is not None for manifest in chosen):
        return True
    clients = {*strays, *(manifest.client.id for manifest in chosen)}
    if isinstance(store, Failed):
        return False
    return any((client, "knowledge") in known for known in (store.applied, store.intents) for client in clients)


def _with_own_documents(chosen: Sequence[Manifest], store: Store | Failed) -> Mapping[str, str | None]:
    """Clients whose documents are in git, whose files are compared then; each with the vector store applied last.

    Also while nothing seems to have changed: a store's own counts, bytes and marker stay the same when a file is
    exchanged for another of its size, and the time of its last use changes with each search.
    """
    clients = [manifest.client.id for manifest in chosen if manifest.search is not None and manifest.search.files]
    applied = {} if isinstance(store, Failed) else store.applied
    records = {client: applied.get((client, "knowledge")) for client in clients}
    found = {client: record.live_id if record is not None else None for client, record in records.items()}
    return found | {manifest.client.formerly: None for manifest in chosen if manifest.client.formerly is not None}


def _offers_choices(manifest: Manifest) -> bool:
    replies = manifest.client.replies
    return manifest.client.state != "absent" and replies is not None and replies.buttons is True


def _accounts_with_templates(
    chosen: Sequence[Manifest], strays: Collection[str], store: Store | Failed, settings: Settings
) -> set[AccountKey]:
    """Accounts of the clients that declare templates, or for which some were made."""
    applied: Collection[tuple[str, str]] = () if isinstance(store, Failed) else store.applied
    bots = {} if isinstance(store, Failed) else store.bots_by_client
    declaring = {
        account_of(manifest, settings)
        for manifest in chosen
        if manifest.client.templates or (manifest.client.id, "template") in applied
    }
    left = {account_of_bot(bots.get(client), settings) for client in strays if (client, "template") in applied}
    return declaring | left


def is_sparse(live: LiveSender, manifest: Manifest) -> bool:
    """Whether the list lacks a managed field, or the reason why a sender is not online, so that it must be fetched."""
    webhook = live.webhook or {}
    if live.status not in ONLINE or any(webhook.get(key) is None for key in MANAGED_URLS):
        return True
    declared = manifest.client.sender
    lacks_profile = live.profile is None and declared.profile.model_fields_set != set()
    return lacks_profile or (declared.calling is not None and not live.is_voice_told)


def _declared_engines(chosen: Sequence[Manifest]) -> list[ObjectEngine]:
    wanted = {manifest.client.assistant.engine for manifest in chosen}
    return [engine for engine in OBJECT_ENGINES if engine in wanted]


def _is_used(engine: ObjectEngine, store: Store | Failed) -> bool:
    """Whether a client in the store uses an engine.

    Bots created by hand count for agents only: most servers have no Assistants API any more, and it is read for a
    manifest only.
    """
    if isinstance(store, Failed):
        return False
    if any(item.kind == "assistant" and item.values.get("engine") == engine for item in store.applied.values()):
        return True
    if any(intent.what == engine for intent in store.intents.values()):
        return True
    prefix = OBJECT_PREFIXES[engine]
    return engine == "agents" and any(named.startswith(prefix) for named in store.bots_of_assistant)
