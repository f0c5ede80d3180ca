"""/2010-04-01/Accounts/{sid}/Messages: messages out, and the record of those that came in.

An accepted message goes queued, sent, delivered, with a signed callback for each step. What cannot be known at once
fails later: free text outside the 24-hour window is accepted and then undelivered with 63016, as on WhatsApp.
"""

import asyncio
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime

from aiohttp import web

from sandbox.gate import answer
from sandbox.state import Json, new_id, public
from sandbox.twilio.courier import Courier, Envelope
from sandbox.twilio.senders import Senders
from sandbox.twilio.wire import ACCOUNTS, NAME, Page, acting_account, error, form_of, not_found, rfc2822
from sandbox.world import World

TABLE = "messages"
ADDRESS = re.compile(r"^whatsapp:(\+[1-9]\d{6,14}|[A-Z]{2}(\.[A-Za-z]{2,8})?\.[A-Za-z0-9]{1,128})$")
_LONGEST = 1600
_WINDOW = 24 * 3600
_FINAL = ("delivered", "undelivered", "failed", "received", "read", "canceled")
_OUTSIDE_WINDOW = (
    63016,
    "Failed to send freeform message because you are outside the allowed window. Please use a Template.",
)


class Messages:
    """Handlers of Messages.json, and the door through which inbound traffic and TwiML make messages."""

    def __init__(self, world: World, senders: Senders, courier: Courier) -> None:
        self._world = world
        self._senders = senders
        self._courier = courier
        self._between: dict[tuple[str, str], list[str]] = {}
        self.on_outbound: list[Callable[[Json], None]] = []
        self.index()

    def index(self) -> None:
        """Reads the messages of an earlier life of this process, and goes on delivering what was under way."""
        self._between = {}
        for message in self._world.state.values(TABLE):
            self._between.setdefault((message["from"], message["to"]), []).append(message["sid"])

    def resume(self) -> None:
        for message in list(self._world.state.values(TABLE)):
            if message["status"] not in _FINAL:
                self._world.errands.start(self._carry(message["sid"]))

    def routes(self) -> list[web.RouteDef]:
        base = "/2010-04-01/Accounts/{account}/Messages"
        return [
            web.post(f"{base}.json", self.create),
            web.get(f"{base}.json", self.list_all),
            web.get(f"{base}/{{sid}}.json", self.get),
            web.post(f"{base}/{{sid}}.json", self.update),
            web.delete(f"{base}/{{sid}}.json", self.delete),
        ]

    def record(self, account: str, sid: str, **fields: object) -> Json:
        """Keeps a message, in or out, as it goes over the wire."""
        now = time.time()
        uri = f"/2010-04-01/Accounts/{account}/Messages/{sid}"
        message: Json = {
            "sid": sid,
            "account_sid": account,
            "api_version": "2010-04-01",
            "date_created": rfc2822(now),
            "date_updated": rfc2822(now),
            "date_sent": rfc2822(now),
            "error_code": None,
            "error_message": None,
            "messaging_service_sid": None,
            "num_segments": "1",
            "price": None,
            "price_unit": None,
            "uri": f"{uri}.json",
            "subresource_uris": {"media": f"{uri}/Media.json"},
            "_at": now,
            **fields,
        }
        self._between.setdefault((message["from"], message["to"]), []).append(sid)
        return self._world.state.put(TABLE, sid, message)

    def send(self, account: str, form: dict[str, list[str]], via: str, in_reply_to: str | None = None) -> Json:
        """Accepts an outbound message. Raises Twilio's errors for what it refuses at once."""
        sender, to, body, media = self._checked(account, form)
        callback = form.get("StatusCallback", [""])[0] or sender["webhook"]["status_callback_url"]
        sid = new_id("MM" if media else "SM")
        message = self.record(
            account,
            sid,
            **{"from": sender["sender_id"]},
            to=to,
            body=body,
            direction="outbound-reply" if via == "twiml" else "outbound-api",
            status="queued",
            num_media=str(len(media)),
            date_sent=None,
            _media=media,
            _template=form.get("ContentSid", [None])[0],
            _callback=callback,
        )
        self._world.ledger.append(
            "outbound",
            NAME,
            message_sid=sid,
            **{"from": message["from"]},
            to=to,
            body=body,
            media=media,
            via=via,
            in_reply_to=in_reply_to,
        )
        for listener in self.on_outbound:
            listener({**message, "_via": via})
        self._world.errands.start(self._carry(sid))
        return message

    def _checked(self, account: str, form: dict[str, list[str]]) -> tuple[Json, str, str, list[str]]:
        to, origin, body = (form.get(name, [""])[0] for name in ("To", "From", "Body"))
        media = [url for url in form.get("MediaUrl", []) if url]
        template = form.get("ContentSid", [""])[0]
        if not to:
            raise error(400, 21604, "A 'To' phone number is required.")
        if not origin:
            raise error(400, 21603, "A 'From' phone number is required.")
        if not body and not media and not template:
            raise error(400, 21619, "A text message body or media urls must be specified.")
        if len(body) > _LONGEST:
            raise error(400, 21617, f"The concatenated message body exceeds the {_LONGEST} character limit")
        if to.startswith("whatsapp:") != origin.startswith("whatsapp:"):
            raise error(
                400, 21910, f"Invalid From and To pair. From and To should be of the same channel: {origin}, {to}"
            )
        if not ADDRESS.match(to):
            raise error(400, 21211, f"Invalid 'To' Phone Number: {to}")
        if to == origin:
            raise error(400, 63031, "Channels message cannot have same From and To")
        sender = self._senders.by_number(origin.removeprefix("whatsapp:"))
        if sender is None or sender["_account"] != account or not sender["status"].startswith("ONLINE"):
            raise error(400, 63007, "Twilio could not find a Channel with the specified From address")
        return sender, to, body, media

    async def _carry(self, sid: str) -> None:
        """Takes a message from queued to its end, a callback for each step."""
        step = self._world.settings.values.delivery_seconds
        message = self._world.state.get(TABLE, sid)
        if message is None:
            return
        await self._announce(message)
        failed = self._outside_window(message)
        for status in ("undelivered",) if failed else ("sent", "delivered"):
            await asyncio.sleep(step)
            code, text = _OUTSIDE_WINDOW if failed else (None, None)
            now = rfc2822(time.time())
            current = self._world.state.get(TABLE, sid)
            if current is None:
                return
            changed = {
                **current,
                "status": status,
                "date_sent": now,
                "date_updated": now,
                "error_code": code,
                "error_message": text,
            }
            await self._announce(self._world.state.put(TABLE, sid, changed))

    def _outside_window(self, message: Json) -> bool:
        if not self._world.settings.values.session_window or message["_template"]:
            return False
        heard = self._between.get((message["to"], message["from"]), [])
        last = self._world.state.get(TABLE, heard[-1]) if heard else None
        return last is None or message["_at"] - last["_at"] > _WINDOW

    async def _announce(self, message: Json) -> None:
        if not message["_callback"]:
            return
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
        if message["error_code"] is not None:
            fields |= {"ErrorCode": str(message["error_code"]), "ChannelStatusMessage": message["error_message"]}
        token = self._world.state.rows(ACCOUNTS)[message["account_sid"]]["auth_token"]
        envelope = Envelope(message["_callback"], "POST", fields, token, message["sid"], "status", new_id("", 32))
        self._world.errands.start(self._deliver(envelope))

    async def _deliver(self, envelope: Envelope) -> None:
        await self._courier.deliver(envelope)

    def found(self, request: web.Request) -> Json:
        account = acting_account(self._world, request)
        message = self._world.state.get(TABLE, request.match_info["sid"])
        if message is None or message["account_sid"] != account:
            raise not_found(request.path)
        return message

    async def create(self, request: web.Request) -> web.Response:
        account = acting_account(self._world, request)
        return answer(public(self.send(account, await form_of(request), "rest")), 201)

    async def get(self, request: web.Request) -> web.Response:
        return answer(public(self.found(request)))

    async def update(self, request: web.Request) -> web.Response:
        message = self.found(request)
        form = await form_of(request)
        if form.get("Body", [""]) != [""]:
            raise error(400, 20001, "Body can only be updated to an empty string, which redacts the message")
        return answer(public(self._world.state.put(TABLE, message["sid"], {**message, "body": ""})))

    async def delete(self, request: web.Request) -> web.Response:
        message = self.found(request)
        self._world.state.delete(TABLE, message["sid"])
        self._between[message["from"], message["to"]].remove(message["sid"])
        return web.Response(status=204)

    async def list_all(self, request: web.Request) -> web.Response:
        account = acting_account(self._world, request)
        page = Page(request, self._chosen(account, request), 50)
        rows = self._world.state.rows(TABLE)
        return answer(
            {
                "messages": [public(rows[sid]) for sid in page.keys],
                "page": page.number,
                "page_size": page.size,
                "start": page.start,
                "end": page.start + max(len(page.keys) - 1, 0),
                "uri": page.here,
                "first_page_uri": page.first,
                "next_page_uri": page.following,
                "previous_page_uri": page.previous,
            }
        )

    def _chosen(self, account: str, request: web.Request) -> list[str]:
        """The account's messages that pass the filters, newest first."""
        origin, to = request.query.get("From"), request.query.get("To")
        rows = self._world.state.rows(TABLE)
        pairs = (
            [(origin, to)]
            if origin and to
            else [pair for pair in self._between if origin in (None, pair[0]) and to in (None, pair[1])]
        )
        messages = [rows[sid] for pair in pairs for sid in self._between.get(pair, [])]
        day = request.query.get("DateSent")
        least = _instant(request.query.get("DateSent>") or request.query.get("DateSent>="), 0.0)
        most = _instant(request.query.get("DateSent<") or request.query.get("DateSent<="), float("inf"))
        messages = [item for item in messages if item["account_sid"] == account and least <= item["_at"] <= most]
        if day:
            messages = [
                item for item in messages if datetime.fromtimestamp(item["_at"], UTC).date().isoformat() == day[:10]
            ]
        messages.sort(key=lambda item: item["_at"], reverse=True)
        return [item["sid"] for item in messages]


def _instant(text: str | None, default: float) -> float:
    """A filter's date or date-time, in seconds; Twilio reads both as GMT."""
    if not text:
        return default
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise error(400, 20001, f"Invalid DateSent filter {text}") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
