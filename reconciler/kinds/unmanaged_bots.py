"""Bots that were created by hand, and their assistants, in the shape of a manifest's declared values.

A bot may replace its assistant's instructions and model, leave settings to the provider, or have none. What counts is
the effective values: plans adopt a bot by them, and `reconcile import` writes them down.
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
from runtime.store.records import AssistantRecord, BotRecord, endpoint_values
from schemas import Endpoint

PROVIDERS_COUNTRY: Final = "US"
"""OpenAI's default country of a web search."""

PROVIDERS_PASSAGES: Final = 20
"""OpenAI's default number of passages of a search in documents."""


class AssistantUnavailable(Exception):
    """The assistant of a bot does not exist or cannot be read, so its effective values are unknown; the text gives the
    reason."""


@dataclass(frozen=True, slots=True)
class UnmanagedBot:
    """A bot created by hand, and its assistant."""

    bot: BotRecord
    engine: Literal["responses", "assistants", "agents"]
    effective: Values
    """In the shape of `kinds.assistant`: the bot's own instructions and model are merged in."""
    live_id: str | None
    """The assistant's id; None when the bot has none."""
    own: Values
    """The assistant as it is, nothing merged in; empty when the bot has none."""
    metadata: Mapping[str, str]
    """The assistant's."""
    client: str | None
    """The client that the assistant belongs to already."""

    def withhold_foreign(self) -> None:
        """Raise `Withheld` when the bot or its assistant has another tool's marker: such objects are never adopted."""
        withhold_foreign("bot", self.bot.id, self.bot.metadata)
        withhold_foreign("assistant", self.live_id, self.metadata)

    def may_be_taken(self, client: str, store: Store) -> bool:
        """Whether the assistant belongs to this bot alone and to no other client; a shared one is copied."""
        if self.live_id is None or self.client not in (None, client):
            return False
        return store.bots_of_assistant.get(self.live_id, 0) <= 1


def read_unmanaged(
    bot: BotRecord, store: Store, at_provider: Mapping[ObjectEngine, Sequence[LiveAssistant] | Failed]
) -> UnmanagedBot:
    """A bot's effective values. Raises `AssistantUnavailable`."""
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
    """The engine whose API assigns such ids."""
    return next((engine for engine, prefix in OBJECT_PREFIXES.items() if assistant_id.startswith(prefix)), None)


def bot_as_declared(bot: BotRecord, settings: Settings) -> dict[str, Any]:
    """A bot created by hand in the shape of `kinds.bot`, once its overrides are the assistant's; without the
    assistant's id."""
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
            name: endpoint_values(
                function.get("url"),
                function.get("secret_env"),
                float(function.get("timeout_seconds") or timeout),
                function.get("authorization_env"),
                bool(function.get("follow_redirects")),
                function.get("user"),
                bool(function.get("idempotent")),
            )
            for name, function in bot.functions.items()
        },
    }


def answered_by_record(bot: BotRecord, answering: AssistantRecord | None) -> UnmanagedBot:
    """A bot with a record as its assistant, or without an assistant."""
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
        # OpenAI: a function of the Responses API is strict by default.
        return {"description": "", "parameters": dict(NO_PARAMETERS), "strict": True, **said}
    if tool.get("type") == "web_search":
        place = {key: value for key, value in said.get("user_location", {}).items() if value is not None}
        return {**said, "user_location": place or {"type": "approximate", "country": PROVIDERS_COUNTRY}}
    if tool.get("type") == "file_search":
        return {"max_num_results": PROVIDERS_PASSAGES, **said}
    return said
