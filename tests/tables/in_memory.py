"""Fleets and live states in memory, for what is planned without asking anybody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from reconciler.kinds.context import ClientContext, DesiredClient
from reconciler.manifest import Fleet, Manifest
from reconciler.manifest.texts import KnowledgeFile
from reconciler.model import AccountKey
from reconciler.observation.live_state import AccountSenders, Failed, LiveState, Store, index_store
from reconciler.planning.desired import desired_client
from reconciler.readers.openai import LiveAssistant, Model
from reconciler.readers.twilio import LiveSender
from reconciler.settings import Settings
from runtime.store.records import AppliedRecord, AssistantRecord, BotRecord, Snapshot
from schemas import Client

NUMBER = "+56998765000"
SHARED = AccountKey("AC00000000000000000000000000000000", "TWILIO_AUTH_TOKEN")
SETTINGS = Settings(
    clients_dir=Path("clients.d"),
    openai_api_key="sk",
    openai_base_url="https://openai.example.cl/v1",
    twilio_account_sid=SHARED.sid,
    twilio_base_url=None,
    public_url="https://agencia.cl",
    fallback_url=None,
    connection_overrides="",
    bot_store_url="sqlite:///store.db",
    api_token=None,
    environment={},
)


def manifest(client: str = "la-cocina", *, assistant: Mapping[str, Any] | None = None, **keys: Any) -> Manifest:
    """A client's manifest; documents that it lists are ten bytes long."""
    declared = {"model": "gpt-6-luna", "instructions": "Eres el asistente.", **(assistant or {})}
    values = {"id": client, "name": "La Cocina", "number": NUMBER, "assistant": declared, **keys}
    parsed = Client.model_validate(values)
    paths = [path for tool in declared.get("tools", ()) for path in tool.get("files", ())]
    files = tuple(KnowledgeFile(path, Path(path), 10, "a" * 64) for path in paths)
    return Manifest(f"clients.d/{client}.yaml", parsed, "Eres el asistente.", files)


def fleet(*manifests: Manifest) -> Fleet:
    """All that is declared."""
    return Fleet(manifests)


def store(
    bots: Sequence[BotRecord] = (), assistants: Sequence[AssistantRecord] = (), applied: Sequence[AppliedRecord] = ()
) -> Store:
    """A bot store that was read."""
    return index_store(Snapshot(bots, assistants, applied))


def live_state(
    of: Store | None = None, *, numbers: Iterable[str] = (NUMBER,), agents: Sequence[LiveAssistant] = (), **more: Any
) -> LiveState:
    """What was read: senders that are online under these numbers and have no webhook, one model, and what else is
    given."""
    senders = [LiveSender(f"XE{number}", number, "ONLINE", {}, {}) for number in numbers]
    by_number: dict[str, LiveSender | Failed] = {live.number: live for live in senders}
    read: dict[str, Any] = {
        "models": {"gpt-6-luna": Model("gpt-6-luna", None)},
        "objects": {"assistants": (), "agents": agents},
        "objects_by_client": {live.metadata["client"]: [live] for live in agents if "client" in live.metadata},
        "senders": {SHARED: AccountSenders(str(SHARED.sid), by_number, {live.sid: live for live in senders})},
    }
    return LiveState(store=of or store(), **{**read, **more})


def context(client: Manifest | DesiredClient, live: LiveState) -> ClientContext:
    """What a client is planned with, alone."""
    desired = desired_client(client, SETTINGS) if isinstance(client, Manifest) else client
    assert isinstance(live.store, Store)
    return ClientContext(desired, live, live.store, SETTINGS)
