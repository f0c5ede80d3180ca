"""Callers that do not finish their requests: how long, how many, how much."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from runtime.inbound.connections import BodyIncomplete, BoundedSite, Bounds, Connections, whole_body
from runtime.observability.metrics import DropReason, Metrics
from tests.runtime_process import Line, Runtime, inbound_fields, signed_webhook

HEADERS = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
HALF_SENT = {"in the request line": b"POST /", "in the headers": HEADERS, "in the body": HEADERS + b"\r\nBody=Ho"}
WHOLE = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nHola"
LIMIT = 64 * 1024


class Server:
    """A server that answers with the length of the body, within bounds."""

    def __init__(self, metrics: Metrics) -> None:
        self.port = 0
        self._metrics = metrics
        self._writers: list[asyncio.StreamWriter] = []
        self.hold = asyncio.Event()
        """Answers wait for it."""
        self.hold.set()
        self.incomplete = 0

    async def start(self, bounds: Bounds) -> None:
        connections = Connections(self._metrics, bounds)
        app = web.Application(middlewares=[connections.middleware()])
        app.router.add_post("/", self._answer)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        await BoundedSite(self._runner, listener, connections, 128).start()

    def dropped(self, reason: DropReason) -> float:
        value = self._metrics.registry.get_sample_value("horizonai_connections_dropped_total", {"reason": reason})
        assert value is not None
        return value

    async def call(self, content: bytes) -> Caller:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(content)
        await writer.drain()
        self._writers.append(writer)
        return Caller(reader, writer)

    async def stop(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        try:
            body = await whole_body(request, LIMIT)
        except BodyIncomplete:
            self.incomplete += 1
            return web.Response(status=400)
        await self.hold.wait()
        return web.Response(text=f"{len(body)} bytes")


class Caller:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def sends_until_closed(self, content: bytes, times: int) -> int:
        """How many times it could send; `times` when it was not closed."""
        for sent in range(times):
            self.writer.write(content)
            try:
                await self.writer.drain()
            except ConnectionError:
                return sent
        return times

    async def is_closed(self, within: float = 5.0) -> bool:
        """Whether the server closes it."""
        try:
            return await asyncio.wait_for(self._reader.read(1), within) == b""
        except ConnectionError:
            return True
        except TimeoutError:
            return False

    async def status(self) -> int:
        """The status of the next answer, which is read to its end."""
        line = await asyncio.wait_for(self._reader.readline(), 10)
        head = await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), 10)
        length = next(int(each[15:]) for each in head.lower().splitlines() if each.startswith(b"content-length:"))
        await self._reader.readexactly(length)
        return int(line.split()[1])


Serving = Callable[[Bounds], Awaitable[Server]]


@pytest.fixture
async def serving() -> AsyncIterator[Serving]:
    servers: list[Server] = []

    async def start(bounds: Bounds) -> Server:
        server = Server(Metrics())
        servers.append(server)
        await server.start(bounds)
        return server

    yield start
    for server in servers:
        await server.stop()


@pytest.mark.parametrize("where", HALF_SENT)
async def test_a_request_that_does_not_arrive_is_given_up(serving: Serving, where: str) -> None:
    server = await serving(Bounds(receive_seconds=0.3))
    caller = await server.call(HALF_SENT[where])
    assert await caller.is_closed()
    assert server.dropped("late") == 1


async def test_one_that_trickles_in_is_given_up_as_well(serving: Serving) -> None:
    server = await serving(Bounds(receive_seconds=0.5))
    caller = await server.call(HEADERS + b"\r\n")

    async def trickle() -> None:
        while True:
            caller.writer.write(b"a")
            await asyncio.sleep(0.05)

    trickling = asyncio.create_task(trickle())
    assert await caller.is_closed()
    trickling.cancel()
    assert (server.dropped("late"), server.incomplete) == (1, 1)


async def test_so_is_the_second_request_of_a_connection(serving: Serving) -> None:
    server = await serving(Bounds(receive_seconds=0.3))
    caller = await server.call(WHOLE)
    assert await caller.status() == 200
    caller.writer.write(HEADERS)
    assert await caller.is_closed()
    assert server.dropped("late") == 1


async def test_a_request_that_is_being_handled_has_all_the_time_it_needs(serving: Serving) -> None:
    server = await serving(Bounds(receive_seconds=0.2, receiving=1, idle=1))
    server.hold.clear()
    caller = await server.call(WHOLE)
    assert await (await server.call(HEADERS)).is_closed()
    server.hold.set()
    assert await caller.status() == 200


async def test_a_connection_without_a_request_waits_for_the_next(serving: Serving) -> None:
    server = await serving(Bounds(receive_seconds=0.2))
    caller = await server.call(WHOLE)
    assert await caller.status() == 200
    assert await (await server.call(HEADERS)).is_closed()
    caller.writer.write(WHOLE)
    assert await caller.status() == 200


async def test_above_the_bound_the_one_that_waits_longest_makes_room(serving: Serving) -> None:
    server = await serving(Bounds(receiving=3))
    callers = [await server.call(HEADERS) for _ in range(5)]
    assert [await caller.is_closed(0.3) for caller in callers] == [True, True, False, False, False]
    assert server.dropped("crowded") == 2
    assert await (await server.call(WHOLE)).status() == 200


async def test_so_does_the_one_that_is_unused_longest(serving: Serving) -> None:
    server = await serving(Bounds(idle=2))
    callers = []
    for _ in range(3):
        callers.append(await server.call(WHOLE))
        assert await callers[-1].status() == 200
    assert [await caller.is_closed(0.3) for caller in callers] == [True, False, False]


async def test_above_the_bound_of_all_connections_a_new_one_is_refused(serving: Serving) -> None:
    server = await serving(Bounds(all=2))
    server.hold.clear()
    handled = [await server.call(WHOLE) for _ in range(2)]
    assert await (await server.call(WHOLE)).is_closed()
    server.hold.set()
    assert [await caller.status() for caller in handled] == [200, 200]


async def test_bytes_that_wait_are_bounded_over_all_callers(serving: Serving) -> None:
    server = await serving(Bounds(unread_bytes=20_000))
    large = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n" + b"a" * 8_000
    callers = [await server.call(large) for _ in range(4)]
    assert [await caller.is_closed(0.3) for caller in callers] == [True, True, False, False]


async def test_a_request_that_never_ends_is_cut_off(serving: Serving) -> None:
    server = await serving(Bounds(request_bytes=200_000))
    caller = await server.call(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert await caller.sends_until_closed(b"2710\r\n" + b"a" * 10_000 + b"\r\n", 1_000) < 1_000
    assert server.dropped("oversized") == 1


@asynccontextmanager
async def _half_sent(port: int, count: int, content: bytes) -> AsyncIterator[None]:
    opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(count)]
    for _, writer in opened:
        writer.write(content)
    try:
        yield
    finally:
        for _, writer in opened:
            writer.transport.abort()


async def test_a_message_arrives_beside_1500_half_sent_webhooks(runtime: Runtime, line: Callable[..., Line]) -> None:
    body = b"Body=" + b"a" * 60_000
    head = (
        b"POST /webhook/whatsapp HTTP/1.1\r\nHost: x\r\nX-Twilio-Signature: x\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 65000\r\n\r\n"
    )
    number = line().number
    before = _memory(runtime)
    async with _half_sent(runtime.port, 1500, head + body):
        answer = await asyncio.to_thread(signed_webhook, runtime, inbound_fields(number))
        assert answer.status == 200
        assert _memory(runtime) - before < 90 * 1024 * 1024
    events = [entry["event"] for entry in runtime.log()]
    assert "request_failed" not in events
    assert events.count("connections_dropped") <= 2


def _memory(runtime: Runtime) -> int:
    """Bytes of main memory that the process has."""
    status = Path(f"/proc/{runtime.process.pid}/status").read_text()
    return next(int(row.split()[1]) * 1024 for row in status.splitlines() if row.startswith("VmRSS"))
