"""What a client's own people see: its report, its conversations, who waits for a person; in its name, without costs of
the agency, notes and names of the team. And the report alone, for who has a link to it.

    account of the role `client` ──► /console/own…     everything else of the console is 404 for it
    link ──► /console/report/{link}                    until it expires or is revoked
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from aiohttp import web

from runtime.console.conversations import ConversationPages
from runtime.console.counted_months import CountedMonths, MonthFound
from runtime.console.page import HOME, OWN, Declined, OpenPage, OperatorPage, OperatorVisit, Visit, not_here
from runtime.console.paging import id_of, number_of
from runtime.console.reports import NO_RATE, month_asked_for, report_entry
from runtime.console.site import HEADERS
from runtime.console.timeline import timeline
from runtime.console.words import Sentence
from runtime.reports.money import NoRate
from runtime.reports.month import Month
from runtime.store.audit import record
from runtime.store.console import report_links, search
from runtime.store.console.brand import ClientBrand, brand_of
from runtime.store.console.summaries import read_by_client
from runtime.store.database.database import Database
from runtime.store.messages import threads
from runtime.store.messages.threads import LAST

LINK: Final = f"{HOME}/report/{{link}}"
LISTED: Final = 50
MESSAGES: Final = 60
SEARCHED_CHARACTERS: Final = 100
POLICY: Final = "Content-Security-Policy"
NO_LINK: Final = Sentence("Este enlace venció o ya no sirve. Quien te lo envió puede enviarte otro.")


class OwnPages:
    """Handlers of /console/own and /console/report."""

    def __init__(
        self, database: Database, months: CountedMonths, conversations: ConversationPages, timezone: str
    ) -> None:
        """`conversations`: of the agency, which shows files that users sent."""
        self._database = database
        self._months = months
        self._conversations = conversations
        self._timezone = timezone

    def pages(self) -> list[OperatorPage | OpenPage]:
        """The pages served."""
        one = f"{OWN}/conversations/{{id}}"
        media = self._conversations.media
        return [
            OperatorPage("GET", OWN, self.report, needs="own"),
            OperatorPage("GET", f"{OWN}/waiting", self.waiting, needs="own"),
            OperatorPage("GET", f"{OWN}/conversations", self.index, needs="own"),
            OperatorPage("GET", one, self.thread, needs="own"),
            OperatorPage("GET", f"{one}/media/{{message}}/{{file}}", media, needs="own"),
            OpenPage("GET", LINK, self.linked, has_forms=False),
        ]

    async def report(self, visit: OperatorVisit) -> web.StreamResponse:
        """GET /console/own"""
        client = _client(visit)
        month = month_asked_for(visit, self._timezone)
        found = await self._months.read(client, [client], month)
        if found.figures is not None:
            await self._database.write_unhurried(record, visit.actor, report_entry(found.figures, "read"))
        return await self._page(visit, client, "own_report.html", **_sheet(visit, month, found))

    async def linked(self, visit: Visit) -> web.StreamResponse:
        """GET /console/report/{link}"""
        token = visit.request.match_info["link"]
        link = await self._database.write(report_links.open_link, token, visit.address)
        if link is None:
            raise Declined(404, NO_LINK)
        month = month_asked_for(visit, self._timezone)
        found = await self._months.read(link.client, [link.client], month)
        response = await self._page(visit, link.client, "own_link.html", link=link, **_sheet(visit, month, found))
        response.headers["X-Robots-Tag"] = "noindex"
        return response

    async def waiting(self, visit: OperatorVisit) -> web.StreamResponse:
        """GET /console/own/waiting"""
        client = _client(visit)
        people = await self._database.read_traced(
            threads.listed_by, visit.actor, clients=[client], waiting=True, limit=LISTED
        )
        return await self._page(
            visit, client, "own_waiting.html", people=sorted(people, key=lambda one: one.last_inbound or "")
        )

    async def index(self, visit: OperatorVisit) -> web.StreamResponse:
        """GET /console/own/conversations"""
        client = _client(visit)
        return await self._page(visit, client, "own_conversations.html", thread=None, **await self._list(visit))

    async def thread(self, visit: OperatorVisit) -> web.StreamResponse:
        """GET /console/own/conversations/{id}"""
        client, id_ = _client(visit), id_of(visit)
        summary = await self._database.read(threads.summary_of, id_)
        if summary is None or summary.client != client:
            raise not_here()
        before = visit.query("earlier") or "9999"
        thread = await self._database.read_traced(read_by_client, visit.actor, id_, limit=MESSAGES, before=before)
        if thread is None:
            raise not_here()
        entries = [entry for entry in timeline(thread, self._timezone) if entry.kind in ("day", "message")]
        return await self._page(
            visit,
            client,
            "own_conversations.html",
            thread=thread,
            entries=entries,
            earlier=thread.messages[0].at if len(thread.messages) == MESSAGES else None,
            zone=self._timezone,
            **await self._list(visit),
        )

    async def _list(self, visit: OperatorVisit) -> dict[str, Any]:
        client, after = _client(visit), visit.query("after")
        wanted = visit.query("q").strip()[:SEARCHED_CHARACTERS]
        if wanted:
            found = await self._database.read_traced(search.search, visit.actor, wanted, clients=[client], limit=LISTED)
        else:
            before = number_of(after) if after else LAST
            found = await self._database.read_traced(
                threads.listed_by, visit.actor, clients=[client], before=before, limit=LISTED + 1
            )
        more = found[LISTED - 1].newest if len(found) > LISTED else None
        return {"conversations": found[:LISTED], "after": more, "wanted": wanted}

    async def _page(self, visit: Visit, client: str, template: str, **values: Any) -> web.Response:
        """A page in the client's name, which may load its logo."""
        brand = await self._database.read(brand_of, client)
        logo = safe_logo(brand)
        response = visit.page(template, brand=brand, logo=logo, **values)
        if logo is not None:
            host = urlsplit(logo).netloc
            response.headers[POLICY] = HEADERS[POLICY].replace("img-src 'self'", f"img-src 'self' https://{host}")
        return response


def safe_logo(brand: ClientBrand) -> str | None:
    """A logo's address that a page may load: https, and of a host whose name changes no policy."""
    try:
        parts = urlsplit(brand.logo_url or "")
    except ValueError:
        return None
    is_plain = bool(parts.netloc) and all(letter.isalnum() or letter in ".-:" for letter in parts.netloc)
    return brand.logo_url if parts.scheme == "https" and parts.netloc.isascii() and is_plain else None


def _client(visit: OperatorVisit) -> str:
    """The one client of an account of a client."""
    if visit.clients is None or len(visit.clients) != 1:
        raise not_here()
    return visit.clients[0]


def _sheet(visit: Visit, month: Month, found: MonthFound) -> dict[str, Any]:
    values = {"month": str(month), "months": sorted({*found.months, str(month)}, reverse=True)}
    try:
        return {**values, "report": found.sheet(visit.language), "problem": None}
    except NoRate:
        return {**values, "report": None, "problem": NO_RATE}
