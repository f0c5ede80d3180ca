"""/v2/Channels/Senders: WhatsApp senders with Twilio's life cycle and its traps.

A list is sparse, an update answers 202 and echoes only what was sent, a new sender takes its time. A status has no task
of its own: it is computed from the clock when it is read, so it survives a restart.
"""

import time

from aiohttp import web

from sandbox.middleware import answer
from sandbox.state import State
from sandbox.storage import Json, new_id
from sandbox.twilio import sender_rules as rules
from sandbox.twilio.addresses import SENDER, number_of
from sandbox.twilio.wire import Page, account_of, error, not_found

TABLE = "senders"
_ATTEMPTS = "registrations"
_MOST_ATTEMPTS = 10
_ATTEMPT_WINDOW = 72 * 3600.0
_PENDING = ("pending_display_name", "pending_display_name_status")
_PROPERTIES: Json = {"quality_rating": "HIGH", "messaging_limit": "10K Customers/24hr"}
_NO_WEBHOOK: Json = dict.fromkeys(rules.WEBHOOK_KEYS)
_NO_PROFILE: Json = dict.fromkeys(rules.PROFILE_KEYS)
_DECIDED = ("approve", "decline")
"""Verdicts that end a review."""
_WHATSAPP_PAGE = 20
_RCS_PAGE = 50


class Senders:
    """Handlers of /v2/Channels/Senders, and what messages need to find a sender."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._by_number: dict[str, str] = {}
        self.index()

    def index(self) -> None:
        self._by_number = {
            number_of(sender["sender_id"]): sid for sid, sender in self._state.storage.rows(TABLE).items()
        }

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v2/Channels/Senders", self.list_all),
            web.post("/v2/Channels/Senders", self.create),
            web.get("/v2/Channels/Senders/{sid}", self.get),
            web.post("/v2/Channels/Senders/{sid}", self.update),
            web.delete("/v2/Channels/Senders/{sid}", self.delete),
        ]

    def by_number(self, number: str) -> Json | None:
        sid = self._by_number.get(number)
        sender = self._state.storage.get(TABLE, sid) if sid else None
        return self._settled(sender) if sender else None

    def named(self, name: str) -> Json | None:
        """A sender by its number, its friendly name (the id in its manifest), or its display name with hyphens."""
        if (sender := self.by_number(number_of(name))) is not None:
            return sender
        wanted = _slug(name)
        for sender in self._state.storage.values(TABLE):
            if wanted in (_slug(sender["friendly_name"]), _slug(sender["profile"]["name"])):
                return self._settled(sender)
        return None

    def register(self, account: str, sender_id: str, parts: Json, status: str) -> Json:
        """Makes a sender in the given status, without any of the checks of the API."""
        sid = new_id("XE")
        sender = {
            "sid": sid,
            "sender_id": sender_id,
            "status": status,
            "friendly_name": parts.get("friendly_name"),
            "webhook": {**_NO_WEBHOOK, **(parts.get("webhook") or {})},
            "profile": {**_NO_PROFILE, **(parts.get("profile") or {})},
            "configuration": {
                "waba_id": "100000000000001",
                "voice_application_sid": None,
                **(parts.get("configuration") or {}),
            },
            "offline_reasons": None,
            "_account": account,
            "_since": time.time(),
        }
        self._by_number[number_of(sender_id)] = sid
        return self._state.storage.put(TABLE, sid, sender)

    def change(self, sender: Json, parts: Json, **more: object) -> Json:
        """Merges a checked body into a sender: key by key inside webhook, profile and configuration."""
        merged: Json = {
            part: {**sender[part], **parts[part]} for part in ("webhook", "profile", "configuration") if part in parts
        }
        names = {"friendly_name": parts["friendly_name"]} if "friendly_name" in parts else {}
        return self._state.storage.put(TABLE, sender["sid"], {**sender, **merged, **names, **more})

    def remove(self, sender: Json) -> None:
        self._by_number.pop(number_of(sender["sender_id"]), None)
        self._state.storage.delete(TABLE, sender["sid"])

    def _settled(self, sender: Json) -> Json:
        """The sender in its current state."""
        values = self._state.settings.values
        age = time.time() - sender["_since"]
        if sender["status"] == "ONLINE:UPDATING" and age >= values.update_seconds:
            return self.change(sender, _reviewed(sender, values.name_review), status="ONLINE", _name=None)
        profile = sender["profile"]
        if profile.get("pending_display_name_status") == "PENDING_REVIEW" and values.name_review in _DECIDED:
            return self.change(sender, _reviewed({"_name": profile["pending_display_name"]}, values.name_review))
        if sender["status"] == "CREATING" and age >= values.create_seconds:
            following = "PENDING_VERIFICATION" if self._wants_otp(sender) else "VERIFYING"
            return self._settled(
                self.change(sender, {}, status=following, _since=sender["_since"] + values.create_seconds)
            )
        if sender["status"] == "VERIFYING" and age >= values.create_seconds:
            return self.change(sender, {}, status="ONLINE")
        return sender

    def _wants_otp(self, sender: Json) -> bool:
        policy = self._state.settings.values.otp
        return policy == "always" or (policy == "foreign" and not number_of(sender["sender_id"]).startswith("+1555"))

    def _found(self, request: web.Request) -> Json:
        sender = self._state.storage.get(TABLE, request.match_info["sid"])
        if sender is None or sender["_account"] != account_of(request):
            raise not_found(request.path)
        return self._settled(sender)

    async def list_all(self, request: web.Request) -> web.Response:
        channel = request.query.get("Channel")
        if channel not in ("whatsapp", "rcs"):
            raise error(400, 20001, "Missing or invalid required parameter Channel: it is whatsapp or rcs")
        account = account_of(request)
        whatsapp = channel == "whatsapp"
        rows = self._state.storage.rows(TABLE) if whatsapp else {}
        keys = [sid for sid, sender in rows.items() if sender["_account"] == account]
        page = Page(request, keys, _WHATSAPP_PAGE if whatsapp else _RCS_PAGE)
        listed = [_listed(self._settled(rows[sid])) for sid in page.keys]
        return answer({"meta": page.meta("senders"), "senders": listed})

    async def get(self, request: web.Request) -> web.Response:
        return answer(_whole(self._found(request)))

    async def create(self, request: web.Request) -> web.Response:
        body = rules.parsed(await request.read())
        sender_id = body.get("sender_id")
        if not isinstance(sender_id, str) or not SENDER.match(sender_id):
            raise rules.refused("Validation error: sender_id is not in the format whatsapp:<E.164 phone number>")
        parts = rules.checked(body)
        if not parts.get("profile", {}).get("name"):
            raise rules.refused("Validation error: profile.name is required for WhatsApp senders")
        if number_of(sender_id) in self._by_number:
            raise error(409, 63110, f"The phone number {number_of(sender_id)} is already registered on WhatsApp")
        self._count_attempt(sender_id)
        parts.get("configuration", {}).pop("verification_code", None)
        return answer(_whole(self.register(account_of(request), sender_id, parts, "CREATING")), 202)

    def _count_attempt(self, sender_id: str) -> None:
        """Meta allows ten attempts to register a number within 72 hours."""
        now = time.time()
        row = self._state.storage.get(_ATTEMPTS, sender_id) or {"at": []}
        recent = [at for at in row["at"] if now - at < _ATTEMPT_WINDOW]
        if len(recent) >= _MOST_ATTEMPTS:
            raise error(
                400, 20249, "The number of registration attempts for this phone number within 72 hours is exhausted"
            )
        self._state.storage.put(_ATTEMPTS, sender_id, {"at": [*recent, now]})

    async def update(self, request: web.Request) -> web.Response:
        sender = self._found(request)
        parts = rules.checked(rules.parsed(await request.read()))
        code = parts.get("configuration", {}).pop("verification_code", None)
        if code is not None:
            return self._verified(sender, code)
        if sender["status"] not in ("ONLINE", "ONLINE:UPDATING"):
            raise rules.refused(f"Validation error: a sender in status {sender['status']} cannot be updated")
        echo = _echo(sender, parts)
        if parts:
            name = parts.get("profile", {}).pop("name", None)
            if "profile" in parts:
                parts["profile"] = _kept(parts["profile"], self._state.settings.values.profile_texts)
            asked = name if name not in (None, sender["profile"]["name"]) else None
            if asked is not None and self._state.settings.values.name_review == "limit":
                asked = None
                echo["profile"]["display_name_status"] = "error"
            self.change(sender, parts, status="ONLINE:UPDATING", _since=time.time(), _name=asked)
            echo["status"] = "ONLINE:UPDATING"
        return answer(echo, 202)

    def _verified(self, sender: Json, code: str) -> web.Response:
        if sender["status"] != "PENDING_VERIFICATION":
            raise rules.refused(f"Validation error: a sender in status {sender['status']} awaits no verification code")
        self._count_attempt(sender["sender_id"])
        if code != self._state.settings.values.otp_code:
            raise rules.refused("Validation error: the verification code is wrong")
        changed = self.change(sender, {}, status="VERIFYING", _since=time.time())
        return answer({**_echo(changed, {}), "status": "VERIFYING"}, 202)

    async def delete(self, request: web.Request) -> web.Response:
        self.remove(self._found(request))
        return web.Response(status=204)


def _kept(profile: Json, how: str) -> Json:
    """A profile that was sent, as WhatsApp keeps it."""
    if how == "ignored":
        return {}
    if how == "as sent":
        return profile
    kept: Json = {}
    for key, value in profile.items():
        if isinstance(value, str) and key != "vertical":
            kept[key] = " ".join(value.split()) if how == "tidied" else value.upper()
        elif key == "websites" and how == "tidied":
            kept[key] = [{**item, "website": item["website"].rstrip("/") + "/"} for item in value]
        else:
            kept[key] = value
    return kept


def _slug(name: str | None) -> str | None:
    return "-".join(name.lower().split()) if name else None


def _reviewed(sender: Json, verdict: str) -> Json:
    """Meta's decision about a new display name; the old one stays until it is approved."""
    name = sender.get("_name")
    if name is None:
        return {}
    nothing = dict.fromkeys((*_PENDING, "pending_display_name_status_date"))
    if verdict == "approve":
        return {"profile": {"name": name, **nothing}}
    status = "PENDING_REVIEW" if verdict == "pending" else "DECLINED"
    day = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    review = dict(zip(_PENDING, (name, status), strict=True))
    return {"profile": {**review, "pending_display_name_status_date": day}}


def _profile(sender: Json) -> Json:
    return {
        key: value for key, value in sender["profile"].items() if value is not None or not key.startswith("pending_")
    }


def _whole(sender: Json) -> Json:
    """The answer to FETCH."""
    online = sender["status"].startswith("ONLINE")
    return {
        "sid": sender["sid"],
        "sender_id": sender["sender_id"],
        "status": sender["status"],
        "friendly_name": sender["friendly_name"],
        "configuration": {**sender["configuration"], "verification_method": None, "verification_code": None},
        "webhook": sender["webhook"],
        "profile": _profile(sender),
        "properties": sender.get("properties") or (_PROPERTIES if online else None),
        "offline_reasons": sender["offline_reasons"],
        "compliance": None,
        "url": f"https://messaging.twilio.com/v2/Channels/Senders/{sender['sid']}",
    }


def _listed(sender: Json) -> Json:
    """The answer to LIST: no properties, no offline reasons, no voice application."""
    whole = _whole(sender)
    configuration = {key: value for key, value in whole["configuration"].items() if key != "voice_application_sid"}
    left_out = ("properties", "offline_reasons", "compliance")
    return {**{key: value for key, value in whole.items() if key not in left_out}, "configuration": configuration}


def _echo(sender: Json, parts: Json) -> Json:
    """The answer to UPDATE: the sender's sid and status, and only those parts that were sent."""
    nothing: Json = dict.fromkeys(
        ("sender_id", "webhook", "profile", "configuration", "properties", "offline_reasons", "compliance")
    )
    url = f"https://messaging.twilio.com/v2/Channels/Senders/{sender['sid']}"
    sent = {part: dict(value) if isinstance(value, dict) else value for part, value in parts.items()}
    echo = {**nothing, "sid": sender["sid"], "status": sender["status"], "url": url, **sent}
    name = parts.get("profile", {}).get("name")
    if name is not None:
        echo["profile"]["display_name_status"] = "no_change" if name == sender["profile"]["name"] else "updating"
    return echo
