"""The typing indicator: marks a received message as read, and shows that an answer is being written, for 25 seconds.

`/v2/Indicators/Typing.json` takes a form, `/v3/Indicators/Typing.json` JSON and the channel in capitals. Both cost
nothing; the ledger has an entry for each.
"""

import json

from aiohttp import web

from sandbox.middleware import answer
from sandbox.state import State
from sandbox.twilio.messages import TABLE
from sandbox.twilio.wire import NAME, account_of, error, form_of


class Typing:
    """The handlers of the typing indicator."""

    def __init__(self, state: State) -> None:
        self._state = state

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v2/Indicators/Typing.json", self.create),
            web.post("/v3/Indicators/Typing.json", self.create_by_json),
        ]

    async def create(self, request: web.Request) -> web.Response:
        form = await form_of(request)
        channel, sid = (form.get(name, [""])[0] for name in ("channel", "messageId"))
        return self._shown(request, sid, channel, "whatsapp")

    async def create_by_json(self, request: web.Request) -> web.Response:
        try:
            body = json.loads(await request.read())
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise error(400, 20001, "The request body is not a JSON object")
        return self._shown(request, str(body.get("messageId", "")), str(body.get("channel", "")), "WHATSAPP")

    def _shown(self, request: web.Request, sid: str, channel: str, expected: str) -> web.Response:
        if channel != expected:
            raise error(400, 20001, f"Invalid channel '{channel}': it is {expected}")
        message = self._state.storage.get(TABLE, sid)
        if message is None or message["account_sid"] != account_of(request) or message["direction"] != "inbound":
            raise error(400, 20001, f"Invalid messageId '{sid}': it is the sid of a message that was received")
        parties = {name: message[name] for name in ("from", "to")}
        self._state.ledger.append("typing", NAME, message_sid=sid, **parties)
        return answer({"success": True})
