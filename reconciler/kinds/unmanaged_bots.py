"""Bots that were made by hand, and the assistants that answer for them, in the shape in which a manifest declares one.

A bot may replace its assistant's instructions and model, leave settings to the provider, or answer by itself. What
counts is the effective values: plans adopt a bot by them, and `reconcile import` writes them down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from reconciler.kinds.assistant.live import NO_PARAMETERS, values_of_object, values_of_record
from reconciler.kinds.bot.live import values_of
from reconciler.kinds.withheld import withhold_foreign
from reconciler.model import Values
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


class AssistantUnavailable(Exception):
    """The assistant of a bot does not exist or cannot be read, so what it answers with is unknown; the text is why."""


@dataclass(frozen=True, slots=True)
class UnmanagedBot:
    """A bot made by hand, and the assistant that answers for it."""

    bot: BotRecord
    engine: Literal["responses", "assistants", "agents"]
    effective: Values
    """In the shape in which `kinds.assistant` declares one: the bot's own instructions and model are folded in."""
    live_id: str | None
    """The assistant that answers; None when the bot answers by itself."""
    own: Values
    """The assistant as it is, nothing folded in; empty when the bot answers by itself."""
    metadata: Mapping[str, str]
    """The assistant's."""
    client: str | None
    """The client that the assistant belongs to already."""

    def withhold_foreign(self) -> None:
        """Raise `Withheld` when another tool has its mark on the bot or its assistant: that is never taken over."""
        withhold_foreign("bot", self.bot.id, self.bot.metadata)
        withhold_foreign("assistant", self.live_id, self.metadata)

    def may_be_taken(self, client: str, store: Store) -> bool:
        """Whether the assistant answers for this bot alone and belongs to nobody else; a shared one is copied."""
        if self.live_id is None or self.client not in (None, client):
            return False
        return store.bots_of_assistant.get(self.live_id, 0) <= 1


def read_unmanaged(
    bot: BotRecord, store: Store, at_provider: Mapping[ObjectEngine, Sequence[LiveAssistant] | Failed]
) -> UnmanagedBot:
    """What a bot answers with. Raises `AssistantUnavailable`."""
    assistant_id = bot.assistant_id
    record = store.assistants.get(assistant_id) if assistant_id else None
    if assistant_id is None or record is not None:
        return answered_by_record(bot, record)
    engine = live_engine_of(assistant_id)
    if engine is None:
        raise AssistantUnavailable(f"its assistant {assistant_id!r} does not exist")
    read = at_provider[engine]
    if isinstance(read, Failed):
        raise AssistantUnavailable(f"its assistant {assistant_id} cannot be read: {read.message}")
    live = next((item for item in read if item.id == assistant_id), None)
    if live is None:
        raise AssistantUnavailable(f"its assistant {assistant_id} does not exist at the provider")
    return _answered_by_object(bot, live)


def engine_of(bot: BotRecord, store: Store) -> Literal["responses", "assistants", "agents"]:
    """The engine that answers for a bot; known by its assistant's id alone, so no provider needs to be asked."""
    named = bot.assistant_id
    return "responses" if named is None or named in store.assistants else live_engine_of(named) or "responses"


def live_engine_of(assistant_id: str) -> ObjectEngine | None:
    """The engine whose API gives out such ids."""
    return next((engine for engine, prefix in OBJECT_PREFIXES.items() if assistant_id.startswith(prefix)), None)


def bot_as_declared(bot: BotRecord, settings: Settings) -> dict[str, Any]:
    """A bot made by hand in the shape in which `kinds.bot` declares one, once its overrides are the assistant's; which
    assistant that is, is left out."""
    sid, token_env = bot.account_sid, bot.auth_token_env or SHARED_TOKEN_ENV
    shared = sid is None or (sid, token_env) == (settings.twilio_account_sid, SHARED_TOKEN_ENV)
    timeout = Endpoint.model_fields["timeout_seconds"].default
    return {
        **values_of(bot),
        "assistant_id": None,
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
            for name, function in bot.functions.items()
        },
    }


def answered_by_record(bot: BotRecord, answering: AssistantRecord | None) -> UnmanagedBot:
    """A bot that is answered by a record, or that answers by itself."""
    own = values_of_record(answering) if answering else {}
    effective = {
        "engine": "responses",
        "name": bot.name,
        "model": bot.model or own.get("model"),
        "instructions": bot.instructions or own.get("instructions"),
        "tools": [_responses_tool(tool) for tool in own.get("tools", ())],
        "settings": own.get("settings", {}),
    }
    if answering is None:
        return UnmanagedBot(bot, "responses", effective, None, {}, {}, None)
    return UnmanagedBot(bot, "responses", effective, answering.id, own, answering.metadata, answering.client)


def _answered_by_object(bot: BotRecord, live: LiveAssistant) -> UnmanagedBot:
    own = values_of_object(live)
    effective = {
        **own,
        "name": bot.name,
        "model": bot.model or own["model"],
        "instructions": bot.instructions or own["instructions"],
    }
    return UnmanagedBot(bot, live.engine, effective, live.id, own, live.metadata, client_of(live.metadata))


def _responses_tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    said = {key: value for key, value in tool.items() if value is not None}
    if tool.get("type") == "function":
        # OpenAI: a function of the Responses API is strict unless it says otherwise.
        return {"description": "", "parameters": dict(NO_PARAMETERS), "strict": True, **said}
    if tool.get("type") == "web_search":
        place = {key: value for key, value in said.get("user_location", {}).items() if value is not None}
        return {**said, "user_location": place or {"type": "approximate", "country": PROVIDERS_COUNTRY}}
    if tool.get("type") == "file_search":
        return {"max_num_results": PROVIDERS_PASSAGES, **said}
    return said
