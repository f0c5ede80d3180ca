"""Passes bytes between TCP connections and never reads them, in a thread of its own. What is listened on, and where a
connection leads, is for the balancer and the relays to say."""

from __future__ import annotations

import asyncio
import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeVar

CHUNK = 65_536
BACKLOG = 1_024

T = TypeVar("T")


class Piping(ABC):
    """Listens on a free port of 127.0.0.1 from entering to leaving it. A connection that leads nowhere is broken off,
    and so is one whose other end breaks."""

    def __init__(self, name: str) -> None:
        self.port = 0
        """Where it listens."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._listener: socket.socket | None = None
        self._passing: set[asyncio.Task[None]] = set()

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
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def do(self, step: Coroutine[Any, Any, T]) -> T:
        """Runs it in the thread."""
        return asyncio.run_coroutine_threadsafe(step, self._loop).result()

    async def drop(self) -> None:
        """Listens no longer, and breaks every connection off."""
        if self._listener is not None:
            self._loop.remove_reader(self._listener)
            self._listener.close()
            self._listener = None
        await _cancelled(*self._passing)

    async def listen_on(self, listener: socket.socket) -> None:
        """Accepts connections to a bound socket, until they are dropped."""
        listener.listen(BACKLOG)
        listener.setblocking(False)
        self._listener = listener
        # asyncio's own ways of accepting lose a connection, open, where they are ended in the middle of it.
        self._loop.add_reader(listener, self._accept, listener)

    async def _listen(self) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        await self.listen_on(listener)

    def _accept(self, listener: socket.socket) -> None:
        with suppress(BlockingIOError, ConnectionError):  # the caller has hung up again
            connection, _ = listener.accept()
            connection.setblocking(False)
            passing = self._loop.create_task(self._pass_on(connection))
            self._passing.add(passing)
            passing.add_done_callback(self._passing.discard)
            # Of one that is dropped before it has begun; otherwise it is closed already.
            passing.add_done_callback(lambda _: connection.close())

    async def _pass_on(self, connection: socket.socket) -> None:
        writers: list[asyncio.StreamWriter] = []
        pumps: list[asyncio.Task[None]] = []
        try:
            reader, writer = await asyncio.open_connection(sock=connection)
            writers.append(writer)
            answers, onward = await self.connected()
            writers.append(onward)
            pumps = [asyncio.create_task(_pump(reader, onward)), asyncio.create_task(_pump(answers, writer))]
            # Whichever side ends first ends both.
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        except ConnectionError:
            pass  # the caller sees the connection close
        finally:
            await _cancelled(*pumps)
            for writer in writers:
                await _broken_off(writer)


async def _cancelled(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


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
