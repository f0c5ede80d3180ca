"""The audit, the newest entries first: who read what people wrote, and who changed what. And the tokens of the API."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from runtime.console.page import HOME, OpenPage, OperatorPage, OperatorVisit, not_here, redirect
from runtime.console.paging import clients_of, number_of
from runtime.store import audit_reading, tokens
from runtime.store.audit import Entry, audited
from runtime.store.audit_reading import LAST, AuditFilter
from runtime.store.console import accounts
from runtime.store.database.database import Database

AUDIT: Final = f"{HOME}/audit"
TOKENS: Final = f"{HOME}/tokens"
LISTED: Final = 100


class AuditPages:
    """Handlers of /console/audit and /console/tokens."""

    def __init__(self, database: Database, timezone: str) -> None:
        self._database = database
        self._timezone = timezone

    def pages(self) -> list[OperatorPage | OpenPage]:
        """The pages served."""
        return [
            OperatorPage("GET", AUDIT, self.show, needs="audit"),
            OperatorPage("GET", TOKENS, self.tokens, needs="tokens"),
            OperatorPage("POST", f"{TOKENS}/revoke", self.revoke, needs="tokens"),
        ]

    async def show(self, visit: OperatorVisit) -> web.StreamResponse:
        """GET /console/audit"""
        before, actor = visit.query("before"), visit.query("actor").strip()
        wanted = AuditFilter(clients=clients_of(visit), actor=actor or None)
        found = await self._database.read(
            audit_reading.newest_entries, wanted, limit=LISTED + 1, before=number_of(before) if before else LAST
        )
        return visit.page(
            "audit.html",
            entries=found[:LISTED],
            before=found[LISTED - 1].id if len(found) > LISTED else None,
            client=visit.query("client"),
            actor=actor,
            names=await self._database.read(accounts.names),
            zone=self._timezone,
        )

    async def tokens(self, visit: OperatorVisit) -> web.StreamResponse:
        """GET /console/tokens: the installation's, so for who sees all clients."""
        if visit.clients is not None:
            raise not_here()
        return visit.page("tokens.html", tokens=await self._database.read(tokens.list_tokens))

    async def revoke(self, visit: OperatorVisit) -> web.StreamResponse:
        """POST /console/tokens/revoke"""
        if visit.clients is not None:
            raise not_here()
        name = visit.form.get("name", "")
        known = {one.name for one in await self._database.read(tokens.list_tokens) if one.revoked_at is None}
        if name not in known:
            raise not_here()
        await self._database.write(audited, visit.actor, Entry("revoked", "token", name), tokens.revoke_token, name)
        return redirect(TOKENS)
