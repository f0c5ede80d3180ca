"""Twilio's webhooks: an inbound message is verified, stored, and only then acknowledged.

Answers 403 when it is not signed by the account of the number (without a signature: before the body is read), 400 when
the body is not a form or a field is missing, 404 when no bot has that number, 413 when it is too large, and 503 when it
could not be stored, so that Twilio may try again or call the fallback URL.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from aiohttp import web

from runtime.catalog import Catalog
from runtime.delivery.delivery import ROW_PARAMETER, Delivery
from runtime.delivery.reply_window import ReplyWindow, ReplyWindows
from runtime.dispatch.timers import Timers
from runtime.inbound.admission import Admission, StoreDeadline
from runtime.inbound.connections import BodyIncomplete, whole_body
from runtime.inbound.message import Form, decoded_form, inbound_message
from runtime.inbound.signature import SETTINGS_HEADER, algorithm_of, is_signed
from runtime.inbound.status_counts import count_status, waits_seconds
from runtime.inbound.unsigned import Unsigned
from runtime.observability.logs import masked_user
from runtime.observability.metrics import NO_CLIENT, Metrics, UnsignedReason, client_label
from runtime.observability.tracing import webhook_span
from runtime.price_list import PriceList
from runtime.resilience.backoff import spread
from runtime.store.database.database import Database
from runtime.store.delivery_errors import in_words
from runtime.store.errors import StoreError
from runtime.store.messages import postponed_sends
from runtime.store.messages.inbox import StoredMessage
from runtime.store.records import BotRecord
from runtime.store.usage.ledger import Line, MessagePrices
from runtime.text import is_storable, portable
from runtime.twilio.accounts import Accounts
from runtime.twilio.twiml import NOTHING
from schemas.addresses import number_of

MAX_BODY_BYTES = 64 * 1024
SIGNATURE_HEADER = "X-Twilio-Signature"
ROW_DIGITS = 18
"""Of a row's number, at most: with any of so few it fits into a column."""

_NOTHING = NOTHING.encode()
_XML = {"Content-Type": "text/xml; charset=utf-8"}

log = structlog.get_logger("runtime.webhook")


class WebhookRefused(Exception):
    """A request that is refused."""

    def __init__(self, status: int, text: str, unsigned: UnsignedReason | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.unsigned = unsigned
        """Why it is not known to be Twilio's; None when it is."""

    def response(self) -> web.Response:
        """The refusal as a response."""
        return web.json_response({"error": {"message": str(self)}}, status=self.status)


@dataclass(frozen=True, slots=True)
class Webhooks:
    """The handlers of both webhooks."""

    public_url: str
    reply_within_seconds: float
    database: Database
    catalog: Catalog
    accounts: Accounts
    admission: Admission
    delivery: Delivery
    windows: ReplyWindows
    timers: Timers
    prices: PriceList
    metrics: Metrics
    unsigned: Unsigned

    def routes(self) -> list[web.RouteDef]:
        """The routes."""
        return [
            web.post("/webhook/whatsapp", self.receive),
            web.post("/webhook/whatsapp/status", self.receive_status),
        ]

    async def receive(self, request: web.Request) -> web.StreamResponse:
        """A user's message: 200 with TwiML, the answer in it when it was ready in time."""
        bot: BotRecord | None = None
        began = time.monotonic()
        try:
            form = await _form(request, ("AccountSid", "MessageSid", "From", "To"))
            bot = _known(await self._verified_bot(request, form, form["To"][0]), form)
            prices = self.prices.known(bot.label, form["From"][0]) or await self._prices(bot, form["From"][0])
            result, awaited = await self.admission.accept(inbound_message(form, bot, prices), bot)
        except WebhookRefused as refusal:
            if refusal.unsigned is None:
                self.metrics.inbound(NO_CLIENT, "refused")
            else:
                self.unsigned.note(refusal.unsigned)
            return refusal.response()
        except StoreError as error:
            self.metrics.inbound(client_label(bot), "not_stored")
            log.error("message_not_stored", error=str(error))
            return web.json_response({"error": {"message": "not stored, try again"}}, status=503)
        self.metrics.inbound(client_label(bot), result)
        if result != "duplicate":
            self.metrics.charged(bot.label, [Line(prices.message_in, 1)])
            message = (form["AccountSid"][0], form["MessageSid"][0])
            facts = {"client": client_label(bot), "number": bot.twilio_phone_number}
            webhook_span(message, time.monotonic() - began, **facts)
        log.info(
            "duplicate_message_received" if result == "duplicate" else "message_received",
            client=client_label(bot),
            number=bot.twilio_phone_number,
            user=masked_user(form["From"][0]),
            message_sid=form["MessageSid"][0],
        )
        # Nothing was awaited since the message was stored, so its turn cannot have ended yet.
        return await self._respond(request, awaited)

    async def _prices(self, bot: BotRecord, address: str) -> MessagePrices:
        """The prices of messages with a user, who writes from there for the first time today; raises StoreError, as for
        a message that is not stored in time."""
        with StoreDeadline():
            return await self.prices.of_messages(bot.label, address)

    async def receive_status(self, request: web.Request) -> web.Response:
        """The delivery status of one of our messages: queued, sent, delivered, read, or failed."""
        try:
            form = await _form(request, ("AccountSid", "MessageSid", "MessageStatus", "From", "To"))
            bot = await self._verified_bot(request, form, form["From"][0])
            code = portable(form.get("ErrorCode", [""])[0])
            row_id = _row_id(request)
            note = await self.database.write(
                postponed_sends.record_callback,
                account_sid=form["AccountSid"][0],
                message_sid=form["MessageSid"][0],
                sender=form["From"][0],
                recipient=form["To"][0],
                status=form["MessageStatus"][0],
                code=code,
                row_id=row_id,
                prices=await self.prices.of_messages(client_label(bot), form["To"][0]),
                spread=spread(),
                waits_seconds=await waits_seconds(self.catalog, bot, code),
            )
        except WebhookRefused as refusal:
            if refusal.unsigned is not None:
                self.unsigned.note(refusal.unsigned)
            return refusal.response()
        except StoreError as error:
            log.error("status_not_stored", error=str(error))
            return web.json_response({"error": {"message": "not stored, try again"}}, status=503)
        count_status(note, client_label(bot), code, self.metrics, self.timers)
        if row_id is not None:
            self.delivery.note_status(row_id, form["MessageStatus"][0])
        log.log(
            30 if code else 10,
            "message_status",
            client=client_label(bot) or None,
            number=number_of(form["From"][0]),
            status=form["MessageStatus"][0],
            message_sid=form["MessageSid"][0],
            error_code=code or None,
            error=in_words(code or None),
            ours=note.is_ours,
            failure=note.failure,
        )
        return web.Response(status=204)

    async def _verified_bot(self, request: web.Request, form: Form, address: str) -> BotRecord | None:
        """The bot with that address; raises WebhookRefused unless its account signed the request."""
        bot = await self.catalog.bot_of_number(number_of(address))
        settings = request.headers.get(SETTINGS_HEADER)
        secrets = self.accounts.webhook_secrets(bot, form["AccountSid"][0], shared_key=settings is not None)
        if not is_signed(
            request.headers.get(SIGNATURE_HEADER),
            secrets,
            self.public_url + request.raw_path,
            form,
            algorithm=algorithm_of(settings),
        ):
            is_ours = bot is not None and bool(secrets)
            if is_ours:
                self.unsigned.note_wrong(number_of(address), self.public_url)
            text = "not signed by the Twilio account of this number"
            raise WebhookRefused(403, text, "wrong_signature" if is_ours else "stranger")
        return bot

    async def _respond(self, request: web.Request, awaited: StoredMessage | None) -> web.StreamResponse:
        if awaited is None or self.reply_within_seconds <= 0:
            return _nothing()
        with self.windows.opened(awaited, lambda: _is_connected(request)) as window:
            return _nothing() if window is None else await self._answered(request, window)

    async def _answered(self, request: web.Request, window: ReplyWindow) -> web.StreamResponse:
        """The response with the answer, or an empty one when there is none in time."""
        delivered: bool | None = False
        try:
            document = await window.wait(self.reply_within_seconds)
            if document is None or not _is_connected(request):
                return _nothing()
            # From the first byte on, only Twilio knows whether it received the answer, unless all was written.
            delivered = None
            response = _twiml(document)
            await response.prepare(request)
            await response.write_eof()
            delivered = True if _is_connected(request) else None
        except ConnectionError:
            log.info("webhook_disconnected")
            return _nothing()
        else:
            return response
        finally:
            window.written(delivered)


async def _form(request: web.Request, required: Sequence[str]) -> Form:
    """The form's fields with all their values; raises WebhookRefused when it is unsigned, not a form, or a required
    field is missing or cannot be stored."""
    if not request.headers.get(SIGNATURE_HEADER):
        raise WebhookRefused(403, f"not signed: the header {SIGNATURE_HEADER} is missing", "no_signature")
    if request.content_type != "application/x-www-form-urlencoded":
        raise WebhookRefused(400, "the body must be application/x-www-form-urlencoded", "malformed")
    try:
        form = decoded_form(await _body(request))
    except ValueError as error:
        raise WebhookRefused(400, "the body is not a valid form in UTF-8", "malformed") from error
    for name in required:
        if not form.get(name, [""])[0]:
            raise WebhookRefused(400, f"the field {name} is missing", "malformed")
        if not is_storable(form[name][0]):
            raise WebhookRefused(400, f"the field {name} has a character that cannot be stored", "malformed")
    return form


async def _body(request: web.Request) -> bytes:
    try:
        return await whole_body(request, MAX_BODY_BYTES)
    except web.HTTPRequestEntityTooLarge as error:
        raise WebhookRefused(413, f"the body is larger than {MAX_BODY_BYTES // 1024} KiB", "malformed") from error
    except BodyIncomplete as error:
        raise WebhookRefused(400, str(error), "malformed") from error


def _row_id(request: web.Request) -> int | None:
    """The outbox row of a callback, from its URL, which we set and the signature covers."""
    given = request.query.get(ROW_PARAMETER, "")
    return int(given) if given.isascii() and given.isdecimal() and len(given) <= ROW_DIGITS else None


def _known(bot: BotRecord | None, form: Form) -> BotRecord:
    if bot is None:
        number = number_of(form["To"][0])
        log.warning("unknown_number", number=number, message_sid=form["MessageSid"][0])
        raise WebhookRefused(404, f"no bot has the number {number}")
    return bot


def _nothing() -> web.Response:
    return web.Response(body=_NOTHING, headers=_XML)


def _twiml(document: str) -> web.Response:
    return web.Response(text=document, content_type="text/xml")


def _is_connected(request: web.Request) -> bool:
    return request.transport is not None and not request.transport.is_closing()
