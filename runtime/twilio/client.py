"""Sends and looks up WhatsApp messages with Twilio's SDK. The one call that sends uses the SDK's transport, headers and
errors, not its resource: docs/adr/0013-one-twilio-call-without-its-resource.md.

Twilio has no idempotency key for messages, so every failure is classified by one question: can the message have been
sent?
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, assert_never

import aiohttp
from pydantic_core import from_json
from twilio.base.exceptions import TwilioException
from twilio.http.response import Response
from twilio.rest import Client
from yarl import URL

from runtime.errors import ProviderError, TemporaryError, UnknownOutcome
from runtime.observability.metrics import Metrics
from runtime.resilience.breakers import Breakers, CallScope
from runtime.resilience.http_errors import Provider, error_of_status, retry_after_seconds
from runtime.store.activity_records import RatingRecord
from runtime.store.codec import dump_json
from runtime.store.database.times import timestamp
from runtime.store.delivery_errors import PASSING
from runtime.store.messages.outbound_content import (
    OutboundContent,
    OutboundLocation,
    OutboundMedia,
    OutboundTemplate,
    OutboundText,
)
from runtime.store.messages.outbox import FINAL_STATUSES
from runtime.store.messages.send_matching import ListedMessage
from runtime.twilio.accounts import Account
from runtime.twilio.rate_limit import SendRateLimit
from runtime.twilio.transport import TooManyRequests, TwilioHttp
from schemas.addresses import number_of

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
class ListedStatus:
    """One of our messages as Twilio lists it now."""

    sid: str
    sender: str
    recipient: str
    status: str
    error_code: str
    """Empty without an error."""
    is_reply: bool
    """Whether it was sent in a webhook's response."""


@dataclass(frozen=True, slots=True)
class Received:
    """Users' messages, oldest first."""

    messages: Sequence[ReceivedMessage]
    is_all: bool
    """False when there were later ones, too."""


class Slot:
    """Permission to send one message from a sender now: inside the context that `Twilio.slot` returns."""

    __slots__ = ("_account", "_passing", "_sender", "_twilio")

    def __init__(self, twilio: Twilio, account: Account, sender: str) -> None:
        self._twilio = twilio
        self._account = account
        self._sender = sender
        self._passing = twilio._passing(account, sender)

    async def __aenter__(self) -> Slot:
        limit = self._twilio._rate_limit
        await limit.quiet(self._sender)
        await self._passing.__aenter__()
        try:
            await limit.wait(self._sender)
        except BaseException as error:
            await self._passing.__aexit__(type(error), error, error.__traceback__)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._passing.__aexit__(kind, error, traceback)

    async def send(
        self, *, recipient: str, content: OutboundContent, status_callback: str | None, latest: float = math.inf
    ) -> SentMessage:
        """Sends the message; raises PermanentError, TemporaryError (nothing was sent) or UnknownOutcome. `latest`: the
        time, by `time.monotonic`, from which on it is another process's to send."""
        twilio = self._twilio
        form = {"From": self._sender, "To": recipient, **_parameters(content)}
        if status_callback:
            form["StatusCallback"] = status_callback
        try:
            return await twilio._messages_of(self._account).create(form, latest)
        except (*FAILURES, AttributeError) as error:
            reason = twilio._counted(error)
            if isinstance(reason, TemporaryError) and reason.delay is not None:
                twilio._rate_limit.hold(self._sender, reason.delay)
            raise reason from error


class _Messages:
    """The resource `Messages` of one account, with what all of its requests have in common."""

    __slots__ = ("_client", "_headers", "_http", "_url")

    def __init__(self, client: Client, http: TwilioHttp) -> None:
        self._client = client
        self._http = http
        url = client.get_hostname(f"{API_HOST}/2010-04-01/Accounts/{client.account_sid}/Messages.json")
        self._url = URL(http.rewritten(url))
        self._headers = client.get_headers("POST", {"Accept": "application/json"})
        self._headers["Authorization"] = aiohttp.encode_basic_auth(client.username, client.password)

    async def create(self, form: Mapping[str, str | list[str]], latest: float) -> SentMessage:
        """`POST …/Messages.json`; raises one of FAILURES, or AttributeError where the answer is not an object."""
        response = await self._http.post(self._url, form, self._headers, latest)
        if not 200 <= response.status_code < 300:
            raise self._client.api.v2010.exception("POST", str(self._url), response, "Unable to create record")
        message = from_json(response.text)
        sid = message.get("sid")
        if not sid:
            raise TwilioException("An answer without the message's sid")
        return SentMessage(str(sid), str(message.get("status")))


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
        self._messages: dict[Account, _Messages] = {}

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.close()

    def slot(self, account: Account, sender: str) -> Slot:
        """A context that is entered when a message may be sent from a sender, which may take a while; it is sent with
        the slot, at once.

        Work just before the send belongs in the block; an exception there prevents the send. Raises TemporaryError when
        no message may be sent soon.
        """
        return Slot(self, account, sender)

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

    async def statuses(self, account: Account, since: datetime, limit: int) -> list[ListedStatus]:
        """Statuses of our messages at or after a timestamp, of the newest `limit`; errors as of `received`."""
        async with self._asking(account):
            listed = await self._client(account).messages.stream_async(
                date_sent_after=since.replace(microsecond=0), page_size=PAGE_SIZE, limit=limit
            )
            return [_status(message) async for message in listed if message.direction != "inbound"]

    async def media_of(self, account: Account, message_sid: str) -> list[tuple[str, str]]:
        """(URL, content type) of the files of a message, as its webhook names them; errors as of `received`."""
        async with self._asking(account):
            listed = await self._client(account).messages(message_sid).media.list_async()
        return [
            (self._http.rewritten(API_HOST + str(item.uri).removesuffix(".json")), str(item.content_type))
            for item in listed
        ]

    async def delete_media(self, account: Account, message_sid: str) -> None:
        """Deletes the files of a message; those that it no longer has count as deleted. Errors as of `received`."""
        async with self._asking(account):
            try:
                for item in await self._client(account).messages(message_sid).media.list_async():
                    await item.delete_async()
            except TwilioException as error:
                if _details(error)[0] != 404:
                    raise

    async def delete_message(self, account: Account, message_sid: str) -> None:
        """Deletes a message and its files; one that Twilio no longer has counts as deleted. Errors as of `received`."""
        await self.delete_media(account, message_sid)
        async with self._asking(account):
            try:
                await self._client(account).messages(message_sid).delete_async()
            except TwilioException as error:
                if _details(error)[0] != 404:
                    raise

    async def show_typing(self, account: Account, message_sid: str) -> None:
        """Marks a user's message as read and shows that an answer is being written (Twilio: Typing Indicators, a beta).
        Outside of the circuit breakers: what it says of Twilio is not about messages. Errors as of `received`."""
        try:
            indicator = self._client(account).messaging.v2.typing_indicator
            await indicator.create_async(channel="whatsapp", message_id=message_sid)
        except FAILURES as error:
            reason = self._counted(error)
            raise TemporaryError(str(reason)) if isinstance(reason, UnknownOutcome) else reason from error

    async def approval(self, account: Account, content_sid: str) -> tuple[str, str, str]:
        """Meta's status of a template, its category and the reason of a rejection; `unsubmitted` where Twilio knows of
        no request (404). Errors as of `received`."""
        async with self._asking(account):
            try:
                fetching = self._client(account).content.v1.contents(content_sid).approval_fetch()
                shown = (await fetching.fetch_async()).whatsapp or {}
            except TwilioException as error:
                if _details(error)[0] != 404:
                    raise
                shown = {}
        told = (str(shown.get(key) or "").lower() for key in ("status", "category"))
        status, category = told
        return status or "unsubmitted", category, str(shown.get("rejection_reason") or "")

    async def confirm_sink(self, account: Account, url: str, test_id: str) -> None:
        """Confirms a test event that a sink of the account's events has sent to a URL: it is active then. Errors as of
        `received`."""
        async with self._asking(account):
            sinks = self._client(account).events.v1.sinks
            for sink in await sinks.list_async():
                is_ours = (sink.sink_configuration or {}).get("destination") == url
                if is_ours and sink.status != "active":
                    await sinks(sink.sid).sink_validate.create_async(test_id=test_id)

    async def ratings(self, account: Account) -> list[RatingRecord] | None:
        """What is said of the account's senders now; None where the Senders API does not exist. Errors as of
        `received`."""
        now = timestamp()
        whole = await self._senders(account, lambda sender: bool(sender.properties))
        return None if whole is None else [_rating(sender, now) for sender in whole]

    async def callback_urls(self, account: Account) -> dict[str, str] | None:
        """Sender address → the URL that Twilio calls for a message to it; None where the Senders API does not exist
        (404), as for some accounts and behind other servers. Errors as of `received`."""
        whole = await self._senders(account, lambda sender: bool(_callback_url(sender)))
        return None if whole is None else {str(sender.sender_id): _callback_url(sender) for sender in whole}

    async def _senders(self, account: Account, is_whole: Callable[[Any], bool]) -> list[Any] | None:
        """The account's senders. A list may leave fields out; a sender that is fetched by itself is complete."""
        async with self._asking(account):
            senders = self._client(account).messaging.v2.channels_senders
            try:
                listed = await senders.list_async(channel="whatsapp", page_size=PAGE_SIZE)
            except TwilioException as error:
                if _details(error)[0] == 404:
                    return None
                raise
            return [one if is_whole(one) else await senders(one.sid).fetch_async() for one in listed]

    def _client(self, account: Account) -> Client:
        client = self._clients.get(account)
        if client is None:
            client = self._clients[account] = Client(account.sid, account.auth_token, http_client=self._http)
        return client

    def _messages_of(self, account: Account) -> _Messages:
        messages = self._messages.get(account)
        if messages is None:
            messages = self._messages[account] = _Messages(self._client(account), self._http)
        return messages

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


def _parameters(content: OutboundContent) -> dict[str, str | list[str]]:
    """The parameters of a call that sends it, as Twilio names them."""
    match content:
        case OutboundText():
            return {"Body": content.body}
        case OutboundMedia():
            return {"MediaUrl": [content.url], **({"Body": content.caption} if content.caption else {})}
        case OutboundLocation():
            place = f"geo:{content.latitude:.6f},{content.longitude:.6f}|{content.address or content.name}"
            return {"Body": content.body, "PersistentAction": [place]}
        case OutboundTemplate():
            variables = {"ContentVariables": dump_json(dict(content.variables))} if content.variables else {}
            return {"ContentSid": content.content_sid, **variables}
    assert_never(content)


def _listed(message: Any) -> ListedMessage:
    return ListedMessage(
        sid=str(message.sid),
        status=str(message.status),
        body=message.body or "",
        files=int(message.num_media or 0),
        is_reply=message.direction == "outbound-reply",
    )


def _status(message: Any) -> ListedStatus:
    return ListedStatus(
        sid=str(message.sid),
        sender=str(message.from_),
        recipient=str(message.to),
        status=str(message.status),
        error_code=str(message.error_code or ""),
        is_reply=message.direction == "outbound-reply",
    )


def _callback_url(sender: Any) -> str:
    return str((sender.webhook or {}).get("callback_url") or "")


def _rating(sender: Any, now: str) -> RatingRecord:
    said: Mapping[str, Any] = sender.properties or {}
    return RatingRecord(
        number_of(str(sender.sender_id)),
        now,
        str(sender.status or "UNKNOWN"),
        said.get("quality_rating") or None,
        said.get("messaging_limit") or None,
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
