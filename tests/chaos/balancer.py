"""A load balancer in front of the runtimes: each connection goes to one that accepts it, drawn at random.

It passes bytes on and never reads them. A connection that finds no runtime waits briefly; one whose
runtime dies is broken off.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType

CHUNK = 65_536
HOLD_SECONDS = 15.0
"""How long a connection waits for a runtime to come up: as long as Twilio does."""
RETRY_SECONDS = 0.05


class Balancer:
    """Listens on a free port of 127.0.0.1, in a thread of its own, from entering to leaving it."""

    def __init__(self, seed: int) -> None:
        self.ports: Sequence[int] = ()
        """Where the runtimes listen."""
        self.url = ""
        self._dice = random.Random(seed)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="balancer", daemon=True)

    def __enter__(self) -> Balancer:
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._pass_on, "127.0.0.1", 0), self._loop
        ).result()
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _close(self) -> None:
        self._server.close()
        connections = asyncio.all_tasks() - {asyncio.current_task()}
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward: asyncio.StreamWriter | None = None
        try:
            answers, onward = await self._connected()
            # Whichever side ends first ends both.
            await asyncio.wait(
                [asyncio.create_task(_pump(reader, onward)), asyncio.create_task(_pump(answers, writer))],
                return_when=asyncio.FIRST_COMPLETED,
            )
        except ConnectionRefusedError:
            pass  # no runtime is up; the caller sees the connection close
        finally:
            writer.transport.abort()
            if onward is not None:
                onward.transport.abort()

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        deadline = time.monotonic() + HOLD_SECONDS
        while time.monotonic() < deadline:
            for port in self._dice.sample(self.ports, len(self.ports)):
                with suppress(ConnectionError):
                    return await asyncio.open_connection("127.0.0.1", port)
            await asyncio.sleep(RETRY_SECONDS)
        raise ConnectionRefusedError


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        return  # the other side is notified by the end of this task
