"""HTTP for URLs that a manifest or a provider names: to public addresses only, at each hop of a redirect.

What is checked is what is called: the URL as the client parsed it, and the addresses that a name resolved to for this
connection, so that a name cannot lead elsewhere between the check and the call.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from schemas.public_urls import is_public, refusal

MAX_REDIRECTS: Final = 5
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_WITH_BODY: Final = (307, 308)
"""Redirects that repeat the method and the body; after the others a POST becomes a GET (Fetch standard, 4.4)."""


class NotCalled(Exception):
    """A request that was not made, or not followed to its end; the text continues a sentence that begins with the
    URL's name: "leads to an address that is not a public one"."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One request."""

    url: str
    method: str = "GET"
    headers: Mapping[str, str] | None = None
    credentials: Mapping[str, str] | None = None
    """Headers that are for this URL's origin alone: once a redirect has left it they are sent no more."""
    body: bytes | None = None
    may_follow: Callable[[URL], bool] | None = None
    """Whether a redirect to this URL is followed; each public one without it."""


class PublicHttp:
    """One connection pool; close it at the end."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        resolver = ThreadedResolver() if allow_private else PublicResolver()
        # No cookies: a cookie that one client's server sets must not be sent to another's. Callers set the time limit.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=resolver, limit=200),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            trust_env=False,
        )

    async def close(self) -> None:
        """Closes the connections."""
        await self._session.close()

    @asynccontextmanager
    async def request(self, outgoing: Outgoing, *, redirects: int = 0) -> AsyncIterator[aiohttp.ClientResponse]:
        """The response, after at most this number of redirects; with none allowed a redirect is the response.

        Raises NotCalled, and aiohttp's ClientError.
        """
        for hop in range(redirects + 1):
            try:
                response = await self._once(outgoing)
            except NotCalled as refused:
                raise NotCalled(f"redirects to a URL that {refused}" if hop else str(refused)) from refused
            async with response:
                following = _following(outgoing, response) if redirects else None
                if following is None:
                    yield response
                    return
            outgoing = following
        raise NotCalled(f"redirects more than {redirects} times")

    async def _once(self, outgoing: Outgoing) -> aiohttp.ClientResponse:
        try:
            url = URL(outgoing.url)
        except ValueError:
            url = URL()
        refused = refusal(str(url), allow_private=self._allow_private)
        if refused is not None:
            raise NotCalled(refused.reason)
        headers = {**(outgoing.headers or {}), **(outgoing.credentials or {})}
        try:
            return await self._session.request(
                outgoing.method, url, data=outgoing.body, headers=headers, allow_redirects=False
            )
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, PrivateAddress):
                raise NotCalled(str(error.os_error)) from error
            raise


class PrivateAddress(OSError):
    """A name that resolves to this machine or its network."""


class PublicResolver(AbstractResolver):
    """Resolves names to public addresses only. The connection is made to exactly the addresses checked here."""

    def __init__(self) -> None:
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """See AbstractResolver; one private address is enough to refuse the name."""
        found = await self._resolver.resolve(host, port, family)
        if not all(is_public(result["host"]) for result in found):
            raise PrivateAddress("leads to an address that is not a public one")
        return found

    async def close(self) -> None:
        """See AbstractResolver."""
        await self._resolver.close()


def _following(outgoing: Outgoing, response: aiohttp.ClientResponse) -> Outgoing | None:
    """The request that a redirect asks for; None for a response that is not one."""
    location = response.headers.get("Location")
    if response.status not in _REDIRECTS or not location:
        return None
    try:
        url = response.url.join(URL(location))
        left = url.origin() != response.url.origin()
    except ValueError as error:
        raise NotCalled("redirects to what is not a URL") from error
    if outgoing.may_follow is not None and not outgoing.may_follow(url):
        raise NotCalled("redirects to a host that is not allowed")
    following = replace(outgoing, url=str(url), credentials=None if left else outgoing.credentials)
    if response.status in _WITH_BODY or outgoing.method in ("GET", "HEAD"):
        return following
    return replace(following, method="GET", body=None, headers=_without_content(outgoing.headers or {}))


def _without_content(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers of a request that has no body any more."""
    return {name: value for name, value in headers.items() if not name.lower().startswith("content-")}
