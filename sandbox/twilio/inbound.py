"""WhatsApp users writing to a sender: POST /_sandbox/inbound makes the message, calls the webhook, and carries out the
TwiML that comes back.

The answers of a conversation are what the sender's number sent to the user from that moment on, over TwiML or REST; the
sandbox never asks the runtime.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from xml.etree import ElementTree

from aiohttp import web

from sandbox.control import body_of, refuse
from sandbox.errors import ApiError, InputError
from sandbox.gate import answer
from sandbox.state import Json, new_id
from sandbox.twilio.courier import Courier, Envelope, Receipt
from sandbox.twilio.messages import ADDRESS, TABLE, Messages
from sandbox.twilio.senders import Senders
from sandbox.twilio.wire import ACCOUNTS, NAME
from sandbox.world import World

_FIELDS = ("to", "from", "body", "media", "profile_name", "external_user_id", "message_sid", "wait", "settle", "extra")
_XML = ("text/xml", "application/xml")


@dataclass(frozen=True, slots=True)
class Letter:
    """One message from a WhatsApp user."""

    sid: str
    sender: Json
    origin: str
    fields: dict[str, str]
    token: str


class Inbound:
    """The handler of /_sandbox/inbound."""

    def __init__(self, world: World, senders: Senders, messages: Messages, courier: Courier) -> None:
        self._world = world
        self._senders = senders
        self._messages = messages
        self._courier = courier
        self._listeners: dict[tuple[str, str], list[asyncio.Queue[Json]]] = {}
        messages.on_outbound.append(self._heard)

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/_sandbox/inbound", self.create)]

    def _heard(self, message: Json) -> None:
        for queue in self._listeners.get((message["from"], message["to"]), []):
            queue.put_nowait({"sid": message["sid"], "body": message["body"], "via": message["_via"]})

    @contextmanager
    def _listening(self, letter: Letter) -> Iterator[asyncio.Queue[Json]]:
        pair = (letter.sender["sender_id"], letter.origin)
        queue: asyncio.Queue[Json] = asyncio.Queue()
        queues = self._listeners.setdefault(pair, [])
        queues.append(queue)
        try:
            yield queue
        finally:
            queues.remove(queue)
            if not queues:
                self._listeners.pop(pair, None)

    def resolve(self, name: str) -> Json | None:
        """A sender by its number, by the id its manifest gave, or by its name written with hyphens."""
        number = name.removeprefix("whatsapp:")
        if (sender := self._senders.by_number(number)) is not None:
            return sender
        wanted = _slug(name)
        for sender in self._senders.all():
            if wanted in (
                sender["friendly_name"],
                _slug(sender["friendly_name"] or ""),
                _slug(sender["profile"]["name"] or ""),
            ):
                return self._senders.by_number(sender["sender_id"].removeprefix("whatsapp:"))
        return None

    async def create(self, request: web.Request) -> web.Response:
        try:
            body = await body_of(request)
        except InputError as error:
            return refuse(400, str(error))
        unknown = sorted(body.keys() - set(_FIELDS))
        if unknown:
            return refuse(400, f"unknown key {unknown[0]!r}; allowed are: {', '.join(_FIELDS)}")
        sender = self.resolve(str(body.get("to", "")))
        if sender is None:
            return refuse(404, f"no sender {body.get('to')!r}: neither a registered number nor the id or name of one")
        if not sender["status"].startswith("ONLINE"):
            return refuse(409, f"sender {sender['sender_id']} is {sender['status']}: WhatsApp delivers nothing to it")
        origin = str(body.get("from") or "+56912345678")
        origin = origin if origin.startswith("whatsapp:") else f"whatsapp:{origin}"
        if not ADDRESS.match(origin):
            return refuse(
                400, f"'from' is a phone number like +56912345678 or a user id like CL.1A2B3C, not {body.get('from')!r}"
            )
        letter = self._written(sender, origin, body)
        return await self._posted(letter, float(body.get("wait", 0)), float(body.get("settle", 0)))

    def _written(self, sender: Json, origin: str, body: Json) -> Letter:
        """The message as Twilio keeps and sends it. A message sid seen before is that message, delivered once more."""
        sid = body.get("message_sid") or new_id("MM" if body.get("media") else "SM")
        media = body.get("media") or []
        text = str(body.get("body", ""))
        fields = _webhook_fields(sender, origin, sid, text, media, body)
        known = self._world.state.get(TABLE, sid)
        if known is not None:
            return Letter(sid, sender, origin, fields, known["_token"])
        token = new_id("", 32)
        self._messages.record(
            sender["_account"],
            sid,
            **{"from": origin},
            to=sender["sender_id"],
            body=text,
            direction="inbound",
            status="received",
            num_media=str(len(media)),
            _token=token,
            _media=media,
        )
        self._world.ledger.append(
            "inbound", NAME, message_sid=sid, **{"from": origin}, to=sender["sender_id"], body=text, media=media
        )
        return Letter(sid, sender, origin, fields, token)

    async def _posted(self, letter: Letter, wait: float, settle: float) -> web.Response:
        outcome: Json = {"message_sid": letter.sid, "http_status": None, "error": None, "answers": []}
        if not letter.sender["webhook"]["callback_url"]:
            return answer({**outcome, "error": f"sender {letter.sender['sender_id']} has no webhook URL"})
        delivered: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        with self._listening(letter) as queue:
            self._world.errands.start(self._deliver(letter, delivered))
            if wait <= 0:
                return answer(outcome)
            deadline = time.monotonic() + wait
            try:
                receipt = await asyncio.wait_for(asyncio.shield(delivered), wait)
            except TimeoutError:
                return answer(
                    {**outcome, "error": f"the webhook did not answer within {wait:g} s", "answers": _drained(queue)}
                )
            outcome |= {"http_status": receipt.status, "error": receipt.error}
            if receipt.delivered:
                outcome["answers"] = await _collected(queue, deadline, settle)
        return answer(outcome)

    async def _deliver(self, letter: Letter, delivered: asyncio.Future[Receipt]) -> None:
        """The webhook, its fallback, and the messages in what they answer."""
        hook = letter.sender["webhook"]
        token = self._world.state.rows(ACCOUNTS)[letter.sender["_account"]]["auth_token"]
        method = hook["callback_method"] or "POST"
        envelope = Envelope(hook["callback_url"], method, letter.fields, token, letter.sid, "inbound", letter.token)
        receipts = [self._carried_out(letter, receipt) for receipt in await self._courier.deliver(envelope)]
        if not receipts[0].delivered and hook["fallback_url"]:
            fallback = await self._courier.fall_back(
                envelope, receipts[0], hook["fallback_url"], hook["fallback_method"] or "POST"
            )
            receipts = [self._carried_out(letter, receipt) for receipt in fallback]
        if not delivered.done():
            delivered.set_result(receipts[0])

    def _carried_out(self, letter: Letter, receipt: Receipt) -> Receipt:
        """Sends the messages of a TwiML answer. An answer that is no TwiML is a failure of the webhook."""
        if not receipt.delivered or receipt.status == 204 or not receipt.body:
            return receipt
        if receipt.content_type not in _XML:
            reason = f"12300: the webhook answered {receipt.content_type}, Twilio takes text/xml"
            return Receipt(receipt.status, error=reason, failure="twiml")
        try:
            forms = twiml_messages(receipt.body, letter.sender["sender_id"], letter.origin)
            for form in forms:
                self._messages.send(letter.sender["_account"], form, "twiml", letter.sid)
        except ElementTree.ParseError as error:
            return Receipt(
                receipt.status, error=f"12100: the webhook's TwiML cannot be parsed: {error}", failure="twiml"
            )
        except ApiError as error:
            return Receipt(receipt.status, error=f"{error.body['code']}: {error.body['message']}", failure="twiml")
        return receipt


def twiml_messages(document: str, sender: str, user: str) -> list[dict[str, list[str]]]:
    """The <Message> verbs of a TwiML document as the forms that Messages.json takes."""
    root = ElementTree.fromstring(document)  # noqa: S314 - the document comes from the webhook under test, and expat refuses entity bombs
    forms = []
    for verb in root.iter("Message"):
        body = verb.find("Body")
        text = (
            "".join((verb if body is None else body).itertext())
            if body is not None or not len(verb)
            else verb.text or ""
        )
        media = [item.text.strip() for item in verb.findall("Media") if item.text]
        callback = verb.get("statusCallback") or verb.get("action") or ""
        form = {
            "From": [verb.get("from") or sender],
            "To": [verb.get("to") or user],
            "Body": [text],
            "MediaUrl": media,
            "StatusCallback": [callback],
        }
        forms.append(form)
    return forms


def _slug(name: str) -> str:
    return "-".join(name.lower().split())


def _drained(queue: asyncio.Queue[Json]) -> list[Json]:
    return [queue.get_nowait() for _ in range(queue.qsize())]


async def _collected(queue: asyncio.Queue[Json], deadline: float, settle: float) -> list[Json]:
    """Answers until the deadline: all that are there after the first one, and those that follow within `settle`
    seconds.
    """
    answers: list[Json] = []
    patience = deadline - time.monotonic()
    while patience > 0 or not queue.empty():
        try:
            answers.append(await asyncio.wait_for(queue.get(), max(patience, 0.001)))
        except TimeoutError:
            break
        answers += _drained(queue)
        patience = min(settle, deadline - time.monotonic())
    return answers


def _webhook_fields(sender: Json, origin: str, sid: str, text: str, media: list[Json], body: Json) -> dict[str, str]:
    user = origin.removeprefix("whatsapp:")
    fields = {
        "SmsMessageSid": sid,
        "SmsSid": sid,
        "MessageSid": sid,
        "AccountSid": sender["_account"],
        "From": origin,
        "To": sender["sender_id"],
        "Body": text,
        "NumMedia": str(len(media)),
        "NumSegments": "1",
        "ReferralNumMedia": "0",
        "SmsStatus": "received",
        "ApiVersion": "2010-04-01",
        "ProfileName": str(body.get("profile_name") or "Cliente de prueba"),
        "MessageType": str(media[0]["content_type"]).split("/")[0] if media else "text",
        "Forwarded": "false",
        "FrequentlyForwarded": "false",
        "ChannelMetadata": '{"type":"whatsapp","data":{"context":{}}}',
    }
    if user.startswith("+"):
        fields["WaId"] = user[1:]
    if user_id := body.get("external_user_id") or ("" if user.startswith("+") else user):
        fields["ExternalUserId"] = user_id if str(user_id).startswith("whatsapp:") else f"whatsapp:{user_id}"
    for index, item in enumerate(media):
        fields |= {f"MediaUrl{index}": str(item["url"]), f"MediaContentType{index}": str(item["content_type"])}
    return {**fields, **{str(key): str(value) for key, value in (body.get("extra") or {}).items()}}
