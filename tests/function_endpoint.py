"""A client's server behind a function tool: it records what it is sent, and answers as a test sets it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

TOOL = {
    "type": "function",
    "name": "crear_reserva",
    "parameters": {"type": "object", "properties": {"personas": {"type": "integer"}}, "required": ["personas"]},
}
ASK = 'llama a crear_reserva {"personas": 4}'
"""Has the simulated model call the function."""


@dataclass(slots=True)
class Endpoint:
    """A client's server."""

    url: str
    status: int = 200
    statuses: list[int] = field(default_factory=list)
    """Those of the next answers, before `status`."""
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    answer: bytes = b'{"codigo": "R-17"}'
    delay: float = 0.0
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    served = Endpoint("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            served.received.append(({name.lower(): value for name, value in self.headers.items()}, body))
            if served.delay:
                threading.Event().wait(served.delay)
            self.send_response(served.statuses.pop(0) if served.statuses else served.status)
            for name, value in served.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(served.answer)))
            self.end_headers()
            try:
                self.wfile.write(served.answer)
            except ConnectionError:
                return  # the runtime had read enough

        def log_message(self, *_arguments: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.url = f"http://127.0.0.1:{server.server_address[1]}/reservas"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield served
    server.shutdown()
    thread.join()
    server.server_close()
