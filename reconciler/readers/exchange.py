"""GET over connections that are kept, tried again while that makes sense.

It stands on `http.client`: importing a larger HTTP library takes longer than all the requests of a plan.
"""

from __future__ import annotations

import functools
import random
import socket
import ssl
import time
import weakref
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import mktime_tz, parsedate_tz
from http.client import HTTPConnection, HTTPException, HTTPSConnection, IncompleteRead
from itertools import count
from typing import Final
from urllib.parse import quote, urlsplit

LONGEST_WAIT: Final = 60
"""Seconds; a provider that asks for more than this is asked again after as much."""

CONNECT_SECONDS: Final = 10.0
CONNECT_RETRIES: Final = 2
"""Where nobody listens, more tries only make a person wait."""

RETRIED: Final = frozenset({429, 500, 502, 503, 504})
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


class Broken(Exception):
    """No answer came, or not all of it; the text says why."""

    def __init__(self, reason: str, *, is_connected: bool = True) -> None:
        super().__init__(reason)
        self.is_connected = is_connected


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever its status."""

    status: int
    body: bytes
    retry_after: str | None = None
    """The header as it was sent: seconds, or a date."""


class Exchange:
    """The connections to one server. Thread-safe."""

    def __init__(self, base_url: str, headers: Mapping[str, str], timeout: float, retries: int) -> None:
        parts = urlsplit(base_url)
        self._is_secure = parts.scheme == "https"
        self._host, self._port = parts.hostname or "", parts.port
        self._prefix = parts.path
        self._headers = {"Accept-Encoding": "gzip", "User-Agent": "horizonai-reconciler", **headers}
        self._timeout = timeout
        self._retries = retries
        self._idle: list[HTTPConnection] = []
        weakref.finalize(self, _close, self._idle)

    def get(self, target: str) -> Answer:
        """The answer to GET `target`, a path below the base URL and its query. Raises `Broken`.

        An answer that asks for patience is given back when the last try brought no better one.
        """
        target = quote(self._prefix + target, safe="/?#[]@!$&'()*+,;=:%~")
        for tries in count(1):
            try:
                answer = self._once(target)
            except Broken as broken:
                if tries > (self._retries if broken.is_connected else min(self._retries, CONNECT_RETRIES)):
                    raise
                wait = _pause(tries)
            else:
                if answer.status not in RETRIED or tries > self._retries:
                    return answer
                asked = _seconds(answer.retry_after)
                wait = _pause(tries) if asked is None else min(asked, LONGEST_WAIT)
            time.sleep(wait)
        raise AssertionError("counting has no end")

    def _once(self, target: str) -> Answer:
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._connected()
        try:
            connection.request("GET", target, headers=self._headers)
            response = connection.getresponse()
            body = response.read()
            is_packed = response.getheader("Content-Encoding", "").lower() == "gzip"
            answer = Answer(
                response.status,
                zlib.decompress(body, wbits=zlib.MAX_WBITS | 16) if is_packed and body else body,
                response.getheader("Retry-After"),
            )
        except (OSError, HTTPException, zlib.error) as error:
            connection.close()
            raise Broken(self._reason(error)) from error
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
            reason = f"Connection to {self._host} timed out. (connect timeout={seconds})"
            raise Broken(reason, is_connected=False) from error
        except socket.gaierror as error:
            raise Broken(f"Failed to resolve '{self._host}' ({error})", is_connected=False) from error
        except OSError as error:
            connection.close()
            raise Broken(str(error).rsplit(": ", 1)[-1], is_connected=False) from error
        connection.sock.settimeout(self._timeout)
        return connection

    def _reason(self, error: Exception) -> str:
        if isinstance(error, TimeoutError):
            return f"Read timed out. (read timeout={self._timeout})"
        if isinstance(error, IncompleteRead | zlib.error | ssl.SSLError):
            return str(error).rsplit(": ", 1)[-1]
        return "Connection aborted."


def _close(connections: list[HTTPConnection]) -> None:
    for connection in connections:
        connection.close()


@functools.cache
def _tls() -> ssl.SSLContext:
    """Made once, since reading the system's certificates takes longer than a request."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _pause(tries: int) -> float:
    """Seconds before the next try: none before the second, then half a second, twice as long each time."""
    if tries == 1:
        return 0.0
    return min(8.0, 0.25 * 2.0 ** (tries - 1) + random.uniform(0, 0.25))  # noqa: S311 - it only spreads tries


def _seconds(retry_after: str | None) -> float | None:
    """What a Retry-After asks for, in parts of a second as well; None where it says nothing that is known."""
    if retry_after is None:
        return None
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        date = parsedate_tz(retry_after)
    return None if date is None else max(0.0, float(mktime_tz(date)) - time.time())
