"""Everything that is live and could become a manifest, read to the end of every list."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reconciler.errors import ProviderError, ReadFailed, ReconcileError
from reconciler.model import AccountKey
from reconciler.observation.accounts import account_of_bot, shared_account
from reconciler.observation.live_state import AccountSenders, Failed, Store
from reconciler.observation.sources import (
    attempt,
    documents_advice,
    open_openai,
    openai_advice,
    read_objects,
    read_senders,
    read_store,
    read_templates,
    reading_threads,
    twilio_advice,
)
from reconciler.readers.openai import OBJECT_ENGINES, LiveAssistant, Model, ObjectEngine, VectorStore, live_assistant
from reconciler.readers.shape import understood
from reconciler.readers.twilio import LiveSender, LiveTemplate
from reconciler.settings import Settings


@dataclass(frozen=True, slots=True)
class Inventory:
    """The result of reading all sources."""

    store: Store
    models: Mapping[str, Model] | Failed
    objects: Mapping[ObjectEngine, Sequence[LiveAssistant] | Failed]
    """Live assistants at the provider, by engine; empty where the server has no such API."""
    exported: Mapping[str, LiveAssistant]
    """Assistants from files, by id; the Assistants API may no longer exist."""
    vector_stores: Sequence[VectorStore] | Failed
    senders: Mapping[AccountKey, AccountSenders | Failed]
    templates: Mapping[AccountKey, Sequence[LiveTemplate] | Failed]
    """Contents that may be templates; empty where an account has no Content API."""


def take_inventory(settings: Settings, exports: Iterable[Path]) -> Inventory:
    """Read the store, then everything else at once. Raises `ReadFailed` when the store cannot be read."""
    exported = {live.id: live for path in exports for live in read_export(path)}
    store = attempt(lambda: read_store(settings))
    if isinstance(store, Failed):
        raise ReadFailed(store.message)
    accounts = {account_of_bot(bot, settings) for bot in store.bots.values()} | {shared_account(settings)}
    with reading_threads(8, "inventory") as pool:
        models = pool.submit(attempt, lambda: open_openai(settings).models(), openai_advice)
        objects = {engine: pool.submit(_objects, settings, engine) for engine in OBJECT_ENGINES}
        vector_stores = pool.submit(attempt, lambda: open_openai(settings).vector_stores(), documents_advice)
        senders = {
            account: pool.submit(attempt, lambda own=account: read_senders(settings, own, _is_sparse), twilio_advice)
            for account in accounts
        }
        templates = {account: pool.submit(_templates, settings, account) for account in accounts}
        return Inventory(
            store=store,
            models=models.result(),
            objects={engine: reading.result() for engine, reading in objects.items()},
            exported=exported,
            vector_stores=vector_stores.result(),
            senders={account: reading.result() for account, reading in senders.items()},
            templates={account: reading.result() for account, reading in templates.items()},
        )


def read_export(path: Path) -> list[LiveAssistant]:
    """Assistants from a JSON file: one object, or a list as `GET /v1/assistants` returns it."""
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise ReconcileError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise ReconcileError(f"{path} is not JSON ({error}); export the assistant again.") from error
    items = document.get("data", [document]) if isinstance(document, dict) else document
    if not isinstance(items, list) or not all(_is_assistant(item) for item in items):
        raise ReconcileError(
            f"{path} holds no assistant: an object with id, model and instructions was expected, or a list of such "
            "under `data`, as GET /v1/assistants answered."
        )
    try:
        return understood("an exported assistant", items, live_assistant)
    except ProviderError as error:
        raise ReconcileError(f"{path}: {error}; export the assistant again.") from error


def _objects(settings: Settings, engine: ObjectEngine) -> Sequence[LiveAssistant] | Failed:
    read = read_objects(settings, engine)
    return () if isinstance(read, Failed) and read.gone else read


def _templates(settings: Settings, account: AccountKey) -> Sequence[LiveTemplate] | Failed:
    read = read_templates(settings, account)
    return () if isinstance(read, Failed) and read.gone else read


def _is_assistant(item: Any) -> bool:
    return isinstance(item, dict) and all(isinstance(item.get(key), str) for key in ("id", "model", "instructions"))


def _is_sparse(live: LiveSender) -> bool:
    return live.webhook is None or live.profile is None
