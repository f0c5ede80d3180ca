"""/assistants/: assistants of the engine `responses`."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from runtime.api.endpoint import ApiEndpoint, Call, Reply, page_of
from runtime.api.errors import ApiError, not_found
from runtime.api.models import AssistantCreate, AssistantDeclaration, AssistantUpdate
from runtime.api.ownership import OVERRIDE_QUERY, PAGE_QUERY, check_owner, note_change
from runtime.store import catalog
from runtime.store.codec import to_document
from runtime.store.database.database import Database
from runtime.store.records import AssistantRecord

KIND = "assistant"


class Assistants:
    """Handlers of /assistants/."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def endpoints(self) -> list[ApiEndpoint]:
        """What is served."""
        one = "/assistants/{id}"
        return [
            ApiEndpoint(
                "GET", "/assistants/", "List assistants.", self.index, answer=list[AssistantRecord], query=PAGE_QUERY
            ),
            ApiEndpoint(
                "POST",
                "/assistants/",
                "Create an assistant.",
                self.create,
                status=201,
                body=AssistantCreate,
                answer=AssistantRecord,
            ),
            ApiEndpoint("GET", one, "Get an assistant.", self.get, answer=AssistantRecord),
            ApiEndpoint(
                "PUT",
                one,
                "Change an assistant; fields left out stay.",
                self.put,
                body=AssistantUpdate,
                declaration=AssistantDeclaration,
                answer=AssistantRecord,
                query=OVERRIDE_QUERY,
            ),
            ApiEndpoint("DELETE", one, "Delete an assistant.", self.delete, status=204, query=OVERRIDE_QUERY),
        ]

    async def index(self, call: Call) -> object:
        """GET /assistants/"""
        return [_document(record) for record in await self._database.read(catalog.list_assistants, *page_of(call))]

    async def get(self, call: Call) -> object:
        """GET /assistants/{id}"""
        record = await self._database.read(catalog.get_assistant, call.path["id"])
        if record is None:
            raise not_found(KIND, call.path["id"])
        return _document(record)

    async def create(self, call: Call) -> object:
        """POST /assistants/"""
        record = AssistantRecord(id=f"assistant_{secrets.token_hex(12)}", **call.body.model_dump())
        return _document(await self._database.write(_create, call, record))

    async def put(self, call: Call) -> object:
        """PUT /assistants/{id}"""
        return await self._database.write(_declare if call.reconciling else _change, call)

    async def delete(self, call: Call) -> object:
        """DELETE /assistants/{id}"""
        await self._database.write(_delete, call)
        return None


def _create(connection: Connection, call: Call, record: AssistantRecord) -> AssistantRecord:
    note_change(connection, call, KIND, record.id, None, sorted(call.body.model_fields_set))
    return catalog.put_assistant(connection, record)


def _declare(connection: Connection, call: Call) -> Reply:
    existed = catalog.get_assistant(connection, call.path["id"]) is not None
    stored = catalog.put_assistant(connection, AssistantRecord(id=call.path["id"], **call.body.model_dump()))
    return Reply(200 if existed else 201, _document(stored))


def _change(connection: Connection, call: Call) -> Mapping[str, Any]:
    old = catalog.get_assistant(connection, call.path["id"])
    if old is None:
        raise not_found(KIND, call.path["id"])
    overridden = check_owner(call, KIND, old.id, old.managed_by)
    changed = call.body.model_dump(include=call.body.model_fields_set)
    note_change(connection, call, KIND, old.id, overridden, sorted(changed))
    return _document(catalog.put_assistant(connection, replace(old, **changed)))


def _delete(connection: Connection, call: Call) -> None:
    old = catalog.get_assistant(connection, call.path["id"])
    if old is None:
        raise not_found(KIND, call.path["id"])
    if not call.reconciling:
        overridden = check_owner(call, KIND, old.id, old.managed_by)
        used_by = catalog.bots_of_assistant(connection, old.id)
        if used_by:
            names = ", ".join(used_by[:5])
            raise ApiError(
                409, "in_use", f"The assistant {old.id!r} answers for {names}; give those another one first."
            )
        note_change(connection, call, KIND, old.id, overridden, [])
    catalog.delete_assistant(connection, old.id)


def _document(record: AssistantRecord) -> Mapping[str, Any]:
    return {**to_document(record), "engine": "responses"}
