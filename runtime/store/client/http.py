"""The runtime's API as a client of the store: it raises the store's own errors."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from runtime.store.client.light_http import AnswerTooLarge, LightHttp, NoAnswer
from runtime.store.errors import StoreError, StoreRefused, StoreUnreachable, masked

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class StoreApiError(StoreError):
    """The API answered with an error that the caller may translate: `status` and the body's `error` object."""

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
        headers = {"Accept": "application/json", "X-Managed-By": "reconcile"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        try:
            self._http = LightHttp(url, headers=headers, timeout=timeout)
        except ValueError as error:
            raise StoreError(f"The store's address {self._shown!r} cannot be used: {error}.") from error

    def call(self, method: str, path: str, body: object = None, **query: str | int | None) -> Any:
        """The decoded answer of one call; None where it has no body."""
        given = {key: value for key, value in query.items() if value is not None}
        target = path + (f"?{urlencode(given)}" if given else "")
        payload = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        return self._answer(method, target, payload, "application/json")

    def put_content(self, path: str, content: bytes) -> Any:
        """PUT of bytes that are not JSON; the answer like that of `call`."""
        return self._answer("PUT", path, content, "application/octet-stream")

    def _answer(self, method: str, target: str, payload: bytes | None, content_type: str) -> Any:
        try:
            # Every call here is idempotent, so it may be sent over a kept connection.
            answer = self._http.call(method, target, payload, {"Content-Type": content_type} if payload else None)
        except AnswerTooLarge as error:
            raise StoreError(f"The store {self._shown} sent an answer that is not read: {error}.") from error
        except NoAnswer as error:
            raise StoreUnreachable(
                f"The store {self._shown} cannot be reached: {error}; check BOT_STORE_URL and that the runtime is up."
            ) from error
        return self._decoded(answer.status, answer.body)

    def __enter__(self) -> HttpStore:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections that are not in use."""
        self._http.close()

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
            raise StoreRefused(f"The store {self._shown} refused the token: {said} Set API_TOKEN to a valid one.")
        raise StoreApiError(f"The store {self._shown} answered {status}: {said}", status, problem)


def segment(value: str) -> str:
    """A value as one segment of a path."""
    return quote(value, safe="")
