"""GET and JSON over HTTP, with retries: the only way in which planning talks to a provider.

A read has no effect, so what fails after the last retry for want of an answer is a `TemporaryError`.
"""

from __future__ import annotations

import functools
import json
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import urllib3
from urllib3.exceptions import HTTPError, InvalidHeader, MaxRetryError, ProtocolError
from urllib3.util import Retry, Timeout

from reconciler.errors import PermanentError, ProviderError, TemporaryError, UnknownOutcome, error_of_status
from runtime.store.codec import share_texts

MAX_BODY = 64 * 1024 * 1024
"""A page larger than this many bytes is not believed."""
LONGEST_WAIT = 60
"""Seconds; a provider that asks for more than this is asked again after as much."""


class Reader:
    """A JSON API that can only be read. Thread-safe; keeps its connections."""

    def __init__(
        self, base_url: str, *, headers: Mapping[str, str], timeout: float, connections: int, retries: int = 4
    ) -> None:
        self.base_url = base_url
        self._pool = urllib3.PoolManager(
            maxsize=connections,
            block=True,
            ssl_context=_tls() if base_url.startswith("https:") else None,
            headers={"Accept": "application/json", "Accept-Encoding": "gzip", **headers},
            timeout=Timeout(connect=min(10.0, timeout), read=timeout),
            retries=_Patient(
                total=retries,
                connect=min(2, retries),
                redirect=0,
                status_forcelist=(429, 500, 502, 503, 504),
                allowed_methods=("GET",),
                backoff_factor=0.25,
                backoff_jitter=0.25,
                backoff_max=8,
                retry_after_max=LONGEST_WAIT,
                raise_on_status=False,
            ),
        )

    def get(self, path: str, query: Mapping[str, str | int] | None = None) -> Any:
        """GET `path` below the base URL, or the absolute URL that an earlier page named. Returns parsed JSON.

        Raises a `ProviderError`.
        """
        url = path if path.startswith("http") else self.base_url + path
        if query:
            url += "?" + urlencode(query)
        where = urlsplit(url).netloc.rpartition("@")[2] + urlsplit(url).path
        try:
            response = self._pool.request("GET", url)
        except MaxRetryError as error:
            raise TemporaryError(f"{where} cannot be reached: {_cause(error)}") from error
        except HTTPError as error:
            raise TemporaryError(f"{where} broke off: {_cause(error)}") from error
        if response.status >= 400:
            raise _refusal(where, response.status, response.data)
        try:
            if len(response.data) > MAX_BODY:
                raise PermanentError(f"{where} answered with more than {MAX_BODY} bytes")
            return json.loads(response.data, object_hook=share_texts)
        except ValueError as error:
            raise PermanentError(f"{where} did not answer with JSON") from error


@functools.cache
def _tls() -> ssl.SSLContext:
    """Made once: without it each connection reads the system's certificates, which takes longer than a request."""
    return ssl.create_default_context()


class _Patient(Retry):
    """Waits as long as the provider asks, in parts of a second as well; as usual when that is unclear."""

    def parse_retry_after(self, retry_after: str) -> float:
        try:
            return max(0.0, float(retry_after))
        except ValueError:
            pass
        try:
            return super().parse_retry_after(retry_after)
        except InvalidHeader:
            return 0.0


def _refusal(where: str, status: int, body: bytes) -> ProviderError:
    # OpenAI's own words for a 401 quote a part of the key.
    said = "it does not accept the credentials" if status == 401 else provider_message(body).rstrip(".")
    text = f"{where} answered {status}" + (f": {said}" if said else "")
    kind = error_of_status(status)
    return TemporaryError(text) if kind is UnknownOutcome else kind(text)


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


def _cause(error: HTTPError) -> str:
    reason = error.reason if isinstance(error, MaxRetryError) and error.reason else error
    # A ProtocolError's own text is that of a tuple; what happened stands first in it.
    text = str(reason.args[0] if isinstance(reason, ProtocolError) and reason.args else reason)
    return text.rsplit(": ", 1)[-1] if ": " in text else text or type(reason).__name__
