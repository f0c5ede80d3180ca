"""/messages/: proactive messages, from the named bot's number or the installation's fallback number."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from runtime.api.auth import Caller
from runtime.api.endpoint import ApiEndpoint, Call, whole_number
from runtime.api.errors import ApiError
from runtime.api.models import MessageCreate
from runtime.budgets.budgets import BudgetExceeded
from runtime.delivery.delivery import NotSent
from runtime.delivery.proactive import CampaignsOnly, DailyLimit, NoSender, Proactive, ProactiveMessage
from runtime.delivery.templates import ApprovalUnknown, TemplateRefused
from runtime.store import catalog
from runtime.store.database.database import Database
from runtime.store.errors import NumberNeeded, OptedOut, PersonBlocked, UserSilent
from runtime.store.messages import proactive_messages
from runtime.store.messages.outbound_content import OutboundText
from runtime.store.records import BotRecord
from runtime.twilio.accounts import AccountError
from schemas.addresses import number_of


@dataclass(frozen=True, slots=True)
class MessageDocument:
    """A message that was sent, or waits for its user until `waits_until`; `warning` when WhatsApp may not deliver it.
    Numbers are E.164, the sender is `from`."""

    id: int
    message_sid: str | None
    status: str
    to: str
    warning: str | None
    window_until: str | None
    waits_until: str | None


@dataclass(frozen=True, slots=True)
class SentMessageDocument:
    """A proactive message as it is now. `state`: waiting | ready | sending | sent | failed; `status` is Twilio's."""

    id: int
    message_sid: str | None
    state: str
    status: str | None
    to: str
    error: str | None
    error_code: str | None
    waits_until: str | None


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
                "Send a proactive message: text, or a template with its variables. 409 when the user asked for none, "
                "or the client's budget is used up; a marketing template needs the scope `campaigns` too.",
                self.create,
                status=201,
                body=MessageCreate,
                answer=MessageDocument,
                is_per_client=True,
            ),
            ApiEndpoint(
                "GET",
                "/messages/{id}",
                "A proactive message as it is now: whether it waits for its user, was sent, delivered or given up, and "
                "why.",
                self.get,
                answer=SentMessageDocument,
                is_per_client=True,
            ),
        ]

    async def create(self, call: Call) -> object:
        """POST /messages/"""
        body: MessageCreate = call.body
        await self._check_sender(body, call.caller)
        try:
            message = await self._sent(body, call.caller)
        except NoSender as error:
            raise ApiError(400, "no_sender", str(error), field="bot_id" if body.bot_id else "from") from error
        except TemplateRefused as error:
            raise ApiError(400, "template_refused", str(error), field=error.field) from error
        except CampaignsOnly as error:
            raise ApiError(403, "forbidden", str(error)) from error
        except OptedOut as error:
            raise ApiError(409, "opted_out", str(error)) from error
        except PersonBlocked as error:
            raise ApiError(409, "blocked", str(error)) from error
        except NumberNeeded as error:
            raise ApiError(409, "number_needed", str(error)) from error
        except UserSilent as error:
            raise ApiError(409, "user_silent", str(error)) from error
        except DailyLimit as error:
            raise ApiError(429, "daily_limit", str(error)) from error
        except BudgetExceeded as error:
            raise ApiError(409, "budget_exceeded", str(error)) from error
        except AccountError as error:
            raise ApiError(503, "not_configured", str(error)) from error
        except (NotSent, ApprovalUnknown) as error:
            raise ApiError(502, "not_sent", str(error)) from error
        return {
            "id": message.id,
            "message_sid": message.message_sid,
            "status": message.status,
            "from": message.sender,
            "to": message.recipient,
            "warning": message.warning,
            "window_until": message.window_until,
            "waits_until": message.waits_until,
        }

    async def get(self, call: Call) -> object:
        """GET /messages/{id}"""
        row_id = whole_number(call.path["id"], "id")
        found = await self._database.read(proactive_messages.get, row_id, call.caller.clients)
        if found is None:
            raise ApiError(404, "not_found", f"There is no proactive message {row_id}.")
        return {**asdict(found), "from": number_of(found.sender), "to": number_of(found.recipient)}

    async def _sent(self, body: MessageCreate, caller: Caller) -> ProactiveMessage:
        if body.template is None:
            text = OutboundText(str(body.body))
            return await self._proactive.send(
                by=caller.actor, to=body.to, content=text, bot_id=body.bot_id, number=body.from_
            )
        return await self._proactive.send_template(
            by=caller.actor,
            to=body.to,
            name=body.template,
            variables=body.variables,
            bot_id=body.bot_id,
            number=body.from_,
            may_campaign="campaigns" in caller.scopes,
        )

    async def _check_sender(self, body: MessageCreate, caller: Caller) -> None:
        """Raises 403 where a token that is bound to clients would send from anything but a bot of theirs."""
        if caller.clients is None:
            return
        bot = await self._database.read(catalog.get, BotRecord, body.bot_id or "", caller.clients)
        if bot is None:
            message = f"The token {caller.name!r} is bound to clients; name a bot of theirs as bot_id, see GET /bots/."
            raise ApiError(403, "forbidden", message, field="bot_id")
