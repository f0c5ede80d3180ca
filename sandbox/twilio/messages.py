"""/2010-04-01/Accounts/{sid}/Messages: messages out, and the record of those that came in.

It accepts, refuses, stores and lists; `delivery` takes an accepted message to its final status.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from aiohttp import web

from sandbox.middleware import answer
from sandbox.price_table import TWILIO
from sandbox.state import State
from sandbox.storage import Json, new_id, public
from sandbox.twilio import message_rules
from sandbox.twilio.addresses import PREFIX, USER, number_of
from sandbox.twilio.contents import rendered
from sandbox.twilio.message_rules import Form
from sandbox.twilio.senders import Senders
from sandbox.twilio.wire import NAME, Page, acting_account, dollars, error, form_of, not_found, rfc2822

_STOPPED = "stopped_promotions"
TABLE = "messages"
_FEES = {
    "received": "twilio_in",
    **dict.fromkeys(("sent", "delivered", "read", "undelivered"), "twilio_out"),
    "failed": "twilio_failed",
}
"""Status → what Twilio charges for the message; before that it is not priced."""


class Messages:
    """Handlers of Messages.json, and what inbound traffic and TwiML need to create messages."""

    def __init__(self, state: State, senders: Senders) -> None:
        self._state = state
        self._senders = senders
        self._between: dict[tuple[str, str], list[str]] = {}
        self.on_outbound: list[Callable[[Json], None]] = []
        self.index()

    def index(self) -> None:
        """Reads what an earlier process stored."""
        self._between = {}
        for message in self._state.storage.values(TABLE):
            self._between.setdefault((message["from"], message["to"]), []).append(message["sid"])

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
        """Stores a message, in or out, as it goes over the wire."""
        now = self._state.settings.time()
        date = rfc2822(now)
        uri = f"/2010-04-01/Accounts/{account}/Messages/{sid}"
        message: Json = {
            "sid": sid,
            "account_sid": account,
            "api_version": "2010-04-01",
            "date_created": date,
            "date_updated": date,
            "date_sent": date,
            "error_code": None,
            "error_message": None,
            "messaging_service_sid": None,
            "num_segments": "1",
            "uri": f"{uri}.json",
            "subresource_uris": {"media": f"{uri}/Media.json"},
            "_at": now,
            **fields,
        }
        self._between.setdefault((message["from"], message["to"]), []).append(sid)
        return self._state.storage.put(TABLE, sid, message)

    def last(self, origin: str, to: str) -> Json | None:
        """The latest message from one address to another."""
        return next(self.newest(origin, to), None)

    def newest(self, origin: str, to: str) -> Iterator[Json]:
        """The messages from one address to another, the latest first."""
        rows = self._state.storage.rows(TABLE)
        return (rows[sid] for sid in reversed(self._between.get((origin, to), [])))

    def send(self, account: str, form: Form, via: str, in_reply_to: str | None = None) -> Json:
        """Accepts an outbound message. Raises Twilio's errors for what it refuses at once."""
        sender = self._checked(account, form)
        to, body, template, callback = (_one(form, name) for name in ("To", "Body", "ContentSid", "StatusCallback"))
        media = [url for url in form.get("MediaUrl", []) if url]
        content = None
        if template:
            content = rendered(self._state, account, template, _one(form, "ContentVariables"))
            body, media = content.shown.body, content.shown.media
        category = content.category if content else None
        shown = content.shown.as_json() if content else None
        message = self.record(
            account,
            new_id("MM" if media else "SM"),
            **{"from": sender["sender_id"]},
            to=to,
            body=body,
            direction="outbound-reply" if via == "twiml" else "outbound-api",
            status="queued",
            num_media=str(len(media)),
            date_sent=None,
            _template=category,
            _content=shown,
            _failure=content.failure if content else None,
            _fetch=media,
            _callback=callback or sender["webhook"]["status_callback_url"],
            _via=via,
        )
        self._state.ledger.append(
            "outbound",
            NAME,
            message_sid=message["sid"],
            **{name: message[name] for name in ("from", "to", "body", "account_sid")},
            template=category,
            media=media,
            **({"content": shown} if shown else {}),
            via=via,
            in_reply_to=in_reply_to,
        )
        for listener in self.on_outbound:
            listener(message)
        return message

    def _checked(self, account: str, form: Form) -> Json:
        """The sender of a message that Twilio would accept."""
        to, origin, body = (_one(form, name) for name in ("To", "From", "Body"))
        if not to:
            raise error(400, 21604, "A 'To' phone number is required.")
        if not origin:
            raise error(400, 21603, "A 'From' phone number is required.")
        if not body and not any(form.get("MediaUrl", [])) and not _one(form, "ContentSid"):
            raise error(400, 21619, "A text message body or media urls must be specified.")
        message_rules.check(form)
        if to.startswith(PREFIX) != origin.startswith(PREFIX):
            message = f"Invalid From and To pair. From and To should be of the same channel: {origin}, {to}"
            raise error(400, 21910, message)
        if not USER.match(to):
            raise error(400, 21211, f"Invalid 'To' Phone Number: {to}")
        if to == origin:
            raise error(400, 63031, "Channels message cannot have same From and To")
        sender = self._senders.by_number(number_of(origin))
        if sender is None or sender["_account"] != account or not sender["status"].startswith("ONLINE"):
            raise error(400, 63007, "Twilio could not find a Channel with the specified From address")
        return sender

    def stop_promotions(self, sender: str, user: str) -> None:
        """WhatsApp delivers no marketing template of the sender to the user any more."""
        self._state.storage.put(_STOPPED, f"{sender} {user}", {"sender": sender, "user": user})

    def is_stopped(self, sender: str, user: str) -> bool:
        """Whether the user has stopped the sender's marketing."""
        return self._state.storage.get(_STOPPED, f"{sender} {user}") is not None

    def found(self, request: web.Request) -> Json:
        """The message in the path. Raises Twilio's 404."""
        account = acting_account(self._state, request)
        message = self._state.storage.get(TABLE, request.match_info["sid"])
        if message is None or message["account_sid"] != account:
            raise not_found(request.path)
        return message

    def _shown(self, message: Json) -> Json:
        """The message with what it costs, once that is known."""
        cost = self._cost(message)
        price, unit = (None, None) if cost is None else (dollars(-cost), "USD")
        return {**public(message), "price": price, "price_unit": unit}

    def _cost(self, message: Json) -> int | None:
        """What the account pays for a message, in 10⁻⁹ USD. None before it was sent, and for what has no price."""
        kind = _FEES.get(message["status"])
        if kind is None:
            return None
        fee = TWILIO[kind]
        if self._state.settings.values.message_price == "twilio":
            return fee
        charge = self._state.prices.of_meta(message["sid"])
        if charge is None:
            return fee
        return None if charge.amount is None else fee + charge.amount

    async def create(self, request: web.Request) -> web.Response:
        account = acting_account(self._state, request)
        return answer(self._shown(self.send(account, await form_of(request), "rest")), 201)

    async def get(self, request: web.Request) -> web.Response:
        return answer(self._shown(self.found(request)))

    async def update(self, request: web.Request) -> web.Response:
        message = self.found(request)
        form = await form_of(request)
        if _one(form, "Status") not in ("", "canceled"):
            raise error(400, 20001, f"Invalid parameter Status: {_one(form, 'Status')}")
        if "Body" not in form or _one(form, "Body"):
            raise error(400, 20001, "Body can only be updated to an empty string, which redacts the message")
        return answer(self._shown(self._state.storage.put(TABLE, message["sid"], {**message, "body": ""})))

    def require_complete(self, message: Json) -> None:
        """Raises Twilio's error for a message that is too new to be deleted, or any of its media."""
        if self._state.settings.time() - message["_at"] < self._state.settings.values.complete_seconds:
            raise error(409, 20009, "Cannot delete message because delivery has not been completed.")

    def delete_media(self, row: Json) -> None:
        """Deletes a medium of a message, and its content."""
        self._state.storage.blob(row["sid"]).unlink(missing_ok=True)
        self._state.storage.delete(f"media/{row['parent_sid']}", row["sid"])

    async def delete(self, request: web.Request) -> web.Response:
        """Deletes a message with its media."""
        message = self.found(request)
        self.require_complete(message)
        for row in list(self._state.storage.values(f"media/{message['sid']}")):
            self.delete_media(row)
        self._state.storage.delete(TABLE, message["sid"])
        self._between[message["from"], message["to"]].remove(message["sid"])
        return web.Response(status=204)

    async def list_all(self, request: web.Request) -> web.Response:
        account = acting_account(self._state, request)
        page = Page(request, self._chosen(account, request), 50)
        rows = self._state.storage.rows(TABLE)
        return answer({"messages": [self._shown(rows[sid]) for sid in page.keys], **page.uris()})

    def _chosen(self, account: str, request: web.Request) -> list[str]:
        """The account's messages that pass the filters, newest first."""
        query = request.query
        origin, to = query.get("From"), query.get("To")
        pairs = [(origin, to)] if origin and to else self._between
        rows = self._state.storage.rows(TABLE)
        messages = [
            rows[sid]
            for pair in pairs
            if origin in (None, pair[0]) and to in (None, pair[1])
            for sid in self._between.get((str(pair[0]), str(pair[1])), [])
        ]
        day = query.get("DateSent", "")[:10]
        least = _instant(query.get("DateSent>") or query.get("DateSent>="), 0.0)
        most = _instant(query.get("DateSent<") or query.get("DateSent<="), float("inf"))
        chosen = [
            message
            for message in messages
            if message["account_sid"] == account and least <= message["_at"] <= most and day in ("", _day(message))
        ]
        # `sort(reverse=True)` would leave messages of one tick of the clock in the order in which they came.
        chosen.sort(key=lambda message: message["_at"])
        return [message["sid"] for message in reversed(chosen)]


def _one(form: Form, name: str) -> str:
    return form.get(name, [""])[0]


def _day(message: Json) -> str:
    return datetime.fromtimestamp(message["_at"], UTC).date().isoformat()


def _instant(text: str | None, default: float) -> float:
    """A filter's date or date-time, in seconds; Twilio reads both as GMT."""
    if not text:
        return default
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise error(400, 20001, f"Invalid DateSent filter {text}") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
