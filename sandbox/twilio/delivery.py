"""The statuses of an accepted message: queued, sent, delivered, maybe read, with a signed callback for each step.

Failures that are not known at once happen here: free text to someone who did not write within 24 hours is accepted, and
then undelivered with 63016, as on WhatsApp; one whose file cannot be fetched fails, as does one that WhatsApp does not
take. Callbacks of one message go out in order, unless a fault reorders them.

Messages to one user keep no order among themselves, as on WhatsApp; a fault makes sure of it: a message is overtaken by
the next one, unless that is sent only after this one is `sent`. The ledger has the order in which they were delivered.
"""

import asyncio
from dataclasses import dataclass

from sandbox.faults import DELIVERY_KINDS
from sandbox.state import State
from sandbox.storage import Json, new_id
from sandbox.twilio.media import Media
from sandbox.twilio.media_fetch import MediaRefused, MediaUrlFetcher
from sandbox.twilio.messages import TABLE, Messages
from sandbox.twilio.webhook_sender import Envelope, WebhookSender
from sandbox.twilio.wire import ACCOUNTS, NAME, rfc2822

_WINDOW = 24 * 3600
_UNDER_WAY = ("queued", "sent")
_LAST = ("delivered", "undelivered", "failed")
"""What the ledger records: which of them a message comes to."""


@dataclass(frozen=True, slots=True)
class Failure:
    """How a message ends that does not reach the user: its status, and Twilio's error code and message."""

    status: str
    code: int
    message: str


_OUTSIDE = Failure(
    "undelivered",
    63016,
    "Failed to send freeform message because you are outside the allowed window. Please use a Template.",
)
_STOPPED = Failure("undelivered", 63014, "Message failed to be delivered since it was blocked by a user action.")
"""Which of Twilio's codes stands for Meta's 131050 (the user stopped marketing) is not documented; 63014 fits best."""


class SimulatedDelivery:
    """Takes every outbound message to its final status."""

    def __init__(
        self, state: State, messages: Messages, media: Media, webhook_sender: WebhookSender, fetcher: MediaUrlFetcher
    ) -> None:
        self._state = state
        self._messages = messages
        self._media = media
        self._fetcher = fetcher
        self._webhook_sender = webhook_sender
        self._to_be_overtaken: dict[tuple[str, str], asyncio.Future[asyncio.Event]] = {}
        """Sender and user → what is given the end of the delivery of the next message between them."""
        messages.on_outbound.append(self._begin)
        state.after_reset.append(self._to_be_overtaken.clear)

    def resume(self) -> None:
        """Resumes the messages that were in progress when the process last ended."""
        for message in list(self._state.storage.values(TABLE)):
            if message["status"] in _UNDER_WAY:
                self._begin(message)

    def _begin(self, message: Json) -> None:
        pair = message["from"], message["to"]
        ended = asyncio.Event()
        if (before := self._to_be_overtaken.pop(pair, None)) is not None:
            before.set_result(ended)
        path = f"/2010-04-01/Accounts/{message['account_sid']}/Messages.json"
        seconds, failure = 0.0, self._failure_of(message)
        for rule in self._state.faults.matching(NAME, "POST", path, DELIVERY_KINDS):
            if rule.kind in ("undelivered", "failed"):
                failure = Failure(rule.kind, rule.code, "Channel provider returned an error")
            else:
                self._to_be_overtaken[pair] = asyncio.get_running_loop().create_future()
                seconds = rule.hold(0.5)
        self._state.background.start(self._carry(message, self._to_be_overtaken.get(pair), seconds, ended, failure))

    async def _carry(
        self,
        message: Json,
        overtaken: asyncio.Future[asyncio.Event] | None,
        seconds: float,
        ended: asyncio.Event,
        failure: Failure | None,
    ) -> None:
        told = self._tell(message, None)
        try:
            if overtaken is not None:
                await self._be_overtaken(message, overtaken, seconds)
            await self._deliver_message(message, told, failure)
        finally:
            ended.set()

    async def _be_overtaken(self, message: Json, overtaken: asyncio.Future[asyncio.Event], seconds: float) -> None:
        """Waits for the next message to the user, and until it is delivered; not for one that does not come in time."""
        done, _ = await asyncio.wait([overtaken], timeout=seconds)
        if done:
            await overtaken.result().wait()
        elif self._to_be_overtaken.get(pair := (message["from"], message["to"])) is overtaken:
            del self._to_be_overtaken[pair]

    async def _deliver_message(self, message: Json, told: asyncio.Event | None, failure: Failure | None) -> None:
        sid = message["sid"]
        failure = failure or await self._fetch_failure(message)
        for status in (failure.status,) if failure else self._steps():
            await asyncio.sleep(self._state.settings.values.delivery_seconds)
            current = self._state.storage.get(TABLE, sid)
            if current is None:
                return
            dates = dict.fromkeys(("date_sent", "date_updated"), rfc2822(self._state.settings.time()))
            changed = {**current, **dates, "status": status}
            if failure:
                changed |= {"error_code": failure.code, "error_message": failure.message}
            row = self._state.storage.put(TABLE, sid, changed)
            if status in _LAST:
                parties = {name: message[name] for name in ("from", "to")}
                self._state.ledger.append(status, NAME, message_sid=sid, **parties)
            told = self._tell(row, told)

    def _steps(self) -> tuple[str, ...]:
        """The statuses of a message that reaches the user."""
        return ("sent", "delivered", "read") if self._state.settings.values.read_receipts else ("sent", "delivered")

    def _failure_of(self, message: Json) -> Failure | None:
        if message.get("_failure"):
            return Failure(**message["_failure"])
        if message["_template"] == "marketing" and self._messages.is_stopped(message["from"], message["to"]):
            return _STOPPED
        if not self._state.settings.values.session_window or message["_template"]:
            return None
        heard = self._messages.last(message["to"], message["from"])
        return _OUTSIDE if heard is None or message["_at"] - heard["_at"] > _WINDOW else None

    async def _fetch_failure(self, message: Json) -> Failure | None:
        """Fetches the message's files, which are listed with it afterwards."""
        urls = message.get("_fetch") or []
        if not urls or not self._state.settings.values.fetch_media:
            return None
        if len(urls) > 1:
            return Failure("failed", 63021, "Channel invalid content error: a WhatsApp message has one file")
        try:
            file = await self._fetcher.fetch(message["sid"], urls[0])
        except MediaRefused as refused:
            text = "Media failed to download" if refused.code == 63019 else "Channel invalid content error"
            return Failure("failed", refused.code, f"{text}: {refused}")
        self._media.keep(message["account_sid"], message["sid"], file.content_type, file.content)
        return None

    def _tell(self, message: Json, before: asyncio.Event | None) -> asyncio.Event | None:
        """Starts the callback of a status. The event is set when it arrived; the next one waits for that."""
        if not message["_callback"]:
            return None
        done = asyncio.Event()
        self._state.background.start(self._call_back(self._envelope(message), before, done))
        return done

    async def _call_back(self, envelope: Envelope, before: asyncio.Event | None, done: asyncio.Event) -> None:
        try:
            await self._webhook_sender.deliver(envelope, before)
        finally:
            done.set()

    def _envelope(self, message: Json) -> Envelope:
        fields = {
            "SmsSid": message["sid"],
            "MessageSid": message["sid"],
            "SmsStatus": message["status"],
            "MessageStatus": message["status"],
            "AccountSid": message["account_sid"],
            "From": message["from"],
            "To": message["to"],
            "ApiVersion": "2010-04-01",
            "ChannelPrefix": "whatsapp",
            "ChannelInstallSid": "XE" + "0" * 32,
        }
        if message["status"] == "read":
            fields["EventType"] = "READ"
        if message["error_code"] is not None:
            fields |= {"ErrorCode": str(message["error_code"]), "ChannelStatusMessage": message["error_message"]}
        token = self._state.storage.rows(ACCOUNTS)[message["account_sid"]]["auth_token"]
        return Envelope(message["_callback"], "POST", fields, token, message["sid"], "status", new_id("", 32))
