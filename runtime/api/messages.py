"""/messages/: proactive messages, from the named bot's number or the installation's fallback number."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.api.auth import Caller
from runtime.api.endpoint import ApiEndpoint, Call
from runtime.api.errors import ApiError
from runtime.api.models import MessageCreate
from runtime.delivery.delivery import NotSent
from runtime.delivery.proactive import NoSender, Proactive
from runtime.store import catalog
from runtime.store.database.database import Database
from runtime.store.errors import OptedOut
from runtime.store.messages.outbound_content import OutboundText
from runtime.store.records import BotRecord
from runtime.twilio.accounts import AccountError


@dataclass(frozen=True, slots=True)
class MessageDocument:
    """A message that was sent; `warning` when WhatsApp may not deliver it. Numbers are E.164, the sender is `from`."""

    id: int
    message_sid: str
    status: str
    to: str
    warning: str | None


class Messages:
    """Handler of /messages/."""

    def __init__(self, database: Database, proactive: Proactive) -> None:
        self._database = database
        self._proactive = proactive

    def endpoints(self) -> list[ApiEndpoint]:
        """The endpoints served."""
        return [
            ApiEndpoint(
                "POST",
                "/messages/",
                "Send a proactive message. 409 when the user asked for none.",
                self.create,
                status=201,
                body=MessageCreate,
                answer=MessageDocument,
                is_per_client=True,
            )
        ]

    async def create(self, call: Call) -> object:
        """POST /messages/"""
        body: MessageCreate = call.body
        await self._check_sender(body, call.caller)
        try:
            message = await self._proactive.send(
                to=body.to, content=OutboundText(body.body), bot_id=body.bot_id, number=body.from_
            )
        except NoSender as error:
            raise ApiError(400, "no_sender", str(error), field="bot_id" if body.bot_id else "from") from error
        except OptedOut as error:
            raise ApiError(409, "opted_out", str(error)) from error
        except AccountError as error:
            raise ApiError(503, "not_configured", str(error)) from error
        except NotSent as error:
            raise ApiError(502, "not_sent", str(error)) from error
        return {
            "id": message.id,
            "message_sid": message.message_sid,
            "status": message.status,
            "from": message.sender,
            "to": message.recipient,
            "warning": message.warning,
        }

    async def _check_sender(self, body: MessageCreate, caller: Caller) -> None:
        """Raises 403 where a token that is bound to clients would send from anything but a bot of theirs."""
        if caller.clients is None:
            return
        bot = await self._database.read(catalog.get, BotRecord, body.bot_id or "", caller.clients)
        if bot is None:
            message = f"The token {caller.name!r} is bound to clients; name a bot of theirs as bot_id, see GET /bots/."
            raise ApiError(403, "forbidden", message, field="bot_id")
