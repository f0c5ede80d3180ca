"""Fetches a user's file from Twilio: over its API, with the account's credentials, and from where that redirects to,
without them.

    GET api.twilio.com/…/Messages/{sid}/Media/{sid} ──307──► a CDN of Twilio's, for hours ──► at most `limit` bytes

A webhook's parameters are signed, so the URL is Twilio's word; it is checked all the same. Only hosts of Twilio are
called, at public addresses, also after a redirect: a host is resolved once, and the connection is made to the address
that was checked. Nothing that the server says about the file is relied on but that it is there.
"""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp
import structlog
from yarl import URL

from runtime.errors import PermanentError, TemporaryError
from runtime.public_http import NotCalled, Outgoing, PublicHttp
from runtime.resilience.backoff import pause_seconds
from runtime.resilience.http_errors import retry_after_seconds
from runtime.twilio.accounts import Account

FETCH_SECONDS: Final = 20.0
"""Time limit of one attempt, whole."""
PATIENCE_SECONDS: Final = 45.0
"""How long it is attempted."""
LONGEST_PAUSE: Final = 8.0
REDIRECTS: Final = 3
BLOCK: Final = 256 * 1024
CDN_DOMAINS: Final = (".twilio.com", ".twiliocdn.com")
"""Where files are: Twilio names `mms.twiliocdn.com`."""

log = structlog.get_logger("runtime.media")


class TooLarge(PermanentError):
    """The file has more bytes than may be fetched."""


class NotThere(PermanentError):
    """Twilio no longer has the file, or refuses it."""


@dataclass(frozen=True, slots=True)
class TwilioHosts:
    """Which hosts are Twilio's."""

    base_url: str | None
    """The address at which every Twilio host is called instead; then whatever runs on that host is Twilio."""

    def called_at(self, url: str) -> str:
        """The address at which one of Twilio's URLs is called; raises PermanentError for one that is not Twilio's."""
        try:
            given = URL(url)
        except ValueError as error:
            raise PermanentError("The file's URL cannot be read.") from error
        if self.base_url is not None:
            base = URL(self.base_url)
            if given.origin() == base.origin() or _is_api(given):
                return str(base.origin().join(URL(given.raw_path_qs, encoded=True)))
        elif given.scheme == "https" and given.explicit_port is None and _is_api(given):
            return url
        raise PermanentError("The file's URL does not lead to Twilio's API.")

    def is_ours(self, url: URL) -> bool:
        """Whether a redirect to this URL is followed."""
        if self.base_url is not None and url.host == URL(self.base_url).host:
            return True
        return (url.host or "").endswith(CDN_DOMAINS)


class MediaFetcher:
    """Fetches files over one connection pool; close it at the end."""

    def __init__(
        self, base_url: str | None, *, seconds: float = FETCH_SECONDS, patience: float = PATIENCE_SECONDS
    ) -> None:
        """`seconds`: time limit of one attempt; `patience`: how long it is attempted."""
        self._hosts = TwilioHosts(base_url)
        self._seconds = seconds
        self._patience = patience
        self._http = PublicHttp(allow_private=base_url is not None)

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.close()

    async def fetch(self, url: str, account: Account, path: Path, limit: int, deadline: float | None = None) -> int:
        """Writes a file; returns its size in bytes. Fails only for good: TooLarge, NotThere or another
        PermanentError, or TemporaryError once it has been attempted for long. `deadline`: a time of `time.monotonic`
        until which it is attempted at most."""
        failures, last = 0, min(time.monotonic() + self._patience, math.inf if deadline is None else deadline)
        while True:
            try:
                return await self._once(url, account, path, limit)
            except TemporaryError as error:
                failures += 1
                pause = pause_seconds(failures, longest=LONGEST_PAUSE, asked=error.delay)
                if time.monotonic() + pause > last:
                    raise
                log.warning("media_fetch_retried", error=str(error), failures=failures, delay=round(pause, 2))
                await asyncio.sleep(pause)

    async def _once(self, url: str, account: Account, path: Path, limit: int) -> int:
        outgoing = Outgoing(
            self._hosts.called_at(url),
            # A compressed answer could grow without bound.
            headers={"Accept-Encoding": "identity", "User-Agent": "horizonai-whatsapp-bot"},
            credentials={"Authorization": aiohttp.encode_basic_auth(account.sid, account.auth_token)},
            may_follow=self._hosts.is_ours,
        )
        try:
            async with (
                asyncio.timeout(self._seconds),
                self._http.request(outgoing, redirects=REDIRECTS) as response,
            ):
                _check(response, limit)
                return await _written(response, path, limit)
        except TimeoutError as error:
            raise TemporaryError(f"Twilio did not give the file within {self._seconds:g} seconds.") from error
        except NotCalled as refused:
            raise PermanentError(f"The file's URL {refused}.") from refused
        except aiohttp.ClientError as error:
            raise TemporaryError(f"The connection for the file broke ({type(error).__name__}).") from error


def _check(response: aiohttp.ClientResponse, limit: int) -> None:
    """Raises the error of an answer that is not the file."""
    status = response.status
    if status == 429 or status >= 500 or status == 408:
        raise TemporaryError(f"Twilio did not give the file ({status}).", retry_after_seconds(response.headers, 30))
    if status in (401, 403):
        raise NotThere(f"Twilio refuses the file ({status}); check the account's auth token.")
    if status in (404, 410):
        raise NotThere(f"Twilio no longer has the file ({status}).")
    if status != 200:
        raise PermanentError(f"Twilio answered with status {status} instead of the file.")
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise PermanentError("The file came compressed, which was not asked for.")
    if response.content_length is not None and response.content_length > limit:
        raise TooLarge(f"The file has {response.content_length} bytes, more than {limit}.")


async def _written(response: aiohttp.ClientResponse, path: Path, limit: int) -> int:
    """Writes the body while it comes, so that no file is in memory as a whole."""
    size, block = 0, bytearray()
    with path.open("wb") as file:
        async for chunk in response.content.iter_any():
            size += len(chunk)
            if size > limit:
                raise TooLarge(f"The file has more than {limit} bytes.")
            block += chunk
            if len(block) >= BLOCK:
                await asyncio.to_thread(file.write, bytes(block))
                block.clear()
        if block:
            await asyncio.to_thread(file.write, bytes(block))
    return size


def _is_api(url: URL) -> bool:
    """Whether credentials belong there: `api.twilio.com`, or one of its regions such as `api.dublin.ie1.twilio.com`."""
    host = url.host or ""
    return host.startswith("api.") and host.endswith(".twilio.com")
