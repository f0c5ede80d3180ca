"""/v1/Services: Messaging Services, which may take a sender's messages to an address of their own.

Twilio: while a sender is in a service, the service's `inbound_request_url` is called and not the sender's webhook,
unless `use_inbound_webhook_on_number`. Services are made by /_sandbox/services, as by hand in Twilio's console.
"""

from aiohttp import web

from sandbox.control import body_of, refuse
from sandbox.errors import InputError
from sandbox.middleware import answer
from sandbox.state import State
from sandbox.storage import Json, new_id, public
from sandbox.twilio.senders import Senders
from sandbox.twilio.wire import Page, account_of, not_found

TABLE = "messaging_services"


class MessagingServices:
    """Handlers of /v1/Services and /_sandbox/services."""

    def __init__(self, state: State, senders: Senders) -> None:
        self._state = state
        self._senders = senders

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v1/Services", self.list_all),
            web.get("/v1/Services/{sid}/ChannelSenders", self.members),
            web.post("/_sandbox/services", self.create),
        ]

    async def create(self, request: web.Request) -> web.Response:
        """Makes a service of a sender's account and puts the sender into it."""
        try:
            body = await body_of(request)
        except InputError as error:
            return refuse(400, str(error))
        sender = self._senders.by_number(str(body.get("number")))
        if sender is None:
            return refuse(404, f"no sender has the number {body.get('number')!r}")
        sid = new_id("MG")
        row: Json = {
            "sid": sid,
            "account_sid": sender["_account"],
            "friendly_name": str(body.get("friendly_name") or "Service"),
            "inbound_request_url": body.get("inbound_request_url"),
            "use_inbound_webhook_on_number": bool(body.get("use_inbound_webhook_on_number")),
            "_senders": [sender["sid"]],
        }
        return answer(public(self._state.storage.put(TABLE, sid, row)), 201)

    async def list_all(self, request: web.Request) -> web.Response:
        rows, account = self._state.storage.rows(TABLE), account_of(request)
        page = Page(request, [sid for sid, row in rows.items() if row["account_sid"] == account], 50)
        return answer({"services": [public(rows[sid]) for sid in page.keys], "meta": page.meta("services")})

    async def members(self, request: web.Request) -> web.Response:
        row = self._state.storage.get(TABLE, request.match_info["sid"])
        if row is None or row["account_sid"] != account_of(request):
            raise not_found(request.path)
        page = Page(request, row["_senders"], 50)
        listed = [
            {
                "account_sid": row["account_sid"],
                "messaging_service_sid": row["sid"],
                "sid": sid,
                "sender": self._state.storage.rows("senders")[sid]["sender_id"],
                "sender_type": "WhatsApp",
            }
            for sid in page.keys
        ]
        return answer({"senders": listed, "meta": page.meta("senders")})
