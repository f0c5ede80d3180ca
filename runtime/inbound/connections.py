"""Bounds what callers can hold without finishing a request: how long, how many connections, how many bytes.

    opened ──► receiving ──whole──► handled ──answered──► idle ──first byte──► receiving …
                   └─ late, crowded or oversized: closed       └─ crowded: closed

aiohttp's server has no deadline for the arrival of a request, so its protocol is wrapped: `web.Server` is a factory of
protocols for `loop.create_server`. A request that has arrived is never interrupted. Where there are too many callers
the one that has waited longest is closed, so Twilio's next webhook, which arrives within milliseconds, finds a place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from socket import socket
from typing import cast

from aiohttp import web
from aiohttp.typedefs import Middleware

from runtime.observability.metrics import DropReason, Metrics
from runtime.observability.tally import Tally

IDLE_SECONDS = 180.0
"""How long a connection is kept without a request: longer than load balancers keep theirs, so that none of them sends a
webhook into a connection that is being closed."""
READ_BYTES = 64 * 1024
"""How much of a body aiohttp buffers for a handler that is not reading, before it stops receiving (at twice this)."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What callers can hold."""

    receive_seconds: float = 15.0
    """Time for a request to arrive, headers and body together; Twilio hangs up after as long."""
    receiving: int = 1_000
    """Number of connections whose request has not arrived."""
    idle: int = 1_000
    """Number of connections without a request."""
    all: int = 8_000
    """Number of all connections. The others are being handled, so none can be closed for a further one."""
    unread_bytes: int = 32 * 1024 * 1024
    """Size of the requests that have not arrived, all together."""
    request_bytes: int = 2 * 1024 * 1024
    """Size of one request on its way, and of what is sent behind one that is being handled."""


class BodyIncomplete(Exception):
    """The caller hung up, or was cut off, before the body had arrived."""


async def whole_body(request: web.Request, limit: int) -> bytes:
    """A request's body; raises BodyIncomplete, and HTTPRequestEntityTooLarge above `limit` bytes."""
    if (request.content_length or 0) > limit:
        raise web.HTTPRequestEntityTooLarge(limit, request.content_length or 0)
    parts: list[bytes] = []
    size = 0
    try:
        while part := await request.content.readany():
            parts.append(part)
            size += len(part)
            if size > limit:
                raise web.HTTPRequestEntityTooLarge(limit, size)
    except (ConnectionError, web.RequestPayloadError, RuntimeError) as error:  # the last: lost before reading began
        # aiohttp keeps the error with the body, and its traceback keeps both until garbage is collected, which is rare.
        error.__traceback__ = None
        raise BodyIncomplete("the body has not arrived in full") from None
    return parts[0] if len(parts) == 1 else b"".join(parts)


class BoundedSite(web.BaseSite):
    """Serves a runner's application on a socket, within the bounds of `connections`."""

    def __init__(self, runner: web.BaseRunner, sock: socket, connections: Connections, backlog: int) -> None:
        super().__init__(runner, backlog=backlog)
        self._sock = sock
        self._connections = connections

    @property
    def name(self) -> str:
        """The address, as aiohttp prints it."""
        host, port = self._sock.getsockname()[:2]
        return f"http://{host}:{port}"

    async def start(self) -> None:
        """Starts listening."""
        await super().start()
        server = self._runner.server
        assert server is not None, "a site is made of a runner that is set up"
        self._server = await asyncio.get_running_loop().create_server(
            lambda: _Connection(self._connections, server()), sock=self._sock, backlog=self._backlog
        )


class _Connection(asyncio.Protocol):
    """One connection: passes everything on to aiohttp's protocol, and tells `Connections` what arrives."""

    __slots__ = ("_all", "inner", "is_answering", "is_whole", "limit", "received", "since", "transport")

    def __init__(self, connections: Connections, inner: asyncio.Protocol) -> None:
        self._all = connections
        self.inner = inner
        self.transport: asyncio.Transport | None = None
        self.received = 0
        """Bytes of the request that is arriving."""
        self.since = 0.0
        """When it began, by the event loop's clock."""
        self.limit: int | None = None
        """Number of bytes that an authorized caller may send with this request; None: the bound of all."""
        self.is_answering = False
        """A handler has the request, whose body may not have arrived."""
        self.is_whole = False
        """The body has."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        if self._all.opened(self):
            self.inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._all.may_receive(self, len(data)):
            self.inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self.inner.eof_received()

    def pause_writing(self) -> None:
        self.inner.pause_writing()

    def resume_writing(self) -> None:
        self.inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if self._all.closed(self):
            self.inner.connection_lost(exc)


class Connections:
    """The connections of a server. Used on the event loop only."""

    def __init__(self, metrics: Metrics, bounds: Bounds = Bounds()) -> None:
        self._metrics = metrics
        self._bounds = bounds
        self._by_protocol: dict[asyncio.BaseProtocol, _Connection] = {}
        # In the order in which they began: the first one has waited longest.
        self._receiving: dict[_Connection, None] = {}
        self._idle: dict[_Connection, None] = {}
        self._unread = 0
        self._timer: asyncio.TimerHandle | None = None
        self._tally = Tally("connections_dropped", hint="callers that do not finish their requests")

    def middleware(self) -> Middleware:
        """The outermost middleware: knows when a request is handled, and when it is answered."""

        @web.middleware
        async def watched(request: web.Request, handler: Handler) -> web.StreamResponse:
            connection = self._by_protocol.get(request.protocol)
            if connection is None:  # lost already
                return await handler(request)
            connection.is_answering = True
            request.content.on_eof(partial(self._arrived, connection))
            try:
                return await handler(request)
            finally:
                connection.is_answering = False
                if connection.is_whole:
                    self._rest(connection)

        return watched

    def allow(self, request: web.Request, size: int) -> None:
        """Lets the caller of a request, which is authorized, send a body of at most `size` bytes. The handler reads it,
        with a time limit of its own."""
        connection = self._by_protocol.get(request.protocol)
        if connection is not None and connection in self._receiving:
            received = connection.received
            self._forget(connection)
            connection.received, connection.limit = received, size + self._bounds.request_bytes

    def opened(self, connection: _Connection) -> bool:
        """A caller has connected; False when it was refused."""
        if len(self._by_protocol) >= self._bounds.all:
            self._drop(connection, "crowded")
            return False
        self._by_protocol[connection.inner] = connection
        self._receive(connection)
        if len(self._receiving) > self._bounds.receiving:
            self._drop(next(iter(self._receiving)), "crowded")
        return True

    def may_receive(self, connection: _Connection, size: int) -> bool:
        """Bytes have arrived; False when the connection was closed for them."""
        if connection in self._idle:
            self._receive(connection)
        connection.received += size
        if connection.received > (connection.limit or self._bounds.request_bytes):
            self._drop(connection, "oversized")
            return False
        if connection in self._receiving:
            self._unread += size
            while self._unread > self._bounds.unread_bytes:
                self._drop(next(iter(self._receiving)), "crowded")
            return connection in self._receiving
        return True

    def closed(self, connection: _Connection) -> bool:
        """The connection is lost; False when it had been refused."""
        self._forget(connection)
        return self._by_protocol.pop(connection.inner, None) is not None

    def _receive(self, connection: _Connection) -> None:
        """Waits for a request from now on."""
        self._idle.pop(connection, None)
        connection.since = asyncio.get_running_loop().time()
        connection.received = 0
        connection.is_whole = False
        self._receiving[connection] = None
        self._watch()

    def _arrived(self, connection: _Connection) -> None:
        """A request has arrived in full. One that was refused before that is answered already."""
        if connection in self._receiving or connection.limit is not None:
            self._forget(connection)
            connection.limit = None
            connection.is_whole = True
            if not connection.is_answering:
                self._rest(connection)

    def _rest(self, connection: _Connection) -> None:
        """Waits for nothing: the next request may begin whenever it likes."""
        connection.is_whole = False
        connection.received = 0
        self._idle[connection] = None
        if len(self._idle) > self._bounds.idle:
            self._drop(next(iter(self._idle)), "crowded")

    def _forget(self, connection: _Connection) -> None:
        self._idle.pop(connection, None)
        if connection in self._receiving:
            del self._receiving[connection]
            self._unread -= connection.received
            connection.received = 0

    def _watch(self) -> None:
        """Sets the timer for the connection that has waited longest."""
        if self._timer is None and self._receiving:
            at = next(iter(self._receiving)).since + self._bounds.receive_seconds
            self._timer = asyncio.get_running_loop().call_at(at, self._close_late)

    def _close_late(self) -> None:
        self._timer = None
        latest = asyncio.get_running_loop().time() - self._bounds.receive_seconds
        while self._receiving and (first := next(iter(self._receiving))).since <= latest:
            self._drop(first, "late")
        self._watch()

    def _drop(self, connection: _Connection, reason: DropReason) -> None:
        was_idle = connection in self._idle
        self._forget(connection)
        self._metrics.connection_dropped(reason)
        self._tally.note(reason=reason)
        if connection.transport is not None:
            # An idle one may still be writing its last answer.
            connection.transport.close() if was_idle else connection.transport.abort()


CONNECTIONS = web.AppKey("connections", Connections)
"""The connections of an application's server."""
