"""Pages that update themselves: a stream of server-sent events that says what changed, and nothing of it. The page then
gets itself again, by its own route, so that what is read is read as ever: allowed, escaped and in the audit.

    one look a second, while anyone is there ──► `list`, `thread` ──► each stream that it concerns
    a session that ended, or a service that stops ──► the stream ends

A stream holds no query and no lock, and what it has not sent yet is two flags.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog
from aiohttp import web

from runtime.console.page import Declined, OpenPage, OperatorPage, OperatorVisit
from runtime.console.paging import CONVERSATIONS, conversation_of, id_of
from runtime.console.words import Sentence
from runtime.delivery.operators import HumanOperators
from runtime.store.console import news
from runtime.store.console.news import ConversationNews, NewsCursor, NewsRow
from runtime.store.database.database import Database
from runtime.store.errors import StoreError

LOOK_SECONDS: Final = 1.0
QUIET_SECONDS: Final = 15.0
"""After which a stream says that it is still there; proxies end those that say nothing."""
OF_OPERATOR: Final = 6
"""Streams of one operator: as many as a browser opens to a host."""
OF_ALL: Final = 200
TOO_MANY: Final = Sentence("Hay demasiadas páginas abiertas que se actualizan solas. Cierra alguna.")
HEADERS: Final = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
    "X-Content-Type-Options": "nosniff",
}

log = structlog.get_logger("runtime.console")


@dataclass(slots=True, eq=False)
class LiveStream:
    """One page that is open."""

    email: str
    session: str
    clients: Sequence[str] | None
    """The only ones that its operator sees; None: all."""
    conversation: int
    """The one that is shown; 0: none."""
    seen: str | None
    """Its digest when the page was made, until the first look at it."""
    changed: set[str] = field(default_factory=set)
    """`list`, `thread`: what its page was not notified of yet."""
    is_over: bool = False
    _woken: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, *names: str) -> None:
        """Something changed."""
        self.changed.update(names)
        self._woken.set()

    def end(self) -> None:
        """Nothing follows."""
        self.is_over = True
        self._woken.set()

    async def next(self) -> list[str]:
        """What changed, as soon as something did; empty after QUIET_SECONDS, or at the end."""
        try:
            async with asyncio.timeout(QUIET_SECONDS):
                await self._woken.wait()
        except TimeoutError:
            return []
        self._woken.clear()
        names, self.changed = sorted(self.changed), set()
        return names


class Live:
    """The streams of this process, and the one task that looks for all of them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._streams: set[LiveStream] = set()
        self._task: asyncio.Task[None] | None = None
        self._seen: set[tuple[str, int]] = set()
        self._digests: dict[int, str] = {}
        self._is_stopped = False

    def join(self, stream: LiveStream) -> None:
        """Adds a stream. Raises Declined where there are too many, or the service stops."""
        mine = sum(other.email == stream.email for other in self._streams)
        if self._is_stopped or mine >= OF_OPERATOR or len(self._streams) >= OF_ALL:
            raise Declined(429, TOO_MANY)
        self._streams.add(stream)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look())

    def leave(self, stream: LiveStream) -> None:
        """Removes a stream."""
        self._streams.discard(stream)

    async def stop(self) -> None:
        """Ends all streams; none begins any more."""
        self._is_stopped = True
        for stream in self._streams:
            stream.end()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _look(self) -> None:
        """Looks as long as anyone is there."""
        cursor: NewsCursor | None = None
        self._seen.clear()
        self._digests.clear()
        while self._streams:
            try:
                streams = list(self._streams)
                shown = {stream.conversation for stream in streams} - {0}
                found = await self._database.read(news.look, cursor, shown, {stream.session for stream in streams})
            except StoreError as error:
                log.warning("console_news_unread", error=str(error))
            else:
                self._tell(streams, found, is_first=cursor is None)
                cursor = found.cursor
            await asyncio.sleep(LOOK_SECONDS)

    def _tell(self, streams: Sequence[LiveStream], found: ConversationNews, *, is_first: bool) -> None:
        new = self._new(found.rows)
        rows = [] if is_first else new
        clients = {row.client for row in rows}
        moved = {id_ for id_, digest in found.digests.items() if self._digests.get(id_, digest) != digest}
        moved |= self._digests.keys() - found.digests.keys()
        self._digests = dict(found.digests)
        for stream in streams:
            if found.sessions.get(stream.session, ()) != stream.clients:
                stream.end()
                continue
            if rows and (stream.clients is None or None in clients or clients & set(stream.clients)):
                stream.tell("list")
            seen, stream.seen = stream.seen, None
            if stream.conversation in moved or (seen is not None and seen != found.digests.get(stream.conversation)):
                stream.tell("thread", "list")

    def _new(self, rows: Sequence[NewsRow]) -> list[NewsRow]:
        """Those that no look has found before."""
        new = [row for row in rows if (row.table, row.id) not in self._seen]
        self._seen = {(row.table, row.id) for row in rows}
        return new


class LivePages:
    """Handler of /console/conversations/{id}/live."""

    def __init__(self, live: Live, people: HumanOperators) -> None:
        self._live = live
        self._people = people

    def pages(self) -> list[OperatorPage | OpenPage]:
        """The pages served."""
        return [OperatorPage("GET", f"{CONVERSATIONS}/{{id}}/live", self.stream, is_asked_by_person=False)]

    async def stream(self, visit: OperatorVisit) -> web.StreamResponse:
        """GET /console/conversations/{id}/live; 0: of the lists only."""
        shown = (await conversation_of(visit, self._people)).id if id_of(visit) else 0
        seen = visit.query("seen") if shown else None
        stream = LiveStream(visit.operator.email, visit.session or "", visit.clients, shown, seen)
        self._live.join(stream)
        response = web.StreamResponse(headers=HEADERS)
        try:
            await response.prepare(visit.request)
            await response.write(b"retry: 5000\n\n")
            while not stream.is_over:
                names = await stream.next()
                events = "".join(f"event: {name}\ndata: -\n\n" for name in names)
                await response.write(events.encode() or b": still here\n\n")
        except ConnectionError:
            log.debug("console_stream_lost")
        finally:
            self._live.leave(stream)
        return response
