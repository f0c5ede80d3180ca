"""A server that is nothing but a socket: it sends the bytes it was given, one answer a request."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

import pytest

Serve = Callable[..., str]
"""Serves these answers, one a request, and gives the base URL. An answer is bytes, or pieces that are sent until the
other side hangs up; `None` hangs up instead of answering."""


@pytest.fixture
def serve() -> Iterator[Serve]:
    listeners: list[socket.socket] = []
    connections: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def start(*answers: bytes | Iterable[bytes] | None) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threads.append(threading.Thread(target=_serve, args=(listener, iter(answers), connections)))
        threads[-1].start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}/v1"

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
    for connection in connections:
        with suppress(OSError):  # most have been closed
            connection.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join(10)


def _serve(
    listener: socket.socket, answers: Iterator[bytes | Iterable[bytes] | None], connections: list[socket.socket]
) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection, suppress(BrokenPipeError, ConnectionResetError):
            # A reader keeps its connection: what ends the wait for its next request is the end of the test.
            connections.append(connection)
            while _takes_request(connection):
                answer = next(answers)
                if answer is None:
                    break
                for piece in (answer,) if isinstance(answer, bytes) else answer:
                    connection.sendall(piece)


def _takes_request(connection: socket.socket) -> bool:
    """Read one request, its body included; False when the other side has hung up instead."""
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(65536)
        if not piece:
            return False
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
    missing = int(length[1]) - len(body) if length else 0
    while missing > 0 and (piece := connection.recv(missing)):
        missing -= len(piece)
    return True


def answer(status: str, body: bytes, *headers: str) -> bytes:
    """An HTTP answer as it goes over the wire."""
    return head(status, f"Content-Length: {len(body)}", *headers) + body


def head(status: str, *headers: str) -> bytes:
    """All of an HTTP answer but its body."""
    return "\r\n".join([f"HTTP/1.1 {status}", *headers]).encode() + b"\r\n\r\n"
