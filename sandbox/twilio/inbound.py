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
from functools import partial

from aiohttp import web

from sandbox.control import body_of, refuse
from sandbox.errors import InputError, ProviderRefusal
from sandbox.middleware import answer
from sandbox.state import State
from sandbox.storage import Json, new_id
from sandbox.twilio.addresses import whatsapp_address
from sandbox.twilio.inbound_message import USUAL_NUMBER, UserMessage
from sandbox.twilio.media import Media
from sandbox.twilio.message_parts import STOP_PROMOTIONS, TAPPED, tapped
from sandbox.twilio.messages import TABLE, Messages
from sandbox.twilio.senders import Senders
from sandbox.twilio.twiml import TwimlError, messages_in
from sandbox.twilio.webhook_sender import Envelope, Receipt, WebhookSender
from sandbox.twilio.wire import ACCOUNTS, NAME

_XML = ("text/xml", "application/xml")
_STOPS = frozenset(STOP_PROMOTIONS.values())
_QUOTABLE = 7 * 24 * 3600
"""Seconds after which Twilio does not say any more what a message replies to."""


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
        return [web.post("/_sandbox/inbound", self.create), web.get("/_sandbox/chat", self.chat)]

    def _heard(self, message: Json) -> None:
        for queue in self._listeners.get((message["from"], message["to"]), []):
            queue.put_nowait(_answer(message))

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
            document = self._resolved(await body_of(request))
            message = UserMessage.read(document, self._state.settings.values.list_replies)
            sender = self._senders.named(message.to)
            if sender is None:
                return refuse(404, f"no sender {message.to!r}: neither a registered number nor the id or name of one")
            if not sender["status"].startswith("ONLINE"):
                return refuse(409, f"{sender['sender_id']} is {sender['status']}: WhatsApp delivers nothing to it")
            posted = self._kept(message, sender, f"{request.scheme}://{request.host}")
        except InputError as error:
            return refuse(400, str(error))
        return answer(await self._answered(posted, message.wait, message.settle))

    async def chat(self, request: web.Request) -> web.Response:
        """GET /_sandbox/chat?to=&from=: the messages of both sides, in their order."""
        named = request.query.get("to", "")
        sender = self._senders.named(named)
        if sender is None:
            return refuse(404, f"no sender {named!r}: neither a registered number nor the id or name of one")
        user, number = whatsapp_address(request.query.get("from", USUAL_NUMBER)), sender["sender_id"]
        both = [*self._messages.newest(user, number), *self._messages.newest(number, user)]
        both.sort(key=lambda message: message["_at"])
        return answer([_of_either_side(message) for message in both])

    def _resolved(self, document: Json) -> Json:
        """The document with what refers to earlier messages of the conversation: a tap by number or title, and `last`
        for the message that is replied to."""
        given = {name: document[name] for name in TAPPED if isinstance(document.get(name), int | str)}
        sender = self._senders.named(str(document.get("to", "")))
        if sender is None or not (given or document.get("reply_to") == "last"):
            return document
        user = whatsapp_address(str(document.get("from", USUAL_NUMBER)))
        sent = list(self._messages.newest(sender["sender_id"], user))
        if document.get("reply_to") == "last":
            if not sent:
                raise InputError(f"{sender['sender_id']} has sent no message to {user} yet")
            document = {**document, "reply_to": sent[0]["sid"]}
        for name, value in given.items():
            shown = next((one for one in sent if TAPPED[name] in (one.get("_content") or {})), None)
            if shown is None:
                raise InputError(f"{sender['sender_id']} has sent no {TAPPED[name]} to {user} yet")
            document = {"reply_to": shown["sid"], **document, name: tapped(name, value, shown)}
        return document

    def _kept(self, message: UserMessage, sender: Json, here: str) -> _Posted:
        """The message as Twilio keeps and sends it. A known sid is that message, delivered again."""
        sid = message.message_sid or new_id("MM" if message.media else "SM")
        quoted = self._quoted(message, sender)
        known = self._state.storage.get(TABLE, sid)
        row = known if known is not None else self._new(message, sender, sid, here)
        hook = sender["webhook"]
        account_token = self._state.storage.rows(ACCOUNTS)[sender["_account"]]["auth_token"]
        envelope = Envelope(
            url=hook["callback_url"] or "",
            method=hook["callback_method"] or "POST",
            fields=message.fields(sender, sid, row["_media"], quoted),
            auth_token=account_token,
            message_sid=sid,
            purpose="inbound",
            token=row["_token"],
        )
        return _Posted(sender, message.origin, envelope)

    def _quoted(self, message: UserMessage, sender: Json) -> Json | None:
        """The message that this one replies to, where Twilio reports it."""
        if not message.reply_to:
            return None
        quoted = self._state.storage.get(TABLE, message.reply_to)
        if quoted is None or {quoted["from"], quoted["to"]} != {message.origin, sender["sender_id"]}:
            raise InputError(f"there is no message {message.reply_to} between {message.origin} and the sender")
        return quoted if self._state.settings.time() - quoted["_at"] <= _QUOTABLE else None

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
        if message.part is not None and message.part.message_type == "button" and message.body in _STOPS:
            self._messages.stop_promotions(sender["sender_id"], message.origin)
        told = {name: row[name] for name in ("from", "to", "body", "account_sid")}
        self._state.ledger.append("inbound", NAME, message_sid=sid, **told, media=media, ad=message.from_ad)
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
        carry_out = partial(self._carried_out, posted)
        receipts = await self._webhook_sender.deliver(posted.envelope, carry_out=carry_out)
        if not receipts[0].delivered and hook["fallback_url"]:
            method = hook["fallback_method"] or "POST"
            failed, url = receipts[0], hook["fallback_url"]
            receipts = await self._webhook_sender.fall_back(posted.envelope, failed, url, method, carry_out)
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


def _answer(message: Json) -> Json:
    """A message as the user sees it."""
    shown: Json = {"sid": message["sid"], "body": message["body"], "via": message["_via"]}
    if message["_fetch"]:
        shown["media"] = message["_fetch"]
    return {**(message["_content"] or {}), **shown}


def _of_either_side(message: Json) -> Json:
    """A message of the chat as the user sees it."""
    if message["direction"] != "inbound":
        return {**_answer(message), "is_user_s": False}
    return {"sid": message["sid"], "body": message["body"], "files": len(message["_media"]), "is_user_s": True}


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
