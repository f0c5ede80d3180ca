"""Sends and looks up WhatsApp messages with Twilio's SDK.

Twilio has no idempotency key for messages, so every failure is classified by one question: can the message have been
sent?
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, assert_never

import aiohttp
from twilio.base.exceptions import TwilioException
from twilio.http.response import Response
from twilio.rest import Client

from runtime.errors import ProviderError, TemporaryError, UnknownOutcome
from runtime.observability.metrics import Metrics
from runtime.resilience.breakers import Breakers, CallScope
from runtime.resilience.http_errors import Provider, error_of_status, retry_after_seconds
from runtime.store.codec import dump_json
from runtime.store.delivery_errors import PASSING
from runtime.store.messages.outbound_content import OutboundContent, OutboundMedia, OutboundTemplate, OutboundText
from runtime.store.messages.outbox import FINAL_STATUSES
from runtime.store.messages.send_matching import ListedMessage
from runtime.twilio.accounts import Account
from runtime.twilio.rate_limit import SendRateLimit
from runtime.twilio.transport import TooManyRequests, TwilioHttp

PROVIDER = "twilio"
TWILIO = Provider(
    "Twilio",
    "Twilio does not accept the account's credentials (401); check its SID and auth token.",
    is_repeatable=False,
)
PAUSE_SECONDS = 30.0
"""How long a call waits while the circuit breaker is open; then it fails, and the caller may retry."""
API_HOST = "https://api.twilio.com"
PAGE_SIZE = 1000
"""The largest page that Twilio returns."""
LOOKUP_LIMIT = PAGE_SIZE
"""Maximum number of messages that are listed in a search, newest first; that many may have followed the one searched
for."""


FAILURES = (aiohttp.ClientError, TimeoutError, TwilioException, ValueError)
"""Errors of a failed call; ValueError where Twilio's answer is not JSON."""


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message that Twilio has accepted."""

    sid: str
    status: str


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """A user's message as Twilio stores it."""

    sid: str
    sender: str
    recipient: str
    body: str
    media: int
    """Number of its media files."""
    at: datetime
    """When Twilio received it, in UTC, to the second."""


@dataclass(frozen=True, slots=True)
class Received:
    """Users' messages, oldest first."""

    messages: Sequence[ReceivedMessage]
    is_all: bool
    """False when there were later ones, too."""


class Slot:
    """Permission to send one message from a sender now, from `Twilio.slot`."""

    __slots__ = ("_account", "_sender", "_twilio")

    def __init__(self, twilio: Twilio, account: Account, sender: str) -> None:
        self._twilio = twilio
        self._account = account
        self._sender = sender

    async def send(self, *, recipient: str, content: OutboundContent, status_callback: str | None) -> SentMessage:
        """Sends the message; raises PermanentError, TemporaryError (nothing was sent) or UnknownOutcome."""
        twilio, callback = self._twilio, {"status_callback": status_callback} if status_callback else {}
        try:
            message = await twilio._client(self._account).messages.create_async(
                from_=self._sender, to=recipient, **_parameters(content), **callback
            )
            if not message.sid:
                raise TwilioException("An answer without the message's sid")
        except (*FAILURES, AttributeError) as error:
            reason = twilio._counted(error)
            if isinstance(reason, TemporaryError) and reason.delay is not None:
                twilio._rate_limit.hold(self._sender, reason.delay)
            raise reason from error
        return SentMessage(str(message.sid), str(message.status))


class Twilio:
    """WhatsApp messages of any account."""

    def __init__(self, base_url: str | None, metrics: Metrics, breakers: Breakers, longest_pause: float) -> None:
        """`longest_pause` is the longest pause in seconds that Twilio may ask for before the next attempt."""
        self._longest_pause = longest_pause
        self._http = TwilioHttp(base_url)
        self._metrics = metrics
        self._breakers = breakers
        self._rate_limit = SendRateLimit()
        self._clients: dict[Account, Client] = {}

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.close()

    @asynccontextmanager
    async def slot(self, account: Account, sender: str) -> AsyncIterator[Slot]:
        """Entered when a message may be sent from a sender, which may take a while; it is sent with the slot, at once.

        Work just before the send belongs in the block; an exception there prevents the send. Raises TemporaryError when
        no message may be sent soon.
        """
        await self._rate_limit.quiet(sender)
        async with self._passing(account, sender):
            await self._rate_limit.wait(sender)
            yield Slot(self, account, sender)

    async def sent(self, account: Account, *, sender: str, recipient: str, since: str) -> list[ListedMessage]:
        """Messages to a user at or after a timestamp, oldest first.

        Raises PermanentError or TemporaryError when Twilio could not be asked.
        """
        moment = datetime.fromisoformat(since).astimezone(UTC).replace(microsecond=0)
        async with self._asking(account, sender):
            listed = await self._client(account).messages.list_async(
                to=recipient, from_=sender, date_sent_after=moment, limit=LOOKUP_LIMIT, page_size=PAGE_SIZE
            )
        return [_listed(message) for message in reversed(listed)]

    async def received(self, account: Account, since: datetime, limit: int) -> Received:
        """The oldest of users' messages to an account at or after a timestamp, at most `limit`.

        Raises PermanentError or TemporaryError when Twilio could not be asked.
        """
        oldest: deque[ReceivedMessage] = deque(maxlen=limit)
        count = 0
        async with self._asking(account):
            # Twilio lists the newest first and supports no other order, so all pages are read.
            listed = await self._client(account).messages.stream_async(
                date_sent_after=since.replace(microsecond=0), page_size=PAGE_SIZE
            )
            async for message in listed:
                moment = message.date_sent or message.date_created
                if message.direction == "inbound" and moment >= since:
                    count += 1
                    oldest.append(_received(message, moment))
        oldest.reverse()
        return Received(sorted(oldest, key=lambda message: message.at), count <= limit)

    async def last_sent(self, account: Account, since: datetime) -> dict[tuple[str, str], datetime]:
        """(our address, a user's) → when the last message from one to the other was given to Twilio and not refused, at
        or after a timestamp; errors as of `received`."""
        last: dict[tuple[str, str], datetime] = {}
        async with self._asking(account):
            listed = await self._client(account).messages.stream_async(
                date_sent_after=since.replace(microsecond=0), page_size=PAGE_SIZE
            )
            async for message in listed:
                if message.direction != "inbound" and message.status not in FINAL_STATUSES:
                    pair = str(message.from_), str(message.to)
                    moment = message.date_sent or message.date_created
                    last[pair] = max(last.get(pair, moment), moment)
        return last

    async def media_of(self, account: Account, message_sid: str) -> list[tuple[str, str]]:
        """(URL, content type) of the files of a message, as its webhook names them; errors as of `received`."""
        async with self._asking(account):
            listed = await self._client(account).messages(message_sid).media.list_async()
        return [
            (self._http.rewritten(API_HOST + str(item.uri).removesuffix(".json")), str(item.content_type))
            for item in listed
        ]

    async def callback_urls(self, account: Account) -> dict[str, str] | None:
        """Sender address → the URL that Twilio calls for a message to it; None where the Senders API does not exist
        (404), as for some accounts and behind other servers. Errors as of `received`."""
        async with self._asking(account):
            senders = self._client(account).messaging.v2.channels_senders
            try:
                listed = await senders.list_async(channel="whatsapp", page_size=PAGE_SIZE)
            except TwilioException as error:
                if _details(error)[0] == 404:
                    return None
                raise
            # The list may omit fields; a sender that is fetched by itself is complete.
            whole = [
                sender if (sender.webhook or {}).get("callback_url") else await senders(sender.sid).fetch_async()
                for sender in listed
            ]
        return {str(sender.sender_id): str((sender.webhook or {}).get("callback_url") or "") for sender in whole}

    def _client(self, account: Account) -> Client:
        client = self._clients.get(account)
        if client is None:
            client = self._clients[account] = Client(account.sid, account.auth_token, http_client=self._http)
        return client

    @asynccontextmanager
    async def _asking(self, account: Account, sender: str = "") -> AsyncIterator[None]:
        """A call without effect: when its outcome is unknown it may be repeated."""
        async with self._passing(account, sender):
            try:
                yield
            except FAILURES as error:
                reason = self._counted(error)
                raise TemporaryError(str(reason)) if isinstance(reason, UnknownOutcome) else reason from error

    def _passing(self, account: Account, sender: str) -> AbstractAsyncContextManager[None]:
        """`sender`: the address that the call is about, empty where it is about the whole account."""
        scope = CallScope(PROVIDER, account.sid, sender=sender.removeprefix("whatsapp:"))
        return self._breakers.passing(scope, time.monotonic() + PAUSE_SECONDS)

    def _counted(self, error: Exception) -> ProviderError:
        self._metrics.provider_error(PROVIDER, error, _details(error)[0])
        return _from_twilio(error, self._longest_pause)


def _parameters(content: OutboundContent) -> dict[str, Any]:
    """The parameters of a call that sends it, as the SDK names them."""
    match content:
        case OutboundText():
            return {"body": content.body}
        case OutboundMedia():
            return {"media_url": [content.url], **({"body": content.caption} if content.caption else {})}
        case OutboundTemplate():
            variables = {"content_variables": dump_json(dict(content.variables))} if content.variables else {}
            return {"content_sid": content.content_sid, **variables}
    assert_never(content)


def _listed(message: Any) -> ListedMessage:
    return ListedMessage(
        sid=str(message.sid),
        status=str(message.status),
        body=message.body or "",
        files=int(message.num_media or 0),
        is_reply=message.direction == "outbound-reply",
    )


def _received(message: Any, moment: datetime) -> ReceivedMessage:
    return ReceivedMessage(
        message.sid, message.from_, message.to, message.body or "", int(message.num_media or 0), moment
    )


def _from_twilio(error: Exception, longest_pause: float) -> ProviderError:
    """The runtime's error for a failed call about a message."""
    if isinstance(error, aiohttp.ClientConnectorError):
        return TemporaryError("Twilio cannot be reached; check the network and TWILIO_BASE_URL.")
    if isinstance(error, (aiohttp.ClientError, TimeoutError)):
        return UnknownOutcome("The connection to Twilio broke before it answered.")
    if isinstance(error, (ValueError, AttributeError)):
        return UnknownOutcome("Twilio's answer cannot be parsed.")
    status, code, said = _details(error)
    delay = retry_after_seconds(error.headers, longest_pause) if isinstance(error, TooManyRequests) else None
    if str(code) in PASSING and status is not None and status < 500:
        return TemporaryError(f"Twilio cannot take the message now ({status} {code}).", delay)
    return error_of_status(TWILIO, status, code=str(code or ""), said=said, delay=delay)


def _details(error: Exception) -> tuple[int | None, int | None, str]:
    """Status, Twilio's code and message from any of the SDK's errors: a failed list raises another than a failed
    call."""
    status = getattr(error, "status", None) or getattr(error, "status_code", None)
    response = error.args[1] if len(error.args) > 1 else None
    if status is None and isinstance(response, Response):
        status = response.status_code
    return status, getattr(error, "code", None), str(getattr(error, "msg", None) or error)
