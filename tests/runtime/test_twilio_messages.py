"""A message is sent without the SDK's resource: both must say and see the same (docs/adr/0013)."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from twilio.base.exceptions import TwilioException
from twilio.rest import Client

from runtime.errors import PermanentError, ProviderError, TemporaryError, UnknownOutcome
from runtime.observability.metrics import Metrics
from runtime.resilience.breakers import Breakers
from runtime.store.messages.outbound_content import OutboundContent, OutboundMedia, OutboundTemplate, OutboundText
from runtime.twilio.accounts import Account
from runtime.twilio.client import Twilio
from runtime.twilio.transport import TwilioHttp

ACCOUNT = Account("AC" + "a" * 32, "un-token")
SENDER, RECIPIENT = "whatsapp:+56220000001", "whatsapp:+56912345678"
CALLBACK = "https://example.cl/webhook/whatsapp/status?message=7#rc=2"
TEXT = OutboundText("¿A las 5 & 30? 100 % + IVA = sí\n🎉")
CONTENTS = [
    pytest.param(TEXT, {"body": TEXT.body}, id="text"),
    pytest.param(
        OutboundMedia("https://example.cl/a b.pdf?x=1", "Menú"),
        {"media_url": ["https://example.cl/a b.pdf?x=1"], "body": "Menú"},
        id="media",
    ),
    pytest.param(
        OutboundMedia("https://example.cl/menu.pdf", ""),
        {"media_url": ["https://example.cl/menu.pdf"]},
        id="media without a caption",
    ),
    pytest.param(
        OutboundTemplate("HX" + "b" * 32, "Hola Ana", {"1": "Ana"}),
        {"content_sid": "HX" + "b" * 32, "content_variables": '{"1":"Ana"}'},
        id="template",
    ),
]
ANSWERS = [
    pytest.param(400, '{"code": 63016, "message": "Outside the window", "status": 400}', id="refused"),
    pytest.param(
        400, '{"code": 21656, "message": "Bad variables", "status": 400, "details": {"a": 1}}', id="with details"
    ),
    pytest.param(401, '{"code": 20003, "message": "Authenticate", "status": 401}', id="wrong token"),
    pytest.param(429, '{"code": 63018, "message": "Rate limit", "status": 429}', id="too many"),
    pytest.param(
        422, '{"type": "https://t/1", "title": "Odd", "status": 422, "code": 1, "detail": "Why"}', id="RFC 9457"
    ),
    pytest.param(500, "<html>Sorry</html>", id="a proxy's page"),
    pytest.param(307, "", id="a redirect"),
]


@dataclass
class RecordedRequests:
    """What a server was asked, and what it answers."""

    status: int = 201
    body: str = '{"sid": "SM1", "status": "queued"}'
    requests: list[tuple[str, str, Mapping[str, str], bytes]] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append((request.method, request.raw_path, headers, await request.read()))
        return web.Response(status=self.status, text=self.body, content_type="application/json")


@asynccontextmanager
async def serving(received: RecordedRequests) -> AsyncIterator[tuple[Twilio, Client]]:
    """Our way and the SDK's, to one server."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", received.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    metrics = Metrics()
    ours, http = Twilio(url, metrics, Breakers(5, metrics), 30), TwilioHttp(url)
    try:
        yield ours, Client(ACCOUNT.sid, ACCOUNT.auth_token, http_client=http)
    finally:
        await ours.close()
        await http.close()
        await runner.cleanup()


async def send(
    twilio: Twilio, content: OutboundContent, callback: str | None = None, latest: float = math.inf
) -> tuple[str, str]:
    async with twilio.slot(ACCOUNT, SENDER) as slot:
        sent = await slot.send(recipient=RECIPIENT, content=content, status_callback=callback, latest=latest)
    return sent.sid, sent.status


def pairs(body: bytes) -> list[str]:
    """A form's fields, whose order says nothing."""
    return sorted(body.decode().split("&"))


@pytest.mark.parametrize(("content", "said"), CONTENTS)
@pytest.mark.parametrize("callback", [None, CALLBACK])
async def test_a_message_is_asked_for_as_the_sdk_asks(
    content: OutboundContent, said: dict[str, Any], callback: str | None
) -> None:
    received = RecordedRequests()
    async with serving(received) as (ours, client):
        assert await send(ours, content, callback) == ("SM1", "queued")
        more = {"status_callback": callback} if callback else {}
        message = await client.messages.create_async(from_=SENDER, to=RECIPIENT, **said, **more)
    assert (message.sid, message.status) == ("SM1", "queued")
    one, other = received.requests
    assert one[:3] == other[:3]
    assert pairs(one[3]) == pairs(other[3])


@pytest.mark.parametrize(("status", "body"), ANSWERS)
async def test_a_refusal_is_the_sdk_s_exception(status: int, body: str) -> None:
    async with serving(RecordedRequests(status, body)) as (ours, client):
        with pytest.raises(ProviderError) as raised:
            await send(ours, TEXT)
        with pytest.raises(TwilioException) as its:
            await client.messages.create_async(from_=SENDER, to=RECIPIENT, body="Hola")
    cause = raised.value.__cause__
    facts, same = dict(vars(its.value)), dict(vars(cause)) if cause is not None else {}
    for odd in ("uri", "headers"):  # the SDK's has no host, and of an answer's headers the date may differ
        facts.pop(odd, None), same.pop(odd, None)
    assert (type(cause), str(cause), same) == (type(its.value), str(its.value), facts)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        pytest.param(201, "not JSON", UnknownOutcome, id="not JSON"),
        pytest.param(201, "[]", UnknownOutcome, id="no object"),
        pytest.param(201, "{}", UnknownOutcome, id="no sid"),
        pytest.param(503, "", UnknownOutcome, id="an error that may come after the message was taken"),
        pytest.param(429, "{}", TemporaryError, id="too many"),
        pytest.param(400, '{"code": 63018, "message": "Rate limit"}', TemporaryError, id="a passing refusal"),
        pytest.param(400, '{"code": 21211, "message": "No number"}', PermanentError, id="a refusal"),
    ],
)
async def test_what_is_not_an_accepted_message_says_whether_it_may_have_been_sent(
    status: int, body: str, kind: type[ProviderError]
) -> None:
    async with serving(RecordedRequests(status, body)) as (ours, _):
        with pytest.raises(kind):
            await send(ours, TEXT)


async def test_a_process_that_was_silent_before_it_wrote_a_request_does_not_write_it() -> None:
    received = RecordedRequests()
    async with serving(received) as (ours, _):
        # As when it is stopped between two awaits, while the connection is made.
        asyncio.get_running_loop().call_soon(time.sleep, 0.4)
        with pytest.raises(UnknownOutcome):
            await send(ours, TEXT, latest=time.monotonic() + 0.2)
        assert received.requests == []
        assert await send(ours, TEXT, latest=time.monotonic() + 10) == ("SM1", "queued")
    assert len(received.requests) == 1
