"""/opt-outs/: who wants no more proactive messages."""

from __future__ import annotations

from dataclasses import asdict

from runtime.api.dead_letters import clients_asked_for
from runtime.api.endpoint import ApiEndpoint, Call, page_of, whole_number
from runtime.store.database.database import Database
from runtime.store.messages import opt_outs
from runtime.store.messages.opt_outs import OptOutRecord

QUERY = {
    "client": "Only this client's.",
    "limit": "Page size, from 1 to 1000.",
    "after": "The last id of the previous page.",
}


class OptOuts:
    """Handler of /opt-outs/."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def endpoints(self) -> list[ApiEndpoint]:
        """The endpoints served."""
        return [
            ApiEndpoint(
                "GET",
                "/opt-outs/",
                "List the users who want no marketing, or no proactive message at all, since when and by what. "
                "Recorded in the audit.",
                self.index,
                answer=list[OptOutRecord],
                needs="messages",
                query=QUERY,
                is_per_client=True,
            )
        ]

    async def index(self, call: Call) -> object:
        """GET /opt-outs/"""
        limit, after = page_of(call)
        records = await self._database.read_traced(
            opt_outs.listed_by,
            call.caller.actor,
            clients=clients_asked_for(call),
            limit=limit or 1000,
            after=whole_number(after or "0", "after"),
        )
        return [asdict(record) for record in records]
