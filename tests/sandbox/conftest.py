"""The real SDKs pointed at the sandbox, and a webhook that a test can script."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from openai import OpenAI
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from tests.sandbox_process import Sandbox

NUMBER = "+15551234567"
USER = "+56912345678"


@pytest.fixture
def openai(sandbox: Sandbox) -> Iterator[OpenAI]:
    """The SDK in strict mode: an answer that does not fit OpenAI's own models fails the test."""
    with OpenAI(
        base_url=sandbox.openai_url,
        api_key=sandbox.api_key,
        max_retries=0,
        _strict_response_validation=True,
    ) as client:
        yield client


class Redirected(TwilioHttpClient):
    """Reaches every Twilio host at one address, path unchanged."""

    def __init__(self, base: str) -> None:
        super().__init__(timeout=20)
        self._base = base

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Response:
        place = urlsplit(url)
        query = f"?{place.query}" if place.query else ""
        return super().request(method, f"{self._base}{place.path}{query}", *args, **kwargs)

    def close(self) -> None:
        if self.session is not None:
            self.session.close()


def twilio_client(sandbox: Sandbox, account_sid: str, auth_token: str) -> tuple[Client, Redirected]:
    http = Redirected(sandbox.twilio_url)
    return Client(account_sid, auth_token, http_client=http), http


@pytest.fixture
def twilio(sandbox: Sandbox) -> Iterator[Client]:
    client, http = twilio_client(sandbox, sandbox.account_sid, sandbox.auth_token)
    yield client
    http.close()


@dataclass(frozen=True)
class Received:
    """One request that reached the webhook."""

    method: str
    path: str
    headers: dict[str, str]
    form: dict[str, str]
    body: str = ""


@dataclass(frozen=True)
class Reply:
    """What the webhook answers."""

    status: int = 200
    body: str = ""
    content_type: str = "text/xml"
    seconds: float = 0.0
    """After which it answers."""


def twiml(*texts: str) -> Reply:
    return Reply(body="<Response>" + "".join(f"<Message>{text}</Message>" for text in texts) + "</Response>")


@dataclass
class Webhook:
    """A server on loopback that keeps what it is sent and answers by path; unscripted paths get an empty TwiML."""

    url: str = ""
    received: "Queue[Received]" = field(default_factory=Queue)
    replies: dict[str, list[Reply]] = field(default_factory=dict)

    def answer(self, path: str, *replies: Reply) -> str:
        """Scripts a path: each reply once, the last one for ever. Gives its URL."""
        self.replies[path] = list(replies)
        return self.url + path

    def next(self, seconds: float = 10.0) -> Received:
        return self.received.get(timeout=seconds)

    def _reply(self, path: str) -> Reply:
        scripted = self.replies.get(path, [])
        if len(scripted) > 1:
            return scripted.pop(0)
        return scripted[0] if scripted else twiml()


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    hook = Webhook()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            form = dict(parse_qsl(body.decode(), keep_blank_values=True))
            hook.received.put(Received(self.command, self.path, dict(self.headers.items()), form, body.decode()))
            reply = hook._reply(urlsplit(self.path).path)
            content = reply.body.encode()
            time.sleep(reply.seconds)
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.content_type)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_PUT(self) -> None:
            self.do_POST()

        def log_message(self, *_: object) -> None:
            """Silent: what was received is in the queue."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    hook.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield hook
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def sender(sandbox: Sandbox, webhook: Webhook) -> dict[str, Any]:
    """A sender that is ONLINE and calls the webhook at /whatsapp."""
    return sandbox.register(
        NUMBER,
        friendly_name="la-cocina",
        profile={"name": "Restaurante La Cocina"},
        webhook={"callback_url": f"{webhook.url}/whatsapp", "status_callback_url": f"{webhook.url}/status"},
    )


def error_of(error: Any) -> dict[str, Any]:
    """The `error` object of an openai SDK exception, as it was on the wire."""
    return dict(json.loads(error.response.text)["error"])
