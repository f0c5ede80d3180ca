"""POST /v2/Indicators/Typing.json: marks a received message as read and shows that an answer is being written."""

from aiohttp import web

from sandbox.middleware import answer
from sandbox.state import State
from sandbox.twilio.messages import TABLE
from sandbox.twilio.wire import account_of, error, form_of


class Typing:
    """The handler of the typing indicator."""

    def __init__(self, state: State) -> None:
        self._state = state

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/v2/Indicators/Typing.json", self.create)]

    async def create(self, request: web.Request) -> web.Response:
        form = await form_of(request)
        channel, sid = (form.get(name, [""])[0] for name in ("channel", "messageId"))
        if channel != "whatsapp":
            raise error(400, 20001, f"Invalid channel '{channel}': it is whatsapp")
        message = self._state.storage.get(TABLE, sid)
        if message is None or message["account_sid"] != account_of(request) or message["direction"] != "inbound":
            raise error(400, 20001, f"Invalid messageId '{sid}': it is the sid of a message that was received")
        return answer({"success": True})
