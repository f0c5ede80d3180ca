"""HTTP for commands that must start fast: a request, its answer, connections that are kept.

It is based on `http.client`, since importing a larger HTTP library takes longer than all the requests of a plan. A
server is not trusted: an answer has a maximum size, compressed or not, and a time limit from its first byte to its
last, and both are enforced while it is read. No redirect is followed, and only a request over a kept connection that
the server had closed is retried.

NoAnswer            no complete answer came; the text gives the reason, to be used after a colon
├── NotConnected    no connection could be made
└── AnswerTooLarge  it exceeds the maximum size
"""

from __future__ import annotations

import functools
import io
import ssl
import time
import weakref
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, IncompleteRead, RemoteDisconnected
from socket import socket
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlsplit

CONNECT_SECONDS: Final = 10.0
"""Time limit of connecting, where a whole call may take longer."""
MAX_BODY: Final = 64 * 1024 * 1024
"""Maximum size of an answer in bytes, compressed and uncompressed."""
PIECE: Final = 64 * 1024
"""Number of bytes that are read, or uncompressed, at once."""


class NoAnswer(Exception):
    """There was no complete answer."""


class NotConnected(NoAnswer):
    """No connection could be made."""


class AnswerTooLarge(NoAnswer):
    """The answer exceeds the maximum size."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer with any status."""

    status: int
    body: bytes
    retry_after: float | None = None
    """The pause in seconds that the server asks for, if any."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""


class _HttpRequest(NamedTuple):
    """A request, and the deadline of its answer."""

    method: str
    path: str
    body: bytes | None
    headers: Mapping[str, str]
    deadline: float


class LightHttp:
    """The connections to one server. Thread-safe."""

    def __init__(self, base_url: str, *, headers: Mapping[str, str], timeout: float, max_body: int = MAX_BODY) -> None:
        """`timeout`: time limit of one call, in seconds. `max_body`: maximum size of an answer, in bytes. Raises
        `ValueError` for an invalid address.
        """
        parts = urlsplit(base_url)
        self._is_secure = parts.scheme == "https"
        self._host, self._port = parts.hostname or "", parts.port
        self._prefix = parts.path.rstrip("/")
        self._headers = {"Accept-Encoding": "gzip", "User-Agent": "horizonai-reconciler", **headers}
        self._timeout = timeout
        self._max_body = max_body
        self._idle: list[HTTPConnection] = []
        weakref.finalize(self, _close_all, self._idle)

    def call(
        self, method: str, target: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> HttpAnswer:
        """The answer to one request. `target`: a path below the base URL, with its query. Raises `NoAnswer`.

        A request over a kept connection that its server has closed is sent once more, so it must be idempotent.
        """
        path = self._prefix + target
        path = quote(path if path.startswith("/") else f"/{path}", safe="/?#[]@!$&'()*+,;=:%~")
        request = _HttpRequest(
            method, path, body, {**self._headers, **(headers or {})}, time.monotonic() + self._timeout
        )
        try:
            return self._over_kept(request) or self._over(self._connected(), request)
        except TimeoutError as error:
            raise NoAnswer(f"timed out after {self._timeout:g} seconds") from error
        except (OSError, HTTPException, zlib.error) as error:
            raise NoAnswer(_reason(error)) from error

    def close(self) -> None:
        """Close the connections that are not in use."""
        _close_all(self._idle)

    def _over_kept(self, request: _HttpRequest) -> HttpAnswer | None:
        """The answer over a kept connection; None when there is none, or its server has closed it."""
        try:
            return self._over(self._idle.pop(), request)
        except IndexError:
            return None
        except (RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            return None

    def _over(self, connection: HTTPConnection, request: _HttpRequest) -> HttpAnswer:
        try:
            connection.sock.settimeout(_left(request.deadline))
            answers = functools.partial(_TimedResponse, deadline=request.deadline)
            connection.response_class = answers  # type: ignore[assignment]
            connection.request(request.method, request.path, request.body, request.headers)
            with connection.getresponse() as response:
                body = b"".join(_within(self._max_body, _body(response, self._max_body)))
                headers = {name.lower(): value for name, value in response.getheaders()}
                answer = HttpAnswer(response.status, body, retry_after(headers.get("retry-after")), headers)
        except BaseException:
            connection.close()
            raise
        if connection.sock is not None:
            self._idle.append(connection)
        return answer

    def _connected(self) -> HTTPConnection:
        seconds = min(CONNECT_SECONDS, self._timeout)
        connection = (
            HTTPSConnection(self._host, self._port, timeout=seconds, context=_tls())
            if self._is_secure
            else HTTPConnection(self._host, self._port, timeout=seconds)
        )
        try:
            connection.connect()
        except TimeoutError as error:
            connection.close()
            raise NotConnected(f"timed out after {seconds:g} seconds") from error
        except OSError as error:
            connection.close()
            raise NotConnected(_reason(error)) from error
        return connection


class _TimedResponse(HTTPResponse):
    """An answer that is waited for until a deadline, regardless of how often a byte of it comes."""

    def __init__(
        self, sock: socket, debuglevel: int = 0, method: str | None = None, url: str | None = None, *, deadline: float
    ) -> None:
        super().__init__(sock, debuglevel, method, url)
        self.fp = io.BufferedReader(_TimedStream(self.fp.detach(), sock, deadline))


class _TimedStream(io.RawIOBase):
    """A socket's stream, in which each read may take the time left until the deadline."""

    def __init__(self, stream: io.RawIOBase, sock: socket, deadline: float) -> None:
        self._stream = stream
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(_left(self._deadline))
        return self._stream.readinto(buffer)

    def close(self) -> None:
        self._stream.close()
        super().close()


def _left(deadline: float) -> float:
    """Seconds until then. Raises `TimeoutError` when it has passed."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


def _body(response: HTTPResponse, most: int) -> Iterator[bytes]:
    """The body in pieces, uncompressed, never all of it at once."""
    if response.length is not None and response.length > most:
        raise AnswerTooLarge(f"it has more than {most} bytes")
    pieces = _within(most, iter(lambda: response.read(PIECE), b""))
    is_packed = response.getheader("Content-Encoding", "").strip().lower() in ("gzip", "x-gzip")
    yield from _unpacked(pieces) if is_packed else pieces
    if response.length:
        raise IncompleteRead(b"", response.length)


def _within(most: int, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces as they are. Raises `AnswerTooLarge` once they are more than `most` bytes."""
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > most:
            raise AnswerTooLarge(f"it has more than {most} bytes")
        yield piece


def _unpacked(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The uncompressed data of a gzip stream, at most `PIECE` bytes at once. Raises `zlib.error` for anything else."""
    unpack = None
    for packed in pieces:
        rest = packed
        while rest:
            unpack = unpack or zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
            yield unpack.decompress(rest, PIECE)
            rest = unpack.unused_data or unpack.unconsumed_tail
            if unpack.eof:
                unpack = None
    if unpack is not None:
        raise zlib.error("it ends too early")


def retry_after(header: str | None) -> float | None:
    """The pause of a Retry-After in seconds, also where it is a date; None where it cannot be parsed."""
    if header is None:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except ValueError:
        return None


@functools.cache
def _tls() -> ssl.SSLContext:
    """Created once: otherwise each connection reads the system's certificates, which takes longer than a request."""
    return ssl.create_default_context()


def _reason(error: Exception) -> str:
    if isinstance(error, IncompleteRead):
        return "the connection ended in the middle of the answer"
    if isinstance(error, zlib.error):
        return "the answer is compressed and cannot be uncompressed"
    return str(error)[:200] or type(error).__name__


def _close_all(connections: list[HTTPConnection]) -> None:
    while connections:
        connections.pop().close()
