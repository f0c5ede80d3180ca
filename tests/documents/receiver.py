"""A server at the other end of a notification, or of a push of metrics: keeps what it gets, and can refuse it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(slots=True)
class Receiver:
    """What arrived, in order."""

    address: str
    """`127.0.0.1:PORT`."""
    status: int = 200
    """What it answers from now on."""
    arrived: list[tuple[str, str, bytes]] = field(default_factory=list)
    """Method, path, body; refused ones included."""

    def url(self, path: str = "secret-of-the-address") -> str:
        """Its address in Apprise's words: JSON by POST."""
        return f"json://{self.address}/{path}"

    @property
    def messages(self) -> list[dict[str, Any]]:
        """Notifications, each with `title`, `message` and `type`."""
        return [json.loads(body) for _, _, body in self.arrived]


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.arrived.append((self.command, self.path, body))
            self.send_response(receiver.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_PUT(self) -> None:
            self.do_POST()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver = Receiver(f"127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
