"""A user's file is fetched from hosts of Twilio, with credentials for its API only, and never more than is allowed."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import socket
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from yarl import URL

from runtime.errors import PermanentError, ProviderError, TemporaryError
from runtime.media.fetching import MediaFetcher, NotThere, TooLarge, TwilioHosts
from runtime.twilio.accounts import Account
from tests.bare_server import Serve, serve

__all__ = ["serve"]
ACCOUNT = Account("AC1", "token-de-prueba")
PATH = "/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n"
Fetch = Callable[..., "asyncio.Future[bytes]"]


@pytest.fixture
async def fetch(tmp_path: Path) -> AsyncIterator[Fetch]:
    """`await fetch(base, path=PATH, limit=…)` gives the bytes of a file."""
    opened: list[MediaFetcher] = []

    async def fetched(base: str, url: str | None = None, limit: int = 1000, patience: float = 0.5) -> bytes:
        fetcher = MediaFetcher(base, seconds=1.0, patience=patience)
        opened.append(fetcher)
        size = await fetcher.fetch(url or base + PATH, ACCOUNT, tmp_path / "file", limit)
        content = (tmp_path / "file").read_bytes()
        assert len(content) == size
        return content

    yield lambda *given, **more: asyncio.ensure_future(fetched(*given, **more))
    for fetcher in opened:
        await fetcher.close()


class Site:
    """A server that notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[web.Request] = []
        self.answer: Callable[[], web.StreamResponse] = lambda: web.Response(body=b"foto")

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        return self.answer()


@pytest.fixture
async def sites() -> AsyncIterator[list[tuple[Site, URL]]]:
    """Two servers on ports of their own, at 127.0.0.1."""
    made = []
    for _ in range(2):
        site = Site()
        app = web.Application()
        app.router.add_get("/{path:.*}", site.handle)
        server = TestServer(app)
        await server.start_server()
        made.append((site, server.make_url("/"), server))
    yield [(site, url) for site, url, _ in made]
    for _, _, server in made:
        await server.close()


def redirecting(place: object) -> Callable[[], web.Response]:
    return lambda: web.Response(status=307, headers={"Location": str(place)})


async def test_credentials_are_for_twilio_s_api_and_not_for_where_it_redirects_to(
    fetch: Fetch, sites: list[tuple[Site, URL]]
) -> None:
    (api, api_url), (cdn, cdn_url) = sites
    api.answer = redirecting(cdn_url / "signed")

    assert await fetch(str(api_url).rstrip("/")) == b"foto"

    assert api.asked[0].headers["Authorization"].startswith("Basic ")
    assert "Authorization" not in cdn.asked[0].headers
    assert cdn.asked[0].headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("host", ["localhost", "[::ffff:127.0.0.1]", "[::1]", "2130706433", "0x7f000001", "127.1"])
async def test_no_redirect_to_another_host_is_followed(fetch: Fetch, sites: list[tuple[Site, URL]], host: str) -> None:
    (api, api_url), (other, other_url) = sites
    api.answer = redirecting(f"http://{host}:{other_url.port}/x")

    with pytest.raises(PermanentError, match="redirects to a host that is not allowed"):
        await fetch(str(api_url).rstrip("/"))

    assert other.asked == []


@pytest.mark.parametrize("place", ["file:///etc/passwd", "gopher://127.0.0.1/x", "http://user:pass@127.0.0.1/"])
async def test_a_redirect_to_what_is_not_a_url_of_a_file_is_not_followed(
    fetch: Fetch, sites: list[tuple[Site, URL]], place: str
) -> None:
    (api, api_url), _ = sites
    api.answer = redirecting(place)
    with pytest.raises(ProviderError):
        await fetch(str(api_url).rstrip("/"))
    assert len(api.asked) == 1


async def test_redirects_are_bounded(fetch: Fetch, sites: list[tuple[Site, URL]]) -> None:
    (api, api_url), _ = sites
    api.answer = redirecting(api_url / "again")
    with pytest.raises(PermanentError, match="redirects more than 3 times"):
        await fetch(str(api_url).rstrip("/"))


@pytest.mark.parametrize("host", ["api.twilio.com", "api.dublin.ie1.twilio.com"])
def test_twilio_s_api_is_called(host: str) -> None:
    assert TwilioHosts(None).called_at(f"https://{host}{PATH}") == f"https://{host}{PATH}"


@pytest.mark.parametrize(
    "url",
    [
        f"http://api.twilio.com{PATH}",
        f"https://api.twilio.com.evil.cl{PATH}",
        f"https://apitwilio.com{PATH}",
        f"https://evil.cl/api.twilio.com{PATH}",
        f"https://api.twilio.com@evil.cl{PATH}",
        f"https://evil.cl#api.twilio.com{PATH}",
        f"https://api.twilio.com:8443{PATH}",
        f"https://mms.twiliocdn.com{PATH}",
        f"https://169.254.169.254{PATH}",
        f"https://[::ffff:169.254.169.254]{PATH}",
        "file:///etc/passwd",
        "https://[",
        "",
    ],
)
def test_nothing_else_gets_the_credentials(url: str) -> None:
    with pytest.raises(PermanentError):
        TwilioHosts(None).called_at(url)


@pytest.mark.parametrize(
    ("url", "followed"),
    [
        ("https://mms.twiliocdn.com/x", True),
        ("https://api.twilio.com/x", True),
        ("https://twiliocdn.com.evil.cl/x", False),
        ("https://eviltwiliocdn.com/x", False),
        ("https://10.0.0.1/x", False),
    ],
)
def test_only_twilio_s_hosts_are_redirected_to(url: str, followed: bool) -> None:
    assert TwilioHosts(None).is_ours(URL(url)) is followed


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses to which a connection is attempted. None is made: they are other people's."""
    addresses: list[str] = []

    async def refuse(addr_infos: list[tuple[object, ...]], **_: object) -> socket.socket:
        addresses.extend(str(address[0]) for *_, address in addr_infos if isinstance(address, tuple))
        raise ConnectionRefusedError

    monkeypatch.setattr("aiohttp.connector.aiohappyeyeballs.start_connection", refuse)
    return addresses


def resolving_to(*addresses: str) -> Callable[..., list[tuple[object, ...]]]:
    """Names that resolve to addresses, to others the next time, and so on; to the last ones for good."""
    left = list(addresses)

    def resolve(_host: str, port: int, *_: object, **__: object) -> list[tuple[object, ...]]:
        return [_entry(address, port) for address in (left.pop(0) if len(left) > 1 else left[0]).split()]

    return resolve


def _entry(address: str, port: int) -> tuple[object, ...]:
    family, rest = (socket.AF_INET6, (0, 0)) if ":" in address else (socket.AF_INET, ())
    return family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port, *rest)


async def fetched_from_twilio(path: Path) -> None:
    fetcher = MediaFetcher(None, seconds=5, patience=0)
    try:
        await fetcher.fetch(f"https://api.twilio.com{PATH}", ACCOUNT, path, 1000)
    finally:
        await fetcher.close()


async def test_a_name_that_leads_elsewhere_after_it_was_checked_is_called_where_it_was_checked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, called: list[str]
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolving_to("8.8.8.8", "127.0.0.1"))
    with pytest.raises(TemporaryError):
        await fetched_from_twilio(tmp_path / "file")
    with pytest.raises(PermanentError, match="leads to an address that is not a public one"):
        await fetched_from_twilio(tmp_path / "file")
    assert called == ["8.8.8.8"]


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.1", "169.254.169.254", "100.64.0.1", "::1", "::ffff:169.254.169.254", "fd00:ec2::254",
     "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "8.8.8.8 127.0.0.1"],
)  # fmt: skip
async def test_a_name_of_twilio_that_leads_into_a_network_of_ours_is_not_called(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, called: list[str], address: str
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolving_to(address))
    with pytest.raises(PermanentError, match="leads to an address that is not a public one"):
        await fetched_from_twilio(tmp_path / "file")
    assert called == []


async def test_an_endless_file_ends_at_the_limit(fetch: Fetch, serve: Serve) -> None:
    chunks = itertools.chain([HEAD + b"Transfer-Encoding: chunked\r\n\r\n"], itertools.repeat(b"4\r\nfoto\r\n"))
    with pytest.raises(TooLarge):
        await fetch(serve(chunks).removesuffix("/v1"))


async def test_a_file_that_says_that_it_is_too_large_is_not_read(fetch: Fetch, serve: Serve) -> None:
    with pytest.raises(TooLarge, match="1001 bytes, more than 1000"):
        await fetch(serve(HEAD + b"Content-Length: 1001\r\n\r\n").removesuffix("/v1"))


async def test_a_file_may_have_as_many_bytes_as_are_allowed(fetch: Fetch, serve: Serve) -> None:
    base = serve(HEAD + b"Content-Length: 1000\r\n\r\n" + b"x" * 1000).removesuffix("/v1")
    assert await fetch(base) == b"x" * 1000


async def test_a_slow_file_is_given_up(fetch: Fetch, serve: Serve) -> None:
    base = serve(HEAD + b"Content-Length: 9\r\n\r\nfo").removesuffix("/v1")
    began = time.monotonic()
    with pytest.raises(TemporaryError, match="within 1 seconds"):
        await fetch(base)
    assert time.monotonic() - began < 5


async def test_a_compressed_answer_is_not_unpacked(fetch: Fetch, serve: Serve) -> None:
    bomb = gzip.compress(bytes(1000))
    head = HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    with pytest.raises(PermanentError, match="compressed"):
        await fetch(serve(head + bomb).removesuffix("/v1"))


async def test_a_passing_failure_is_tried_again(fetch: Fetch, serve: Serve) -> None:
    busy = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
    whole = HEAD + b"Content-Length: 4\r\n\r\nfoto"
    base = serve(busy, whole).removesuffix("/v1")
    assert await fetch(base, patience=10) == b"foto"
    with pytest.raises(TemporaryError, match="503"):
        await fetch(serve(busy).removesuffix("/v1"), patience=0)


@pytest.mark.parametrize(("status", "said"), [(404, "no longer has the file"), (401, "check the account's auth token")])
async def test_what_twilio_does_not_have_is_not_asked_for_again(
    fetch: Fetch, serve: Serve, status: int, said: str
) -> None:
    base = serve(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % status).removesuffix("/v1")
    with pytest.raises(NotThere, match=said):
        await fetch(base, patience=10)


async def test_a_turn_that_is_nearly_over_does_not_wait_for_another_attempt(tmp_path: Path, serve: Serve) -> None:
    base = serve(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n").removesuffix("/v1")
    fetcher = MediaFetcher(base)
    with pytest.raises(TemporaryError, match="503"):
        await fetcher.fetch(base + PATH, ACCOUNT, tmp_path / "file", 10, deadline=time.monotonic())
    await fetcher.close()
