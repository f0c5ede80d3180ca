"""Who has access: people who may sign in, and links to reports, which an administrator makes and revokes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aiohttp import web

from runtime.console.page import HOME, OpenPage, OperatorPage, OperatorVisit, not_here, redirect
from runtime.console.paging import id_of
from runtime.console.words import Sentence
from runtime.store.console import accounts, report_links
from runtime.store.console.report_links import LABEL_CHARACTERS, LONGEST_DAYS, NoReportLink
from runtime.store.database.database import Database
from runtime.store.errors import StoreError
from runtime.store.usage.reporting import ReportReader, read_with

ACCESS: Final = f"{HOME}/access"
LINKS: Final = f"{ACCESS}/links"
DAYS: Final = 30
NOT_MADE: Final = Sentence(
    "Escribe para quién es el enlace y por cuántos días vale, de 1 a %(most)s.", {"most": LONGEST_DAYS}
)


class AccessPages:
    """Handlers of /console/access."""

    def __init__(self, database: Database, public_url: str | None, timezone: str) -> None:
        self._database = database
        self._public_url = public_url
        self._timezone = timezone

    def pages(self) -> list[OperatorPage | OpenPage]:
        """The pages served."""
        return [
            OperatorPage("GET", ACCESS, self.show, needs="links"),
            OperatorPage("POST", LINKS, self.create, needs="links"),
            OperatorPage("POST", f"{LINKS}/{{id}}/revoke", self.revoke, needs="links"),
        ]

    async def show(self, visit: OperatorVisit) -> web.StreamResponse:
        """GET /console/access"""
        if visit.query("client") and not visit.operator.sees(visit.query("client")):
            raise not_here()
        return await self._page(visit)

    async def create(self, visit: OperatorVisit) -> web.StreamResponse:
        """POST /console/access/links: shows the link, this once."""
        client, label = visit.form.get("client", ""), " ".join(visit.form.get("label", "").split())
        if not client or not visit.operator.sees(client):
            raise not_here()
        days = visit.form.get("days", "")
        is_number = days.isascii() and days.isdecimal() and len(days) <= 4
        if not is_number or not 1 <= int(days) <= LONGEST_DAYS or not 1 <= len(label) <= LABEL_CHARACTERS:
            return await self._page(visit, NOT_MADE, status=400)
        try:
            token = await self._database.write(report_links.create, visit.actor, client, label, int(days))
        except StoreError as error:
            raise not_here() from error
        return await self._page(visit, made=f"{self._address(visit)}{HOME}/report/{token}")

    async def revoke(self, visit: OperatorVisit) -> web.StreamResponse:
        """POST /console/access/links/{id}/revoke"""
        link = await self._database.read(report_links.get, id_of(visit))
        if link is None or not visit.operator.sees(link.client):
            raise not_here()
        try:
            await self._database.write(report_links.revoke, visit.actor, link.id)
        except NoReportLink as error:
            raise not_here() from error
        return redirect(ACCESS)

    async def _page(
        self, visit: OperatorVisit, problem: Sentence | None = None, *, made: str | None = None, status: int = 200
    ) -> web.Response:
        everyone = await self._database.read(accounts.list_operators)
        clients = await self._database.read(read_with, ReportReader.clients)
        return visit.page(
            "access.html",
            status,
            people=[one for one in everyone if visit.clients is None or _is_among(one, visit.clients)],
            links=await self._database.read(report_links.list_links, visit.clients),
            clients=[one for one in clients if visit.operator.sees(one)],
            days=DAYS,
            most=LONGEST_DAYS,
            made=made,
            problem=problem,
            zone=self._timezone,
        )

    def _address(self, visit: OperatorVisit) -> str:
        return self._public_url or f"{visit.request.scheme}://{visit.request.host}"


def _is_among(operator: accounts.Operator, clients: Sequence[str]) -> bool:
    """Whether an operator sees only clients that are among these."""
    return operator.clients is not None and set(operator.clients) <= set(clients)
