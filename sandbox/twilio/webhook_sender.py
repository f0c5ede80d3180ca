"""Sends webhooks: signed, timed, retried and sent to the fallback as Twilio does, each attempt recorded in the ledger.

The fragment of a webhook URL may override connection settings (`#ct=2000&rc=3&rp=all`). By default only a failure to
connect is tried again, once. It never interprets the answer's body.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, urlsplit

import aiohttp
from yarl import URL

from sandbox.faults import WEBHOOK_KINDS
from sandbox.state import State
from sandbox.twilio.signature import called_url, signature
from sandbox.twilio.wire import NAME

_CONNECT_FAILED, _HTTP_FAILED = "11205", "11200"


@dataclass(frozen=True, slots=True)
class Envelope:
    """One webhook to deliver."""

    url: str
    method: str
    fields: Mapping[str, str]
    auth_token: str
    message_sid: str
    purpose: str
    """`inbound`, `fallback`, `status` or `event`."""
    token: str
    """I-Twilio-Idempotency-Token: the same on every attempt of one event."""
    body: str | None = None
    """A JSON document in place of the fields, whose hash the URL has."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The result of the last attempt."""

    status: int | None
    content_type: str = ""
    body: str = ""
    error: str | None = None
    failure: str = ""
    """`ct`, `rt`, `4xx`, `5xx` (the classes that `rp` names), `twiml`, or empty for success."""

    @property
    def delivered(self) -> bool:
        return not self.failure


@dataclass(frozen=True, slots=True)
class Overrides:
    """Connection settings from the URL's fragment. Times in seconds."""

    connect: float = 5.0
    read: float = 15.0
    total: float = 15.0
    retries: int = 1
    policy: frozenset[str] = frozenset({"ct"})

    @classmethod
    def of(cls, url: str) -> "Overrides":
        given = dict(parse_qsl(urlsplit(url).fragment))

        def bounded(key: str, default: float, least: float, most: float) -> float:
            text = given.get(key, "")
            return min(max(int(text), least), most) if text.isdecimal() else default

        return cls(
            connect=bounded("ct", 5000, 100, 10_000) / 1000,
            read=bounded("rt", 15_000, 100, 15_000) / 1000,
            total=bounded("tt", 15_000, 100, 15_000) / 1000,
            retries=int(bounded("rc", 1, 0, 5)),
            policy=frozenset(given.get("rp", "ct").split(",")),
        )

    def retry(self, failure: str) -> bool:
        return "all" in self.policy or failure in self.policy


class WebhookSender:
    """Delivers envelopes over one connection pool."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._session: aiohttp.ClientSession | None = None

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            pool = aiohttp.TCPConnector(limit=0, ttl_dns_cache=60)
            self._session = aiohttp.ClientSession(connector=pool, cookie_jar=aiohttp.DummyCookieJar())
        return self._session

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def deliver(
        self,
        envelope: Envelope,
        after: asyncio.Event | None = None,
        carry_out: Callable[[Receipt], Receipt] = lambda receipt: receipt,
    ) -> list[Receipt]:
        """One receipt, or two where a fault duplicates the webhook. Waits for `after`, unless a fault reorders.

        `carry_out` does what a receipt asks for; neither of two waits for the other.
        """
        path = urlsplit(envelope.url).path
        rules = {rule.kind: rule for rule in self._state.faults.matching(NAME, envelope.method, path, WEBHOOK_KINDS)}
        if "reorder_webhooks" in rules:
            await asyncio.sleep(rules["reorder_webhooks"].random_hold(0.2))
        elif after is not None:
            await after.wait()

        async def carried_out(wait: float = 0.0) -> Receipt:
            return carry_out(await self._until_settled(envelope, wait))

        if "duplicate_webhook" not in rules:
            return [await carried_out()]
        return list(await asyncio.gather(carried_out(), carried_out(rules["duplicate_webhook"].hold(0.0))))

    async def _until_settled(self, envelope: Envelope, wait: float = 0.0) -> Receipt:
        await asyncio.sleep(wait)
        overrides = Overrides.of(envelope.url)
        deadline = time.monotonic() + overrides.total
        for attempt in range(1, overrides.retries + 2):
            left = deadline - time.monotonic()
            if left <= 0:
                break
            receipt = await self._attempt(envelope, overrides, left, attempt)
            if receipt.delivered or not overrides.retry(receipt.failure):
                return receipt
        return receipt

    async def _attempt(self, envelope: Envelope, overrides: Overrides, left: float, attempt: int) -> Receipt:
        started = time.monotonic()
        receipt = await self._post(envelope, overrides, left)
        self._state.ledger.append(
            "webhook",
            NAME,
            purpose=envelope.purpose,
            message_sid=envelope.message_sid,
            url=envelope.url,
            attempt=attempt,
            status=receipt.status,
            error=receipt.error,
            seconds=round(time.monotonic() - started, 4),
        )
        return receipt

    async def _post(self, envelope: Envelope, overrides: Overrides, left: float) -> Receipt:
        headers = {
            "X-Twilio-Signature": signature(envelope.auth_token, envelope.url, envelope.fields),
            "I-Twilio-Idempotency-Token": envelope.token,
            "User-Agent": "TwilioProxy/1.1",
            "Accept": "*/*",
        }
        timeout = aiohttp.ClientTimeout(total=min(left, overrides.read), sock_connect=overrides.connect)
        url = URL(called_url(envelope.url), encoded=True)
        data: object = dict(envelope.fields)
        if envelope.body is not None:
            data, headers["Content-Type"] = envelope.body.encode(), "application/json"
        call = self._open_session().request(envelope.method, url, data=data, headers=headers, timeout=timeout)
        try:
            async with call as response:
                body = await response.text()
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            return Receipt(None, error=f"cannot connect: {error}", failure="ct")
        except TimeoutError:
            tt = int(overrides.total * 1000)
            return Receipt(None, error=f"Total timeout is triggered. Configured tt is {tt}ms", failure="rt")
        except aiohttp.ClientError as error:
            return Receipt(None, error=f"connection lost: {error}", failure="rt")
        return _receipt(response.status, response.content_type, body)

    async def fall_back(
        self, envelope: Envelope, failed: Receipt, url: str, method: str, carry_out: Callable[[Receipt], Receipt]
    ) -> list[Receipt]:
        """The same event to the fallback URL, with what went wrong."""
        code = _HTTP_FAILED if failed.status is not None else _CONNECT_FAILED
        if failed.failure == "twiml":
            code = (failed.error or "").partition(":")[0]
        fields = {**envelope.fields, "ErrorCode": code, "ErrorUrl": called_url(envelope.url)}
        fallback = replace(envelope, url=url, method=method, fields=fields, purpose="fallback")
        return await self.deliver(fallback, carry_out=carry_out)


def _receipt(status: int, content_type: str, body: str) -> Receipt:
    if status < 400:
        return Receipt(status, content_type, body)
    failure = "4xx" if status < 500 else "5xx"
    return Receipt(status, content_type, body, f"the webhook answered HTTP {status}", failure)
