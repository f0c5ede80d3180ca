"""Passes bytes between TCP connections and never reads them, in a thread of its own. What is listened on, and where a
connection leads, is for the balancer and the relays to say."""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeVar

CHUNK = 65_536

T = TypeVar("T")


class Piping(ABC):
    """Listens on a free port of 127.0.0.1 from entering to leaving it. A connection that leads nowhere is broken off,
    and so is one whose other end breaks."""

    def __init__(self, name: str) -> None:
        self.port = 0
        """Where it listens."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._passing: set[asyncio.Task[None]] = set()
        self._closing: set[asyncio.Task[None]] = set()

    @abstractmethod
    async def connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Where a connection leads; raises ConnectionError where it leads nowhere."""

    def __enter__(self) -> Self:
        self._thread.start()
        self.do(self._listen())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.do(self.drop())
        self.do(self._rest())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def do(self, step: Coroutine[Any, Any, T]) -> T:
        """Runs it in the thread."""
        return asyncio.run_coroutine_threadsafe(step, self._loop).result()

    async def drop(self) -> None:
        """Listens no longer, and breaks every connection off."""
        self._server.close()
        passing = list(self._passing)
        for connection in passing:
            connection.cancel()
        await asyncio.gather(*passing, return_exceptions=True)

    async def _rest(self) -> None:
        """Ends what was accepted meanwhile, and waits until every connection is closed."""
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            for connection in self._passing:
                connection.cancel()
            await asyncio.wait(others)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Not a coroutine: the server's own task for one would log that it was cancelled.
        passing = asyncio.ensure_future(self._pass_on(reader, writer))
        self._passing.add(passing)
        passing.add_done_callback(self._passing.discard)
        # Also of one that is dropped before it has begun.
        passing.add_done_callback(lambda _: self._break_off(writer))

    def _break_off(self, writer: asyncio.StreamWriter) -> None:
        closing = asyncio.ensure_future(_broken_off(writer))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward: asyncio.StreamWriter | None = None
        pumps: list[asyncio.Task[None]] = []
        try:
            answers, onward = await self.connected()
            pumps = [asyncio.create_task(_pump(reader, onward)), asyncio.create_task(_pump(answers, writer))]
            # Whichever side ends first ends both.
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        except ConnectionError:
            pass  # the caller sees the connection close
        finally:
            for pump in pumps:
                pump.cancel()
            if onward is not None:
                await _broken_off(onward)


async def _broken_off(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        return  # the other side is notified by the end of this task
