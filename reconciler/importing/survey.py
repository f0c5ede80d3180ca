"""The result of an inventory: a draft for each bot that a manifest can declare, a reason for everything else. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from reconciler.importing.draft import ImportedManifest, NotImported, draft_of
from reconciler.importing.inventory import Inventory
from reconciler.importing.templates import shared_out
from reconciler.kinds.unmanaged_bots import (
    AssistantUnavailable,
    UnmanagedBot,
    answered_by_record,
    live_engine_of,
    read_unmanaged,
)
from reconciler.kinds.withheld import Withheld
from reconciler.manifest import Fleet
from reconciler.manifest.explain import slug
from reconciler.model import AccountKey, KindName
from reconciler.observation.accounts import account_of, account_of_bot
from reconciler.observation.live_state import AccountSenders, Failed
from reconciler.ownership import client_of
from reconciler.readers.openai import LiveAssistant
from reconciler.settings import Settings
from runtime.store.records import AssistantRecord, BotRecord


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A live object without a new manifest, and the reason."""

    kind: KindName
    name: str
    live_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Survey:
    """What can be imported, and what cannot."""

    drafts: Sequence[ImportedManifest]
    left_out: Sequence[LeftOut]
    """Bots."""
    unused: Sequence[LeftOut]
    """Objects that no bot uses, so that no manifest declares them."""


def survey(
    inventory: Inventory, fleet: Fleet, settings: Settings, taken: Collection[str], number: str | None
) -> Survey:
    """Drafts in the order of their numbers.

    `taken`: ids of existing files; `number`: that of an exported assistant which no bot uses.
    """
    declared = {manifest.client.number: manifest.path for manifest in fleet.clients}
    ids = {manifest.client.id for manifest in fleet.clients} | set(taken)
    drafts: list[ImportedManifest] = []
    left_out: list[LeftOut] = []
    accounts: dict[str, AccountKey] = {}
    bots = [*inventory.store.bots.values(), *_without_a_bot(inventory, number)]
    for bot in sorted(bots, key=lambda bot: (bot.twilio_phone_number, bot.id)):
        try:
            _check_free(bot, declared)
            draft = _draft(bot, _free_id(bot, ids), inventory, settings)
        except (NotImported, Withheld) as reason:
            left_out.append(LeftOut("bot", f"{bot.twilio_phone_number} {bot.name}", bot.id, str(reason)))
            continue
        ids.add(draft.id)
        drafts.append(draft)
        accounts[draft.id] = account_of_bot(bot, settings)
    drafts, unused = _with_templates(drafts, accounts, inventory, fleet, settings)
    return Survey(drafts, left_out, [*_unused(inventory), *unused])


def _with_templates(
    drafts: Sequence[ImportedManifest],
    accounts: Mapping[str, AccountKey],
    inventory: Inventory,
    fleet: Fleet,
    settings: Settings,
) -> tuple[list[ImportedManifest], list[LeftOut]]:
    """The drafts with the templates of their accounts; and those that go to none."""
    declared = {account_of(manifest, settings) for manifest in fleet.clients}
    found: dict[str, Mapping[str, Any]] = {}
    left: list[LeftOut] = []
    for account, read in inventory.templates.items():
        own = [draft for draft in drafts if accounts[draft.id] == account]
        if isinstance(read, Failed) or not own:
            continue
        shared, unused = shared_out(own, read, inventory.store, is_alone=account not in declared)
        found.update(shared)
        left += [LeftOut("template", live.name, live.sid, reason) for live, reason in unused]
    return [
        replace(draft, values={**draft.values, "templates": found[draft.id]}) if draft.id in found else draft
        for draft in drafts
    ], left


def _check_free(bot: BotRecord, declared: Mapping[str, str]) -> None:
    if bot.client is not None:
        raise NotImported(f"it is managed already, by {bot.managed_by or bot.client}")
    if bot.twilio_phone_number in declared:
        raise NotImported(f"{declared[bot.twilio_phone_number]} declares its number already")


def _draft(bot: BotRecord, client: str, inventory: Inventory, settings: Settings) -> ImportedManifest:
    found, notes = _answering(bot, inventory)
    found.withhold_foreign()
    draft = draft_of(client, found, inventory.senders[account_of_bot(bot, settings)], settings)
    return replace(draft, unsaid=(*notes, *draft.unsaid))


def _answering(bot: BotRecord, inventory: Inventory) -> tuple[UnmanagedBot, list[str]]:
    """A bot's assistant; where it can no longer be read, as it was exported or from the bot's own fields."""
    try:
        return read_unmanaged(bot, inventory.store, inventory.objects), _stores_searched_by(bot, inventory)
    except AssistantUnavailable as error:
        exported = inventory.exported.get(bot.assistant_id or "")
        if exported is not None:
            return answered_by_record(bot, _as_record(exported)), ["its assistant moves to the engine responses"]
        engine = live_engine_of(bot.assistant_id or "")
        unread = engine is not None and isinstance(inventory.objects[engine], Failed)
        if bot.instructions and bot.model and not unread:
            alone = answered_by_record(replace(bot, assistant_id=None), None)
            return alone, [f"{error}: instructions and model are the bot's own, and tools it may have had are unknown"]
        way_out = f"give it another with PUT /bots/{bot.id}, then import again"
        if engine == "assistants":
            way_out = "export the assistant and name the file: `reconcile import --assistant FILE.json`"
        raise NotImported(f"{error}; {way_out}") from error


def _stores_searched_by(bot: BotRecord, inventory: Inventory) -> list[str]:
    """Notes about the vector stores that a live assistant searches: its engine's manifest cannot name them."""
    answering = [live for live in _live(inventory) if live.id == bot.assistant_id]
    return [f"its assistant searches the vector store {key}" for live in answering for key in live.vector_stores]


def _as_record(exported: LiveAssistant) -> AssistantRecord:
    """An object of the Assistants API, or an agent, as an assistant of the engine `responses`."""
    return AssistantRecord(
        id=exported.id,
        name=exported.values["name"] or exported.id,
        instructions=exported.values["instructions"],
        model=exported.values["model"],
        tools=[_flat(tool, exported.vector_stores) for tool in exported.values["tools"]],
        metadata=exported.metadata,
    )


def _flat(tool: Mapping[str, Any], vector_stores: Sequence[str]) -> Mapping[str, Any]:
    if tool.get("type") == "file_search":
        return {**tool.get("file_search", {}), "type": "file_search", "vector_store_ids": list(vector_stores)}
    if tool.get("type") == "web_search" and tool.get("location"):
        return {"type": "web_search", "user_location": {"type": "approximate", **tool["location"]}}
    if tool.get("type") != "function":
        return tool
    named = tool.get("function", {key: tool[key] for key in ("name", "description", "parameters") if key in tool})
    return {"strict": False, **named, "type": "function"}


def _without_a_bot(inventory: Inventory, number: str | None) -> Iterator[BotRecord]:
    """An exported assistant that no bot uses, on the number that was given for it."""
    used = set(inventory.store.bots_of_assistant)
    alone = [live for live in inventory.exported.values() if live.id not in used]
    if number is None:
        return
    if len(alone) != 1:
        raise NotImported(f"--number goes with one exported assistant that no bot uses; there are {len(alone)}.")
    [live] = alone
    name = live.values["name"] or live.id
    yield BotRecord(live.id, name, number, assistant_id=live.id, metadata=live.metadata)


def _free_id(bot: BotRecord, taken: Collection[str]) -> str:
    wanted = slug(bot.metadata.get("cliente") or "") or slug(bot.name) or slug(bot.id) or "cliente"
    if wanted not in taken:
        return wanted
    return next(free for n in range(2, len(taken) + 3) if (free := f"{wanted[:58].rstrip('-')}-{n}") not in taken)


def _unused(inventory: Inventory) -> Iterator[LeftOut]:
    store = inventory.store
    for record in sorted(store.assistants.values(), key=lambda record: record.id):
        if record.client is None and record.id not in store.bots_of_assistant:
            yield LeftOut("assistant", record.name, record.id, "no bot uses it")
    for live in _live(inventory):
        if client_of(live.metadata) is None and live.id not in store.bots_of_assistant:
            yield LeftOut("assistant", str(live.values["name"] or "without a name"), live.id, "no bot uses it")
    for live in inventory.exported.values():
        if live.id not in store.bots_of_assistant:
            yield LeftOut(
                "assistant",
                str(live.values["name"] or "without a name"),
                live.id,
                "no bot uses it; give its number with --number",
            )
    for senders in inventory.senders.values():
        if isinstance(senders, AccountSenders):
            for sender in sorted(senders.by_sid.values(), key=lambda sender: sender.number):
                if sender.number not in store.bots_by_number:
                    yield LeftOut("sender", sender.number, sender.sid, f"no bot routes it; it is {sender.status}")
    if not isinstance(inventory.vector_stores, Failed):
        searched = set(_searched(inventory))
        for documents in inventory.vector_stores:
            if documents.id not in searched and client_of(documents.metadata) is None:
                reason = f"no assistant searches its {documents.counts.total} files"
                yield LeftOut("knowledge", documents.name, documents.id, reason)


def _live(inventory: Inventory) -> Iterator[LiveAssistant]:
    """Live assistants at the provider, as far as they could be read."""
    for objects in inventory.objects.values():
        yield from () if isinstance(objects, Failed) else objects


def _searched(inventory: Inventory) -> Iterator[str]:
    """Ids of the vector stores that any assistant searches."""
    for record in inventory.store.assistants.values():
        for tool in record.tools:
            yield from tool.get("vector_store_ids") or ()
    for live in (*_live(inventory), *inventory.exported.values()):
        yield from live.vector_stores
