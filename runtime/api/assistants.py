"""/assistants/: assistants of the engine `responses`."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from runtime.api.endpoint import ApiEndpoint, Call, Reply, page_of
from runtime.api.errors import not_found
from runtime.api.models import AssistantCreate, AssistantDeclaration, AssistantUpdate
from runtime.api.ownership import OVERRIDE_QUERY, PAGE_QUERY, author_of, check_fields
from runtime.store import catalog, catalog_changes
from runtime.store.codec import to_document
from runtime.store.database.database import Database
from runtime.store.records import AssistantRecord, DamagedRecord

KIND = "assistant"
FREE_FIELDS = frozenset({"name", "instructions", "model", "metadata"})
"""What a token that is bound to clients may set."""


class Assistants:
    """Handlers of /assistants/."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def endpoints(self) -> list[ApiEndpoint]:
        """The endpoints served."""
        one = "/assistants/{id}"
        return [
            ApiEndpoint(
                "GET",
                "/assistants/",
                "List assistants.",
                self.index,
                answer=list[AssistantRecord | DamagedRecord],
                query=PAGE_QUERY,
                is_per_client=True,
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
            ApiEndpoint("GET", one, "Get an assistant.", self.get, answer=AssistantRecord, is_per_client=True),
            ApiEndpoint(
                "PUT",
                one,
                "Change an assistant; fields left out stay.",
                self.put,
                body=AssistantUpdate,
                declaration=AssistantDeclaration,
                answer=AssistantRecord,
                query=OVERRIDE_QUERY,
                is_per_client=True,
            ),
            ApiEndpoint(
                "DELETE", one, "Delete an assistant.", self.delete, status=204, query=OVERRIDE_QUERY, is_per_client=True
            ),
        ]

    async def index(self, call: Call) -> object:
        """GET /assistants/"""
        limit, after = page_of(call)
        found = await self._database.read(catalog.list_all, AssistantRecord, limit, after, call.caller.clients)
        return [to_document(one) if isinstance(one, DamagedRecord) else _document(one) for one in found]

    async def get(self, call: Call) -> object:
        """GET /assistants/{id}"""
        record = await self._database.read(catalog.get, AssistantRecord, call.path["id"], call.caller.clients)
        if record is None:
            raise not_found(KIND, call.path["id"])
        return _document(record)

    async def create(self, call: Call) -> object:
        """POST /assistants/"""
        record = AssistantRecord(id=f"assistant_{secrets.token_hex(12)}", **call.body.model_dump())
        fields = sorted(call.body.model_fields_set)
        return _document(await self._database.write(catalog_changes.create, record, author_of(call), fields))

    async def put(self, call: Call) -> object:
        """PUT /assistants/{id}"""
        assistant_id = call.path["id"]
        if call.reconciling:
            record = AssistantRecord(id=assistant_id, **call.body.model_dump())
            stored, existed = await self._database.write(catalog_changes.declare, record, author_of(call))
            return Reply(200 if existed else 201, _document(stored))
        check_fields(call, FREE_FIELDS)
        fields, author = call.body.model_dump(include=call.body.model_fields_set), author_of(call)
        return _document(
            await self._database.write(catalog_changes.change, AssistantRecord, assistant_id, fields, author)
        )

    async def delete(self, call: Call) -> object:
        """DELETE /assistants/{id}"""
        remove = catalog_changes.withdraw if call.reconciling else catalog_changes.delete
        await self._database.write(remove, AssistantRecord, call.path["id"], author_of(call))
        return None


def _document(record: AssistantRecord) -> Mapping[str, Any]:
    return {**to_document(record), "engine": "responses"}
