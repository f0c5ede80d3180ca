"""The only entrance to a stand-in: authentication, faults, the answer, and the record of the call.

Every call of a provider's API passes here. It never knows what an endpoint does.
"""

import asyncio
import json
import math
import time
from base64 import b64decode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from aiohttp import web

from sandbox.body_faults import with_fault
from sandbox.errors import ProviderRefusal
from sandbox.faults import BODY_KINDS, CALL_KINDS, Rule
from sandbox.ledger import body_fields
from sandbox.metering import collecting
from sandbox.state import State
from sandbox.storage import Json

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_FAULTS = CALL_KINDS + BODY_KINDS
_READS_BY_POST = ("/search", "/input_tokens", "/filter")
NOTED: web.RequestKey[Json] = web.RequestKey("noted", dict)
"""What an endpoint adds to the record of the call, for bodies of which the ledger keeps only a digest."""


class StandIn(Protocol):
    """What differs between the stand-ins in the middleware."""

    name: str

    def authenticate(self, request: web.Request) -> None:
        """Raises ProviderRefusal unless the credentials are right."""

    def fault(self, status: int, retry_after: float | None) -> ProviderRefusal:
        """The provider's own answer for a failure of its own."""

    def no_such_path(self, method: str, path: str) -> ProviderRefusal: ...

    def headers(self, started: float) -> dict[str, str]:
        """What the provider adds to every answer."""

    def without_items(self, answer: Json) -> Json:
        """A list's answer that lost its items on the way, paging intact."""


def answer(body: object, status: int = 200) -> web.Response:
    return web.Response(body=json.dumps(body).encode(), status=status, content_type="application/json")


def refusal(error: ProviderRefusal) -> web.Response:
    """A refusal as an answer; in words where the provider says it in words."""
    if error.text is not None:
        return web.Response(text=error.text, status=error.status)
    return answer(error.body, error.status)


def basic_auth(request: web.Request) -> tuple[str, str]:
    """User and password of HTTP Basic authentication, empty when there is none."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        user, _, password = b64decode(token).decode().partition(":")
    except ValueError:
        return "", ""
    return user, password


@dataclass(slots=True)
class _ProviderCall:
    """One call on its way through the middleware."""

    state: State
    provider: StandIn
    request: web.Request
    body: bytes
    started: float = field(default_factory=time.monotonic)
    applied: list[str] = field(default_factory=list)
    used: list[Json] = field(default_factory=list)

    def record(self, status: int | None) -> None:
        request = self.request
        self.state.ledger.append(
            "call",
            self.provider.name,
            method=request.method,
            path=request.path,
            query=request.query_string,
            status=status,
            write=request.method != "GET" and not request.path.endswith(_READS_BY_POST),
            seconds=round(time.monotonic() - self.started, 4),
            **({"faults": self.applied} if self.applied else {}),
            **({"used": self.used} if self.used else {}),
            **request.get(NOTED, {}),
            **body_fields(self.body, request.content_type),
        )

    async def hang_up(self, rule: Rule, default: float) -> web.StreamResponse:
        await asyncio.sleep(rule.hold(default))
        if (transport := self.request.transport) is not None:
            transport.abort()
        return web.Response(status=499)

    async def run(self, handler: Handler) -> web.StreamResponse:
        answer_faults = []
        try:
            self.provider.authenticate(self.request)
            place = (self.provider.name, self.request.method, self.request.path)
            for rule in self.state.faults.matching(*place, _FAULTS, self.body):
                self.applied.append(rule.kind)
                if rule.kind == "latency":
                    await rule.delay()
                elif rule.kind in ("status", "retry_after"):
                    raise _own_failure(self.provider, rule)
                elif rule.kind == "redirect":
                    self.record(307)
                    return web.Response(status=307, headers={"Location": rule.url})
                elif rule.kind in ("timeout_before_write", "drop_connection"):
                    self.record(None)
                    return await self.hang_up(rule, 30.0 if rule.kind == "timeout_before_write" else 0.0)
                else:
                    answer_faults.append(rule)
            response = await self.answered_by(handler)
        except ProviderRefusal as error:
            response = refusal(error)
            response.headers.update(error.headers)
        lost = next((rule for rule in answer_faults if rule.kind == "timeout_after_write"), None)
        if lost is not None:
            self.record(None)
            return await self.hang_up(lost, 30.0)
        response.headers.update(self.provider.headers(self.started))
        self.record(response.status)
        for rule in answer_faults:
            response = await self.apply_fault(rule, response)
        return response

    async def answered_by(self, handler: Handler) -> web.StreamResponse:
        try:
            with collecting(self.used):
                return await handler(self.request)
        except (web.HTTPNotFound, web.HTTPMethodNotAllowed):
            raise self.provider.no_such_path(self.request.method, self.request.path) from None
        except ProviderRefusal:
            raise
        except Exception:
            self.record(500)  # a bug in the stand-in itself: aiohttp answers 500 and prints the traceback
            raise

    async def apply_fault(self, rule: Rule, response: web.StreamResponse) -> web.StreamResponse:
        if not isinstance(response, web.Response) or not isinstance(response.body, bytes):
            return response
        if response.status not in (200, 201):
            return response
        if rule.kind in BODY_KINDS:
            return await with_fault(rule, self.request, response, response.body)
        if rule.kind == "cut_body":
            return await self.cut(response)
        document = json.loads(response.body)
        if rule.kind == "drop_page":
            return answer(self.provider.without_items(document))
        for sender in document.get("senders", []):
            sender.update(webhook=None, profile=None)
        return answer(document)

    async def cut(self, response: web.Response) -> web.StreamResponse:
        whole = response.body
        if not isinstance(whole, bytes):
            return response
        partial = web.StreamResponse(headers=response.headers)
        partial.content_length = len(whole)
        await partial.prepare(self.request)
        await partial.write(whole[: len(whole) // 2])
        return await self.hang_up(Rule(kind="cut_body", seconds=0.0), 0.0)


def _own_failure(provider: StandIn, rule: Rule) -> ProviderRefusal:
    if rule.kind == "retry_after":
        failure = provider.fault(429, rule.retry_after)
    else:
        failure = provider.fault(rule.status, rule.retry_after if rule.status == 429 else None)
    if rule.body is not None:
        failure.body = rule.body
    return failure


def retry_after_header(seconds: float | None) -> dict[str, str]:
    if seconds is None:
        return {}
    return {"Retry-After": str(math.ceil(seconds)) if seconds >= 1 else str(seconds)}


def stand_in_middleware(state: State, provider: StandIn) -> Any:
    """The middleware of one stand-in. Paths under /_sandbox/ are the sandbox's own and bypass it."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith("/_sandbox/"):
            return await handler(request)
        with state.background.call():
            return await _ProviderCall(state, provider, request, await request.read()).run(handler)

    return middleware
