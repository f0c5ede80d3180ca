"""GET and JSON over HTTP, with retries: the only way in which planning talks to a provider.

ReadError              a sentence a person can act on
├── Unauthorized       401, 403: the key or token is wrong
├── NotFound           404
└── Unavailable        no connection, a time-out, or 429 and 5xx to the last retry
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from reconciler.readers.exchange import REDIRECTS, Broken, Exchange
from runtime.store.codec import share_texts

MAX_BODY = 64 * 1024 * 1024
"""A page larger than this many bytes is not believed."""


class ReadError(Exception):
    """A read failed; the text says what was asked and what came back."""


class Unauthorized(ReadError):
    """The provider does not accept the credentials."""


class NotFound(ReadError):
    """The provider knows no such thing."""


class Unavailable(ReadError):
    """The provider could not be reached or would not answer."""


class Reader:
    """A JSON API that can only be read. Thread-safe; keeps its connections."""

    def __init__(self, base_url: str, *, headers: Mapping[str, str], timeout: float, retries: int = 4) -> None:
        self.base_url = base_url
        self._server = urlsplit(base_url).netloc.rpartition("@")[2] + urlsplit(base_url).path
        self._exchange = Exchange(base_url, {"Accept": "application/json", **headers}, timeout, retries)

    def get(self, path: str, query: Mapping[str, str | int] | None = None) -> Any:
        """GET `path` below the base URL. Returns parsed JSON. Raises a `ReadError`."""
        where = self._server + path.partition("?")[0]
        try:
            answer = self._exchange.get(path + ("?" + urlencode(query) if query else ""))
        except Broken as broken:
            raise Unavailable(f"{where} cannot be reached: {broken}") from broken
        if answer.status in REDIRECTS:
            raise Unavailable(f"{where} cannot be reached: too many redirects")
        if answer.status >= 400:
            raise _refusal(where, answer.status, answer.body)
        try:
            if len(answer.body) > MAX_BODY:
                raise ReadError(f"{where} answered with more than {MAX_BODY} bytes")
            return json.loads(answer.body, object_hook=share_texts)
        except ValueError as error:
            raise ReadError(f"{where} did not answer with JSON") from error


def _refusal(where: str, status: int, body: bytes) -> ReadError:
    if status == 401:
        # OpenAI's own words quote a part of the key.
        return Unauthorized(f"{where} answered 401: it does not accept the credentials")
    said = provider_message(body).rstrip(".")
    text = f"{where} answered {status}" + (f": {said}" if said else "")
    if status == 403:
        return Unauthorized(text)
    if status == 404:
        return NotFound(text)
    if status == 429 or status >= 500:
        return Unavailable(text)
    return ReadError(text)


def provider_message(body: bytes) -> str:
    """The human part of a provider's error body, at most 200 characters; "" when it has none that is known.

    OpenAI: `{"error": {"message"}}`; Twilio: `{"message"}`; ours: as OpenAI. Nothing else of a body is shown, since
    it may hold what must not be printed.
    """
    try:
        parsed = json.loads(body)
    except ValueError:
        return ""
    error = parsed.get("error", parsed) if isinstance(parsed, dict) else None
    message = error.get("message") if isinstance(error, dict) else None
    return " ".join(message.split())[:200] if isinstance(message, str) else ""
