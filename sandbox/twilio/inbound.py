"""WhatsApp users writing to a sender: POST /_sandbox/inbound makes the message, calls the webhook, and carries out the
TwiML that comes back.

The answers of a conversation are what the sender's number sent to the user after that timestamp, over TwiML or REST;
the sandbox never asks the runtime.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from aiohttp import web

from sandbox.control import body_of, refuse
from sandbox.errors import InputError, ProviderRefusal
from sandbox.middleware import answer
from sandbox.state import State
from sandbox.storage import Json, new_id
from sandbox.twilio.inbound_message import UserMessage
from sandbox.twilio.media import Media
from sandbox.twilio.messages import TABLE, Messages
from sandbox.twilio.senders import Senders
from sandbox.twilio.twiml import TwimlError, messages_in
from sandbox.twilio.webhook_sender import Envelope, Receipt, WebhookSender
from sandbox.twilio.wire import ACCOUNTS, NAME

_XML = ("text/xml", "application/xml")


@dataclass(frozen=True, slots=True)
class _Posted:
    """A stored message, ready for its webhook."""

    sender: Json
    user: str
    envelope: Envelope

    @property
    def sid(self) -> str:
        return self.envelope.message_sid


class Inbound:
    """The handler of /_sandbox/inbound."""

    def __init__(
        self, state: State, senders: Senders, messages: Messages, media: Media, webhook_sender: WebhookSender
    ) -> None:
        self._state = state
        self._senders = senders
        self._messages = messages
        self._media = media
        self._webhook_sender = webhook_sender
        self._listeners: dict[tuple[str, str], list[asyncio.Queue[Json]]] = {}
        messages.on_outbound.append(self._heard)

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/_sandbox/inbound", self.create)]

    def _heard(self, message: Json) -> None:
        for queue in self._listeners.get((message["from"], message["to"]), []):
            queue.put_nowait({"sid": message["sid"], "body": message["body"], "via": message["_via"]})

    @contextmanager
    def _listening(self, sender: str, user: str) -> Iterator[asyncio.Queue[Json]]:
        queue: asyncio.Queue[Json] = asyncio.Queue()
        queues = self._listeners.setdefault((sender, user), [])
        queues.append(queue)
        try:
            yield queue
        finally:
            queues.remove(queue)
            if not queues:
                self._listeners.pop((sender, user), None)

    async def create(self, request: web.Request) -> web.Response:
        try:
            message = UserMessage.read(await body_of(request))
            sender = self._senders.named(message.to)
            if sender is None:
                return refuse(404, f"no sender {message.to!r}: neither a registered number nor the id or name of one")
            if not sender["status"].startswith("ONLINE"):
                return refuse(409, f"{sender['sender_id']} is {sender['status']}: WhatsApp delivers nothing to it")
            posted = self._kept(message, sender, f"{request.scheme}://{request.host}")
        except InputError as error:
            return refuse(400, str(error))
        return answer(await self._answered(posted, message.wait, message.settle))

    def _kept(self, message: UserMessage, sender: Json, here: str) -> _Posted:
        """The message as Twilio keeps and sends it. A known sid is that message, delivered again."""
        sid = message.message_sid or new_id("MM" if message.media else "SM")
        known = self._state.storage.get(TABLE, sid)
        row = known if known is not None else self._new(message, sender, sid, here)
        hook = sender["webhook"]
        account_token = self._state.storage.rows(ACCOUNTS)[sender["_account"]]["auth_token"]
        envelope = Envelope(
            url=hook["callback_url"] or "",
            method=hook["callback_method"] or "POST",
            fields=message.fields(sender, sid, row["_media"]),
            auth_token=account_token,
            message_sid=sid,
            purpose="inbound",
            token=row["_token"],
        )
        return _Posted(sender, message.origin, envelope)

    def _new(self, message: UserMessage, sender: Json, sid: str, here: str) -> Json:
        media = self._media.attach(here, sender["_account"], sid, message.media)
        row = self._messages.record(
            sender["_account"],
            sid,
            **{"from": message.origin},
            to=sender["sender_id"],
            body=message.body,
            direction="inbound",
            status="received",
            num_media=str(len(media)),
            _token=new_id("", 32),
            _media=media,
        )
        told = {name: row[name] for name in ("from", "to", "body")}
        self._state.ledger.append("inbound", NAME, message_sid=sid, **told, media=media)
        return row

    async def _answered(self, posted: _Posted, wait: float, settle: float) -> Json:
        outcome: Json = {"message_sid": posted.sid, "http_status": None, "error": None, "answers": []}
        if not posted.envelope.url:
            return {**outcome, "error": f"sender {posted.sender['sender_id']} has no webhook URL"}
        delivered: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        with self._listening(posted.sender["sender_id"], posted.user) as queue:
            self._state.background.start(self._deliver(posted, delivered))
            if wait <= 0:
                return outcome
            deadline = time.monotonic() + wait
            try:
                async with asyncio.timeout(wait):
                    receipt = await asyncio.shield(delivered)
            except TimeoutError:
                reason = f"the webhook did not answer within {wait:g} s"
                return {**outcome, "error": reason, "answers": _drained(queue)}
            outcome |= {"http_status": receipt.status, "error": receipt.error}
            if receipt.delivered:
                outcome["answers"] = await _collected(queue, deadline, settle)
        return outcome

    async def _deliver(self, posted: _Posted, delivered: asyncio.Future[Receipt]) -> None:
        """The webhook, its fallback, and the messages in what they answer."""
        hook = posted.sender["webhook"]
        receipts = [
            self._carried_out(posted, receipt) for receipt in await self._webhook_sender.deliver(posted.envelope)
        ]
        if not receipts[0].delivered and hook["fallback_url"]:
            method = hook["fallback_method"] or "POST"
            fallback = await self._webhook_sender.fall_back(posted.envelope, receipts[0], hook["fallback_url"], method)
            receipts = [self._carried_out(posted, receipt) for receipt in fallback]
        if not delivered.done():
            delivered.set_result(receipts[0])

    def _carried_out(self, posted: _Posted, receipt: Receipt) -> Receipt:
        """Sends the messages of a TwiML answer. An answer that is not TwiML is a failure of the webhook."""
        if not receipt.delivered or not receipt.body:
            return receipt
        if receipt.content_type not in _XML:
            reason = f"12300: the webhook answered {receipt.content_type}, Twilio takes text/xml"
            return replace(receipt, error=reason, failure="twiml")
        try:
            for form in messages_in(receipt.body, posted.sender["sender_id"], posted.user):
                self._messages.send(posted.sender["_account"], form, "twiml", posted.sid)
        except TwimlError as error:
            return replace(receipt, error=str(error), failure="twiml")
        except ProviderRefusal as error:
            return replace(receipt, error=f"{error.body['code']}: {error.body['message']}", failure="twiml")
        return receipt


def _drained(queue: asyncio.Queue[Json]) -> list[Json]:
    return [queue.get_nowait() for _ in range(queue.qsize())]


async def _collected(queue: asyncio.Queue[Json], deadline: float, settle: float) -> list[Json]:
    """Answers until the deadline: the first one, those already there with it, and those that follow within `settle`
    seconds."""
    answers = _drained(queue)
    patience = settle if answers else deadline - time.monotonic()
    while patience > 0:
        try:
            async with asyncio.timeout(patience):
                answers.append(await queue.get())
        except TimeoutError:
            break
        answers += _drained(queue)
        patience = min(settle, deadline - time.monotonic())
    return answers
