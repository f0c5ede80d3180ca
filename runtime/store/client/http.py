"""The runtime's API as a store's client sees it: connections kept between calls, the store's own errors.

Light on purpose: planning starts with it.
"""

from __future__ import annotations

import http.client
import json
import ssl
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from runtime.store.errors import StoreError, StoreRefused, StoreUnreachable, masked

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class StoreApiError(StoreError):
    """The API answered with an error that the caller may know how to read: `status` and the body's `error` object."""

    def __init__(self, message: str, status: int, error: dict[str, Any]) -> None:
        super().__init__(message)
        self.status = status
        self.error = error


class HttpStore:
    """Calls the API at `url` with a bearer token. Thread-safe."""

    def __init__(self, url: str, token: str | None, timeout: float = 10) -> None:
        parts = urlsplit(url)
        self._shown = masked(url)
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            raise StoreError(f"The store {self._shown} would be sent the token unencrypted; use https://.")
        if not parts.hostname:
            raise StoreError(
                f"The store's address {self._shown!r} names no host; it looks like https://whatsapp.example.cl."
            )
        self._secure = parts.scheme == "https"
        self._tls = ssl.create_default_context() if self._secure else None
        self._host, self._port = parts.hostname, parts.port
        self._prefix = parts.path.rstrip("/")
        self._headers = {"Accept": "application/json", "X-Managed-By": "reconcile"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._timeout = timeout
        self._idle: list[http.client.HTTPConnection] = []

    def call(self, method: str, path: str, body: object = None, **query: str | int | None) -> Any:
        """The decoded answer of one call; None where it has no body."""
        given = {key: value for key, value in query.items() if value is not None}
        target = self._prefix + path + (f"?{urlencode(given)}" if given else "")
        payload = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        headers = self._headers | ({"Content-Type": "application/json"} if payload is not None else {})
        try:
            status, text = self._exchange(method, target, payload, headers)
        except (OSError, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
            raise StoreUnreachable(
                f"The store {self._shown} cannot be reached: {reason}; check BOT_STORE_URL and that the runtime is up."
            ) from error
        return self._decoded(status, text)

    def __enter__(self) -> HttpStore:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections that are not in use."""
        while self._idle:
            self._idle.pop().close()

    def _exchange(self, method: str, target: str, payload: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        try:
            kept = self._idle.pop()
        except IndexError:
            return self._exchange_over(self._connection(), method, target, payload, headers)
        try:
            return self._exchange_over(kept, method, target, payload, headers)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            # The server had closed a kept connection. Every call here says the same twice, so it may be repeated.
            return self._exchange_over(self._connection(), method, target, payload, headers)

    def _exchange_over(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        target: str,
        payload: bytes | None,
        headers: dict[str, str],
    ) -> tuple[int, bytes]:
        try:
            connection.request(method, target, body=payload, headers=headers)
            response = connection.getresponse()
            answer = response.status, response.read()
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        return answer

    def _connection(self) -> http.client.HTTPConnection:
        if not self._secure:
            return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)
        return http.client.HTTPSConnection(self._host, self._port, timeout=self._timeout, context=self._tls)

    def _decoded(self, status: int, text: bytes) -> Any:
        if status == 204:
            return None
        try:
            document = json.loads(text)
        except ValueError as error:
            raise StoreError(
                f"The store {self._shown} answered {status} with something other than JSON; "
                "BOT_STORE_URL must be the runtime's own address, without a path."
            ) from error
        if status < 300:
            return document
        problem = document.get("error", {}) if isinstance(document, dict) else {}
        said = str(problem.get("message", "No reason was given."))
        if status in (401, 403):
            raise StoreRefused(f"The store {self._shown} refused the token: {said} Set API_TOKEN to one it knows.")
        raise StoreApiError(f"The store {self._shown} answered {status}: {said}", status, problem)


def segment(value: str) -> str:
    """A value as one segment of a path."""
    return quote(value, safe="")
