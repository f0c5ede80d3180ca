"""/audit/: who read what people wrote, and who changed what."""

from __future__ import annotations

from dataclasses import asdict

from runtime.api.dead_letters import clients_asked_for
from runtime.api.endpoint import ApiEndpoint, Call, moment_of, whole_number
from runtime.store.audit_reading import AuditEntry, AuditFilter, list_entries
from runtime.store.database.database import Database

QUERY = {
    "client": "Only this client's.",
    "since": "Timestamp of the first entry.",
    "until": "Timestamp after the last entry.",
    "actor": "Only what this token, operator or user did.",
    "limit": "Page size, from 1 to 1000; 100 without it.",
    "after": "The last id of the previous page.",
}


class AuditLog:
    """Handler of /audit/."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def endpoints(self) -> list[ApiEndpoint]:
        """The endpoints served."""
        return [
            ApiEndpoint(
                "GET",
                "/audit/",
                "Who read what people wrote and who changed what, when, of which client, and from where; oldest first.",
                self.index,
                answer=list[AuditEntry],
                query=QUERY,
                needs="privacy",
                is_per_client=True,
            )
        ]

    async def index(self, call: Call) -> object:
        """GET /audit/"""
        since, until = (moment_of(call, name) if name in call.query else None for name in ("since", "until"))
        wanted = AuditFilter(clients_asked_for(call), since, until, call.query.get("actor"))
        limit = whole_number(call.query.get("limit", "100"), "limit", 1, 1000)
        after = whole_number(call.query.get("after", "0"), "after")
        entries = await self._database.read(list_entries, wanted, limit=limit, after=after)
        return [asdict(entry) for entry in entries]
