"""The way of one replica to PostgreSQL, which a run cuts off: its connections are dropped, and new ones refused."""

from __future__ import annotations

import asyncio
import socket
from urllib.parse import urlsplit, urlunsplit

from tests.chaos.piping import Piping


class Relay(Piping):
    """Leads to one server."""

    def __init__(self, database_url: str) -> None:
        super().__init__("relay")
        self._address = urlsplit(database_url)
        self._held: socket.socket | None = None

    @property
    def url(self) -> str:
        """The database's URL by this way."""
        user, at, _ = self._address.netloc.rpartition("@")
        return urlunsplit(self._address._replace(netloc=f"{user}{at}127.0.0.1:{self.port}"))

    async def connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """See Piping."""
        return await asyncio.open_connection(self._address.hostname, self._address.port or 5432)

    def cut(self) -> None:
        """Drops every connection and refuses new ones."""
        self.do(self.drop())
        # A port that is bound and not listened on refuses connections, and stays ours meanwhile.
        self._held = socket.socket()
        self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._held.bind(("127.0.0.1", self.port))

    def restore(self) -> None:
        """Leads there again."""
        assert self._held is not None, "it was cut"
        self.do(self.listen_on(self._held))
