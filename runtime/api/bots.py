"""/bots/: which assistant answers on which number."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from runtime.api.endpoint import ApiEndpoint, Call, Reply, page_of
from runtime.api.errors import ApiError, not_found
from runtime.api.models import BotCreate, BotDeclaration, BotUpdate
from runtime.api.ownership import OVERRIDE_QUERY, PAGE_QUERY, check_owner, note_change
from runtime.engines.selection import LIVE_PREFIXES
from runtime.store import catalog
from runtime.store.codec import to_document
from runtime.store.database.database import Database
from runtime.store.records import BotRecord

KIND = "bot"


class Bots:
    """Handlers of /bots/."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def endpoints(self) -> list[ApiEndpoint]:
        """What is served."""
        one = "/bots/{id}"
        return [
            ApiEndpoint("GET", "/bots/", "List bots.", self.index, answer=list[BotRecord], query=PAGE_QUERY),
            ApiEndpoint("POST", "/bots/", "Create a bot.", self.create, status=201, body=BotCreate, answer=BotRecord),
            ApiEndpoint("GET", one, "Get a bot.", self.get, answer=BotRecord),
            ApiEndpoint(
                "PUT",
                one,
                "Change a bot; fields left out stay, and it counts from the next message on.",
                self.put,
                body=BotUpdate,
                declaration=BotDeclaration,
                answer=BotRecord,
                query=OVERRIDE_QUERY,
            ),
            ApiEndpoint("DELETE", one, "Delete a bot.", self.delete, status=204, query=OVERRIDE_QUERY),
        ]

    async def index(self, call: Call) -> object:
        """GET /bots/"""
        return [to_document(record) for record in await self._database.read(catalog.list_bots, *page_of(call))]

    async def get(self, call: Call) -> object:
        """GET /bots/{id}"""
        record = await self._database.read(catalog.get_bot, call.path["id"])
        if record is None:
            raise not_found(KIND, call.path["id"])
        return to_document(record)

    async def create(self, call: Call) -> object:
        """POST /bots/"""
        record = BotRecord(id=f"bot_{secrets.token_hex(12)}", **call.body.model_dump())
        return to_document(await self._database.write(_create, call, record))

    async def put(self, call: Call) -> object:
        """PUT /bots/{id}"""
        return await self._database.write(_declare if call.reconciling else _change, call)

    async def delete(self, call: Call) -> object:
        """DELETE /bots/{id}"""
        await self._database.write(_delete, call)
        return None


def _create(connection: Connection, call: Call, record: BotRecord) -> BotRecord:
    _check_answerable(connection, record)
    note_change(connection, call, KIND, record.id, None, sorted(call.body.model_fields_set))
    return catalog.put_bot(connection, record)


def _declare(connection: Connection, call: Call) -> Reply:
    existed = catalog.get_bot(connection, call.path["id"]) is not None
    stored = catalog.put_bot(connection, BotRecord(id=call.path["id"], **call.body.model_dump()))
    return Reply(200 if existed else 201, to_document(stored))


def _change(connection: Connection, call: Call) -> Mapping[str, Any]:
    old = catalog.get_bot(connection, call.path["id"])
    if old is None:
        raise not_found(KIND, call.path["id"])
    overridden = check_owner(call, KIND, old.id, old.managed_by)
    changed = call.body.model_dump(include=call.body.model_fields_set)
    new = replace(old, **changed)
    _check_answerable(connection, new)
    note_change(connection, call, KIND, old.id, overridden, sorted(changed))
    return to_document(catalog.put_bot(connection, new))


def _delete(connection: Connection, call: Call) -> None:
    old = catalog.get_bot(connection, call.path["id"])
    if old is None:
        raise not_found(KIND, call.path["id"])
    if not call.reconciling:
        note_change(connection, call, KIND, old.id, check_owner(call, KIND, old.id, old.managed_by), [])
    catalog.delete_bot(connection, old.id)


def _check_answerable(connection: Connection, bot: BotRecord) -> None:
    """Somebody has to answer: an assistant that exists, or the bot's own instructions and model."""
    if bot.assistant_id is None:
        for name in ("instructions", "model"):
            if getattr(bot, name) is None:
                raise ApiError(
                    400,
                    "missing_field",
                    f"The field {name} is required for a bot without assistant_id: it answers by itself then.",
                    field=name,
                )
    elif (
        not bot.assistant_id.startswith(tuple(LIVE_PREFIXES))
        and catalog.get_assistant(connection, bot.assistant_id) is None
    ):
        raise ApiError(
            400,
            "invalid_field",
            f"assistant_id: there is no assistant {bot.assistant_id!r}; see GET /assistants/.",
            field="assistant_id",
        )
