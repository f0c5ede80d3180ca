"""/bots/: which assistant answers on which number."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from runtime.api.client_secrets import missing_secrets
from runtime.api.endpoint import ApiEndpoint, Call, Reply, page_of
from runtime.api.errors import ApiError, not_found
from runtime.api.models import BotCreate, BotDeclaration, BotFields, BotUpdate
from runtime.api.ownership import OVERRIDE_QUERY, PAGE_QUERY, author_of, check_fields
from runtime.engines.live_assistants import LiveAssistants
from runtime.settings import Secrets
from runtime.store import catalog, catalog_changes
from runtime.store.codec import to_document
from runtime.store.database.database import Database
from runtime.store.records import LIVE_PREFIXES, BotRecord, DamagedRecord
from schemas.public_urls import refusal

KIND = "bot"
FREE_FIELDS = frozenset({"name", "instructions", "model", "state", "fallback_message", "policy", "metadata"})
"""What a token that is bound to clients may set."""


@dataclass(frozen=True, slots=True)
class ExaminedBot(BotRecord):
    """A bot, and what is wrong with it."""

    warnings: Sequence[str] = ()
    """Why it may not answer as is meant; empty when nothing is known."""


class Bots:
    """Handlers of /bots/."""

    def __init__(
        self, database: Database, live: LiveAssistants, secrets: Secrets, *, allow_private_endpoints: bool
    ) -> None:
        self._database = database
        self._live = live
        self._secrets = secrets
        self._allow_private_endpoints = allow_private_endpoints

    def endpoints(self) -> list[ApiEndpoint]:
        """The endpoints served."""
        one = "/bots/{id}"
        return [
            ApiEndpoint(
                "GET",
                "/bots/",
                "List bots.",
                self.index,
                answer=list[BotRecord | DamagedRecord],
                query=PAGE_QUERY,
                is_per_client=True,
            ),
            ApiEndpoint("POST", "/bots/", "Create a bot.", self.create, status=201, body=BotCreate, answer=ExaminedBot),
            ApiEndpoint("GET", one, "Get a bot.", self.get, answer=ExaminedBot, is_per_client=True),
            ApiEndpoint(
                "PUT",
                one,
                "Change a bot; fields left out stay. It takes effect with the next message.",
                self.put,
                body=BotUpdate,
                declaration=BotDeclaration,
                answer=ExaminedBot,
                query=OVERRIDE_QUERY | {"replacing": "For `reconcile`: the bot to delete, whose number this one gets."},
                is_per_client=True,
            ),
            ApiEndpoint(
                "DELETE", one, "Delete a bot.", self.delete, status=204, query=OVERRIDE_QUERY, is_per_client=True
            ),
        ]

    async def index(self, call: Call) -> object:
        """GET /bots/"""
        limit, after = page_of(call)
        found = await self._database.read(catalog.list_all, BotRecord, limit, after, call.caller.clients)
        return [to_document(record) for record in found]

    async def get(self, call: Call) -> object:
        """GET /bots/{id}"""
        record = await self._database.read(catalog.get, BotRecord, call.path["id"], call.caller.clients)
        if record is None:
            raise not_found(KIND, call.path["id"])
        return to_document(record) if call.reconciling else await self._examined(record)

    async def create(self, call: Call) -> object:
        """POST /bots/"""
        self._check_endpoints(call.body)
        record = BotRecord(id=f"bot_{secrets.token_hex(12)}", **call.body.model_dump())
        fields = sorted(call.body.model_fields_set)
        return await self._examined(await self._database.write(catalog_changes.create, record, author_of(call), fields))

    async def put(self, call: Call) -> object:
        """PUT /bots/{id}"""
        bot_id = call.path["id"]
        if call.reconciling:
            record = BotRecord(id=bot_id, **call.body.model_dump())
            replacing = call.query.get("replacing")
            stored, existed = await self._database.write(catalog_changes.declare, record, author_of(call), replacing)
            return Reply(200 if existed else 201, to_document(stored))
        check_fields(call, FREE_FIELDS)
        self._check_endpoints(call.body)
        fields = call.body.model_dump(include=call.body.model_fields_set)
        changed = await self._database.write(catalog_changes.change, BotRecord, bot_id, fields, author_of(call))
        return await self._examined(changed)

    async def _examined(self, bot: BotRecord) -> object:
        """The answer about one bot. It is stored whatever the warnings: its assistant may come to exist later."""
        missing = [f"{item.variable} is not set ({item.use})." for item in missing_secrets([bot], self._secrets)]
        return {**to_document(bot), "warnings": [*_of_instructions(bot), *await self._of_assistant(bot), *missing]}

    def _check_endpoints(self, body: BotFields) -> None:
        """Raises ApiError for an endpoint that would never be called."""
        for name, endpoint in body.functions.items():
            refused = refusal(endpoint.url, allow_private=self._allow_private_endpoints)
            if refused is not None:
                field = f"functions.{name}.url"
                raise ApiError(400, "invalid_field", f"{field}: the URL {refused.reason}. {refused.hint}", field=field)

    async def _of_assistant(self, bot: BotRecord) -> Sequence[str]:
        if bot.assistant_id is None or not bot.assistant_id.startswith(LIVE_PREFIXES):
            return ()
        if await self._database.read(catalog.get_assistant, bot.assistant_id) is not None:
            return ()
        is_missing = await self._live.is_missing(bot.assistant_id)
        if is_missing is None:
            return (f"assistant_id: OpenAI could not be asked whether {bot.assistant_id!r} exists; see the log.",)
        if is_missing:
            return (
                f"assistant_id: OpenAI has no assistant {bot.assistant_id!r}, so each user gets the fallback message; "
                "create it, or change the bot's assistant_id.",
            )
        return ()

    async def delete(self, call: Call) -> object:
        """DELETE /bots/{id}"""
        remove = catalog_changes.withdraw if call.reconciling else catalog_changes.delete
        await self._database.write(remove, BotRecord, call.path["id"], author_of(call))
        return None


def _of_instructions(bot: BotRecord) -> Sequence[str]:
    if bot.assistant_id is None or bot.instructions is None:
        return ()
    return (
        f"instructions: the bot's own instructions ({len(bot.instructions)} characters) replace those of the assistant "
        f"{bot.assistant_id!r}, all of them; set instructions to null to use the assistant's.",
    )
