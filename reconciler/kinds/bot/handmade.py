"""Bots that somebody made by hand, and whoever answers for them, seen as a manifest would declare them.

A bot may replace its assistant's instructions and model, leave settings to the provider, or answer by itself. What
counts is what it comes to: an object whose effective values are the declared ones is taken over as it is, any other is
left alone until `reconcile adopt` says whose it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from reconciler.kinds.assistant import assistant, objects
from reconciler.kinds.bot import bot
from reconciler.kinds.column import Column, Withheld, withhold_foreign
from reconciler.kinds.diff import field_changes
from reconciler.kinds.knowledge import knowledge
from reconciler.model import UNKNOWN_ID, Change, Values
from reconciler.observation.accounts import SHARED_TOKEN_ENV
from reconciler.observation.live_state import Failed, Store
from reconciler.ownership import client_of
from reconciler.readers.openai import OBJECT_PREFIXES, LiveAssistant, ObjectEngine
from reconciler.settings import Settings
from runtime.store.records import AssistantRecord, BotRecord
from schemas import Endpoint

PROVIDERS_COUNTRY: Final = "US"
"""OpenAI searches the web for the United States when no place is named."""

PROVIDERS_PASSAGES: Final = 20
"""OpenAI's search in documents returns so many passages when no number is named."""


class Unreadable(Exception):
    """Nobody can say what a bot answers with; the text says why."""


@dataclass(frozen=True, slots=True)
class Handmade:
    """A bot made by hand, and who answers for it."""

    bot: BotRecord
    engine: Literal["responses", "assistants", "agents"]
    effective: Values
    """In the shape in which `kinds.assistant` declares one: the bot's own instructions and model are folded in."""
    live_id: str | None
    """The assistant that answers; None when the bot answers by itself."""
    own: Values
    """The assistant as it stands, nothing folded in; empty when the bot answers by itself."""
    metadata: Mapping[str, str]
    """The assistant's."""
    client: str | None
    """The client that the assistant belongs to already."""


def read_handmade(
    bot_record: BotRecord, store: Store, at_provider: Mapping[ObjectEngine, Sequence[LiveAssistant] | Failed]
) -> Handmade:
    """What a bot answers with. Raises `Unreadable` when its assistant is not there."""
    assistant_id = bot_record.assistant_id
    record = store.assistants.get(assistant_id) if assistant_id else None
    if assistant_id is None or record is not None:
        return by_record(bot_record, record)
    engine = live_engine_of(assistant_id)
    if engine is None:
        raise Unreadable(f"its assistant {assistant_id!r} does not exist")
    read = at_provider[engine]
    if isinstance(read, Failed):
        raise Unreadable(f"its assistant {assistant_id} cannot be read: {read.message}")
    live = next((item for item in read if item.id == assistant_id), None)
    if live is None:
        raise Unreadable(f"its assistant {assistant_id} does not exist at the provider")
    return _by_object(bot_record, live)


def engine_of(record: BotRecord, store: Store) -> Literal["responses", "assistants", "agents"]:
    """The engine that answers for a bot; seen by its assistant's id alone, so nobody needs to be asked."""
    named = record.assistant_id
    return "responses" if named is None or named in store.assistants else live_engine_of(named) or "responses"


def live_engine_of(assistant_id: str) -> ObjectEngine | None:
    """The engine whose API gives out such ids."""
    return next((engine for engine, prefix in OBJECT_PREFIXES.items() if assistant_id.startswith(prefix)), None)


def bot_as_declared(record: BotRecord, assistant_id: str | None, settings: Settings) -> dict[str, Any]:
    """A bot made by hand in the shape in which `kinds.bot` declares one, once its overrides are the assistant's."""
    sid, token_env = record.account_sid, record.auth_token_env or SHARED_TOKEN_ENV
    shared = sid is None or (sid, token_env) == (settings.twilio_account_sid, SHARED_TOKEN_ENV)
    timeout = Endpoint.model_fields["timeout_seconds"].default
    return {
        **bot.values_of(record),
        "assistant_id": assistant_id,
        "instructions": None,
        "model": None,
        "account_sid": None if shared else sid,
        "auth_token_env": None if shared else token_env,
        "functions": {
            name: {
                "url": function.get("url"),
                "secret_env": function.get("secret_env"),
                "timeout_seconds": float(function.get("timeout_seconds") or timeout),
            }
            for name, function in record.functions.items()
        },
    }


def take_over(column: Column, record: BotRecord) -> list[Change]:
    """Adopt a bot made by hand and its assistant, when together they are what is declared.

    Fills the column's adoptions, and returns changes of an assistant that is ours already. Raises `Withheld`.
    """
    changes = knowledge.plan(column)
    assistant.check_model(column)
    if engine_of(record, column.store) != column.manifest.client.assistant.engine:
        raise Withheld(f"{_made_by_hand(column, record)}, and other than declared (engine); {_advice(column)}")
    try:
        found = read_handmade(record, column.store, column.live_state.objects)
    except Unreadable as error:
        raise Withheld(f"{_made_by_hand(column, record)}, and {error}; {_advice(column)}") from error
    refuse_foreign(found)
    declared = assistant.declared_values(column)
    differing = differences(found, declared, column)
    if differing:
        paths = ", ".join(differing)
        raise Withheld(f"{_made_by_hand(column, record)}, and other than declared ({paths}); {_advice(column)}")
    changes += _take_over_assistant(column, found, declared)
    after = bot.bot_values(column)
    before = bot.values_of(record)
    column.adopt("bot", record.twilio_phone_number, record.id, before, after, before)
    return changes


def refuse_foreign(found: Handmade) -> None:
    """Raise `Withheld` when another tool has its mark on the bot or its assistant: that is never taken over."""
    withhold_foreign("bot", found.bot.id, found.bot.metadata)
    withhold_foreign("assistant", found.live_id, found.metadata)


def differences(found: Handmade, declared: Values, column: Column) -> list[str]:
    """Paths at which a bot made by hand is not what is declared.

    Tools and functions count whole, since what a manifest cannot say of them would be lost. A setting that was never
    made has no value that could differ.
    """
    changes = field_changes(found.effective, declared)
    paths = [change.path for change in changes if change.steps[0] not in ("tools", "settings")]
    paths += [change.path for change in changes if change.steps[0] == "settings" and change.old is not None]
    if found.effective["tools"] != declared["tools"]:
        paths.append("tools")
    wanted = {**bot.bot_values(column), "assistant_id": None}
    shown = bot_as_declared(found.bot, None, column.settings)
    paths += [change.path for change in field_changes(shown, wanted) if change.steps[0] != "functions"]
    if shown["functions"] != wanted["functions"]:
        paths.append("functions")
    return list(dict.fromkeys(paths))


def may_be_taken(found: Handmade, client: str, store: Store) -> bool:
    """Whether the assistant answers for this bot alone and belongs to nobody else; a shared one is copied instead."""
    if found.live_id is None or found.client not in (None, client):
        return False
    return store.bots_of_assistant.get(found.live_id, 0) <= 1


def _take_over_assistant(column: Column, found: Handmade, declared: Values) -> list[Change]:
    engine = found.engine
    ours = column.record is not None if engine == "responses" else bool(objects.objects_of(column, engine))
    if ours:
        # A run that was cut off has adopted it already, or made the copy.
        return assistant.plan(column)
    before = {"metadata": dict(found.metadata)}
    if may_be_taken(found, column.id, column.store):
        column.assistant_id = found.live_id
        column.adopt("assistant", found.engine, found.live_id, found.own, declared, before)
        return []
    if found.engine == "responses" and column.id in column.store.assistants:
        raise Withheld(f"the bot store has another assistant {column.id!r} that was made by hand; {_advice(column)}")
    column.assistant_id = column.id if found.engine == "responses" else UNKNOWN_ID
    column.adopt("assistant", found.engine, None, found.effective, declared, {})
    return []


def by_record(record: BotRecord, answering: AssistantRecord | None) -> Handmade:
    """A bot that is answered by a record, or that answers by itself."""
    own = assistant.values_of(answering) if answering else {}
    effective = {
        "engine": "responses",
        "name": record.name,
        "model": record.model or own.get("model"),
        "instructions": record.instructions or own.get("instructions"),
        "tools": [_responses_tool(tool) for tool in own.get("tools", ())],
        "settings": own.get("settings", {}),
    }
    if answering is None:
        return Handmade(record, "responses", effective, None, {}, {}, None)
    return Handmade(record, "responses", effective, answering.id, own, answering.metadata, answering.client)


def _by_object(record: BotRecord, live: LiveAssistant) -> Handmade:
    own = objects.values_of_object(live)
    effective = {
        **own,
        "name": record.name,
        "model": record.model or own["model"],
        "instructions": record.instructions or own["instructions"],
    }
    return Handmade(record, live.engine, effective, live.id, own, live.metadata, client_of(live.metadata))


def _responses_tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    said = {key: value for key, value in tool.items() if value is not None}
    if tool.get("type") == "function":
        # OpenAI: a function of the Responses API is strict unless it says otherwise.
        return {"description": "", "parameters": dict(objects.NO_PARAMETERS), "strict": True, **said}
    if tool.get("type") == "web_search":
        place = {key: value for key, value in said.get("user_location", {}).items() if value is not None}
        return {**said, "user_location": place or {"type": "approximate", "country": PROVIDERS_COUNTRY}}
    if tool.get("type") == "file_search":
        return {"max_num_results": PROVIDERS_PASSAGES, **said}
    return said


def _made_by_hand(column: Column, record: BotRecord) -> str:
    return f"the bot {record.id!r} of {column.manifest.client.number} was made by hand"


def _advice(column: Column) -> str:
    return f"`reconcile adopt {column.id}` takes it over"
