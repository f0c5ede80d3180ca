"""Redirects of a function's endpoint, and the header `Authorization`: what each server on the way receives."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from structlog.testing import capture_logs

from runtime.engines.functions import FunctionCall, Functions
from runtime.engines.person import Person
from runtime.public_http import PrivateAddress, PublicResolver
from runtime.settings import Secrets

NOBODY = Person(None, None, None)
CALL = FunctionCall(
    "crear_reserva", '{"personas": 4}', "call_1", "la-cocina", "conversation_1", "2026-11-28T18:52:00-03:00", NOBODY
)
FOLLOWED = {"follow_redirects": True, "secret_env": "HOOK_SECRET", "authorization_env": "HOOK_AUTHORIZATION"}
SCRIPT = "/macros/s/AKfy/exec"


@dataclass(slots=True)
class Site:
    """A server: what it answers at each path, and what it received."""

    url: str = ""
    answers: dict[str, tuple[int, dict[str, str], str]] = field(default_factory=dict)
    received: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)

    def redirects(self, path: str, location: str, status: int = 302) -> None:
        self.answers[path] = status, {"Location": location}, "<html>Moved</html>"

    def answers_with(self, path: str, text: str) -> None:
        self.answers[path] = 200, {"Content-Type": "application/json"}, text

    async def handle(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.received.append((request.method, request.path_qs, headers, await request.read()))
        status, headers, text = self.answers[request.path]
        return web.Response(status=status, headers=headers, text=text)


@pytest.fixture
async def sites() -> AsyncIterator[tuple[Site, Site]]:
    """The endpoint, and a server at another origin."""
    async with AsyncExitStack() as stack:
        both = Site(), Site()
        for site in both:
            application = web.Application()
            application.router.add_route("*", "/{path:.*}", site.handle)
            server = await stack.enter_async_context(TestServer(application))
            site.url = str(server.make_url("/")).rstrip("/")
        yield both


@pytest.fixture
async def functions(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Functions]:
    monkeypatch.setenv("HOOK_SECRET", "function-secret")
    monkeypatch.setenv("HOOK_AUTHORIZATION", "Bearer clave-1")
    opened = Functions(Secrets(), allow_private=True)
    yield opened
    await opened.close()


async def test_a_script_of_google_is_answered_where_it_redirects_to(
    functions: Functions, sites: tuple[Site, Site]
) -> None:
    script, content = sites
    script.redirects(SCRIPT, f"{content.url}/macros/echo?user_content_key=a%2Fb&lib=c")
    content.answers_with("/macros/echo", '{"codigo": "R-17"}')

    assert await asked(functions, script.url + SCRIPT) == {"codigo": "R-17"}

    ((method, _, headers, body),) = script.received
    assert (method, headers["authorization"]) == ("POST", "Bearer clave-1")
    assert "x-horizonai-signature" in headers
    assert json.loads(body)["arguments"] == {"personas": 4}
    ((method, _, headers, body),) = content.received
    assert (method, body) == ("GET", b"")
    assert {"authorization", "x-horizonai-signature", "content-type"}.isdisjoint(headers)


@pytest.mark.parametrize(("status", "method"), [(301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")])
async def test_a_redirect_to_the_same_host_keeps_the_credentials_and_its_status_decides_the_method(
    functions: Functions, sites: tuple[Site, Site], status: int, method: str
) -> None:
    endpoint, _ = sites
    endpoint.redirects("/reservas", "/v2/reservas", status)
    endpoint.answers_with("/v2/reservas", '"ok"')

    assert await asked(functions, f"{endpoint.url}/reservas") == "ok"

    (_, _, _, sent), (used, _, headers, body) = endpoint.received
    assert (used, headers["authorization"]) == (method, "Bearer clave-1")
    assert body == (sent if method == "POST" else b"")


async def test_credentials_do_not_come_back_with_a_redirect_from_another_host(
    functions: Functions, sites: tuple[Site, Site]
) -> None:
    endpoint, other = sites
    endpoint.redirects("/reservas", f"{other.url}/", 307)
    other.redirects("/", f"{endpoint.url}/borrar", 307)
    endpoint.answers_with("/borrar", '"ok"')

    await asked(functions, f"{endpoint.url}/reservas")

    received = [*other.received, endpoint.received[-1]]
    assert [method for method, *_ in received] == ["POST", "POST"]
    assert all({"authorization", "x-horizonai-signature"}.isdisjoint(headers) for _, _, headers, _ in received)


async def test_redirects_are_bounded(functions: Functions, sites: tuple[Site, Site]) -> None:
    endpoint, _ = sites
    endpoint.redirects("/reservas", "/reservas", 307)

    assert await asked(functions, f"{endpoint.url}/reservas") == {
        "error": "the endpoint's URL redirects more than 5 times"
    }
    assert len(endpoint.received) == 6


@pytest.mark.parametrize(
    "location", ["ftp://127.0.0.1/", "mailto:ana@lacocina.cl", "http://ana:clave@127.0.0.1/", "http://[::1"]
)
async def test_a_redirect_to_what_may_not_be_called_is_an_error(
    functions: Functions, sites: tuple[Site, Site], location: str
) -> None:
    endpoint, _ = sites
    endpoint.redirects("/reservas", location)

    result = await asked(functions, f"{endpoint.url}/reservas")

    assert result["error"].startswith("the endpoint's URL redirects to ")
    assert "clave" not in result["error"]


async def test_no_spelling_of_a_private_address_is_connected_to(sites: tuple[Site, Site]) -> None:
    endpoint, _ = sites
    port = endpoint.url.rpartition(":")[2]
    strict = Functions(Secrets(), allow_private=False)
    for host in ("127.0.0.1", "１２７.0.0.1", "127。0.0.1", "[::ffff:127.0.0.1]", "127.1", "2130706433", "localhost"):
        assert await asked(strict, f"https://{host}:{port}/", secret_env=None, authorization_env=None) == {
            "error": "the endpoint's URL leads to an address that is not a public one"
        }
    await strict.close()
    assert endpoint.received == []


async def test_a_name_that_resolves_to_a_private_address_is_not_connected_to() -> None:
    resolver = PublicResolver()
    with pytest.raises(PrivateAddress, match="not a public one"):
        await resolver.resolve("localhost", 443)
    await resolver.close()


async def test_without_the_key_a_redirect_is_the_answer(functions: Functions, sites: tuple[Site, Site]) -> None:
    endpoint, other = sites
    endpoint.redirects("/reservas", f"{other.url}/")

    result = await asked(functions, f"{endpoint.url}/reservas", follow_redirects=False)

    assert result == {"error": "the endpoint answered with status 302, a redirect that is not followed"}
    assert other.received == []


@pytest.mark.parametrize(
    ("value", "event"),
    [("", "secret_missing"), ("Bearer a\nX-Other: b", "setting_malformed"), ("Bearer ñ", "secret_malformed")],
)
async def test_an_authorization_that_cannot_be_sent_is_logged_by_name_and_the_endpoint_not_called(
    functions: Functions, sites: tuple[Site, Site], monkeypatch: pytest.MonkeyPatch, value: str, event: str
) -> None:
    endpoint, _ = sites
    monkeypatch.setenv("HOOK_AUTHORIZATION", value)
    with capture_logs() as logged:
        result = await asked(functions, f"{endpoint.url}/reservas")

    assert result == {"error": "the endpoint's secret is not configured"}
    assert endpoint.received == []
    (entry,) = [entry for entry in logged if entry["event"] == event]
    assert "HOOK_AUTHORIZATION" in (entry.get("variable"), entry.get("setting"))
    assert "Bearer" not in str(logged)


async def asked(functions: Functions, url: str, **fields: object) -> Any:
    """The result of one call, as the model receives it."""
    return json.loads(await functions.call({"url": url, **FOLLOWED, **fields}, CALL))
