"""The transport of Twilio's SDK: its own types, over one aiohttp connection pool. Nothing here depends on what is
sent."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from functools import cache
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from twilio.base.exceptions import TwilioException
from twilio.http import AsyncHttpClient
from twilio.http.response import Response
from yarl import URL

TIMEOUT_SECONDS = 15.0
CONNECT_SECONDS = 5.0
CONNECTIONS = 1_000


class TooManyRequests(TwilioException):  # type: ignore[misc]  # the SDK is not typed
    """Twilio's 429 with the headers that the SDK's own exception leaves out."""

    def __init__(self, response: Response) -> None:
        super().__init__("Too many requests", response)
        self.status = 429
        self.headers: Mapping[str, str] = response.headers


class TooLate(Exception):
    """A request was not sent: its time was over."""


class _BodyInTime(aiohttp.BytesPayload):
    """A body that is checked as it is written. A process may be stopped for seconds at any await before that, and
    another one may have sent the same meanwhile; a request without its body is none."""

    def __init__(self, value: bytes, latest: float) -> None:
        super().__init__(value)
        self._latest = latest

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """See BytesPayload. Raises TooLate, of which aiohttp makes a ClientConnectionError."""
        if time.monotonic() > self._latest:
            raise TooLate("it was to be sent by then, and this process was silent meanwhile")
        await super().write_with_length(writer, content_length)


class TwilioHttp(AsyncHttpClient):  # type: ignore[misc]  # the SDK is not typed
    """The SDK's transport: obeys its timeout, and reaches every Twilio host at `base_url` when there is one.

    The SDK's own asynchronous client ignores its timeout and sends JSON bodies as forms (its issues 925 and 932).
    """

    def __init__(self, base_url: str | None) -> None:
        super().__init__(logging.getLogger("runtime.twilio"), True, TIMEOUT_SECONDS)
        self._base_url = base_url
        self._session = aiohttp.ClientSession(
            # aiohttp's own limit of a hundred can be reached in a busy minute.
            connector=aiohttp.TCPConnector(limit=CONNECTIONS),
            timeout=_timeout(TIMEOUT_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def request(
        self,
        method: str,
        url: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the SDK's signature
        allow_redirects: bool = False,
    ) -> Response:
        """See AsyncHttpClient."""
        given = dict(headers or {})
        if auth is not None:
            given["Authorization"] = aiohttp.encode_basic_auth(*auth)
        return await self._answer(
            self._session.request(
                method.upper(),
                self.rewritten(url),
                params={key: str(value) for key, value in params.items()} if params else None,
                data=_encoded(data, given) if data is not None else None,
                headers=given,
                allow_redirects=allow_redirects,
                timeout=_timeout(timeout or TIMEOUT_SECONDS),
            )
        )

    async def post(
        self, url: URL, form: Mapping[str, str | list[str]], headers: Mapping[str, str], latest: float = math.inf
    ) -> Response:
        """Posts a form to a `rewritten` URL; raises TooManyRequests. `latest`: the time, by `time.monotonic`, from
        which on it is not sent any more: aiohttp.ClientConnectionError."""
        # Encoded here, since aiohttp takes longer to detect the body's type than to send it.
        body = _BodyInTime(_form(form), latest)
        return await self._answer(self._session.post(url, data=body, headers=headers, allow_redirects=False))

    async def _answer(self, call: AbstractAsyncContextManager[aiohttp.ClientResponse]) -> Response:
        async with call as response:
            answer = Response(response.status, (await response.read()).decode(errors="replace"), response.headers)
        if answer.status_code == 429:
            raise TooManyRequests(answer)
        return answer

    async def close(self) -> None:
        """Closes the connections."""
        await self._session.close()

    def rewritten(self, url: str) -> str:
        """The address at which one of Twilio's URLs is called."""
        if self._base_url is None:
            return url
        parts = urlsplit(url)
        return self._base_url + parts.path + (f"?{parts.query}" if parts.query else "")


def _encoded(data: Mapping[str, object], headers: Mapping[str, str]) -> bytes:
    """A body encoded by its Content-Type: the SDK passes JSON where it says so, and otherwise forms, some values as
    lists."""
    if headers.get("Content-Type") == "application/json":
        return json.dumps(data).encode()
    return _form({name: value if isinstance(value, (str, list)) else str(value) for name, value in data.items()})


def _form(data: Mapping[str, str | list[str]]) -> bytes:
    # A query is encoded like a form, and yarl does so in a fifth of the time that the standard library takes.
    return URL.build(query=data).raw_query_string.encode()


@cache
def _timeout(seconds: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=seconds, sock_connect=CONNECT_SECONDS)
