"""Messages that are not answers: a reminder, a notice. Sent from a bot's number, or from the installation's own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from runtime.catalog import Catalog
from runtime.delivery.delivery import Delivery
from runtime.errors import OperatorError
from runtime.memory import remembered
from runtime.store import catalog as store
from runtime.store.database.database import Database
from runtime.store.messages import outbox, turns
from runtime.store.messages.outbound_content import OutboundContent, made_portable
from runtime.store.messages.outbox import OutboundMessage
from runtime.store.records import BotRecord
from runtime.twilio.accounts import Accounts
from schemas.addresses import number_of, whatsapp_address

FREE_WINDOW = timedelta(hours=24)
"""How long after a user's last message WhatsApp delivers free text from a business."""


class NoSender(OperatorError):
    """The sender's number is not determined; the text names what to specify."""


@dataclass(frozen=True, slots=True)
class ProactiveMessage:
    """The result of sending a message."""

    id: int
    message_sid: str
    status: str
    sender: str
    recipient: str
    warning: str | None


class Proactive:
    """Sends proactive messages."""

    def __init__(
        self,
        database: Database,
        catalog: Catalog,
        accounts: Accounts,
        delivery: Delivery,
        fallback_number: str | None,
    ) -> None:
        self._database = database
        self._catalog = catalog
        self._accounts = accounts
        self._delivery = delivery
        self._fallback_number = number_of(fallback_number) if fallback_number else None

    async def send(
        self, *, to: str, content: OutboundContent, bot_id: str | None, number: str | None
    ) -> ProactiveMessage:
        """Sends to a number in E.164 or to WhatsApp's id of a user; raises NoSender, OptedOut,
        AccountError or NotSent."""
        bot, sender = await self._sender(bot_id, number)
        content = made_portable(content)
        message = OutboundMessage(
            account_sid=self._accounts.account_of(bot).sid,
            sender=whatsapp_address(sender),
            recipient=whatsapp_address(to),
            content=content,
            channel="rest",
            claimed=True,
            bot_id=bot.id if bot else None,
        )
        row, last_inbound = await self._database.write(outbox.add_proactive, message)
        sent = await self._delivery.send(row, bot)
        if row.conversation_id is not None:
            item = remembered({"role": "assistant", "content": content.readable})
            await self._database.write(turns.remember, row.conversation_id, [item])
        recipient = number_of(row.recipient)
        return ProactiveMessage(row.id, sent.sid, sent.status, sender, recipient, _warning(last_inbound))

    async def _sender(self, bot_id: str | None, number: str | None) -> tuple[BotRecord | None, str]:
        if bot_id is not None:
            bot = await self._database.read(store.get_bot, bot_id)
            if bot is None:
                raise NoSender(f"There is no bot {bot_id!r}; see GET /bots/.")
            if number is not None and number != bot.twilio_phone_number:
                raise NoSender(f"The bot {bot_id!r} has the number {bot.twilio_phone_number}, not {number}.")
            return bot, bot.twilio_phone_number
        wanted = number or self._fallback_number
        if wanted is None:
            raise NoSender("Name a bot or a number to send from, or set TWILIO_WHATSAPP_FROM.")
        bot = await self._catalog.bot_of_number(wanted)
        if bot is None and wanted != self._fallback_number:
            raise NoSender(f"No bot has the number {wanted}, and it is not TWILIO_WHATSAPP_FROM; see GET /bots/.")
        return bot, wanted


def _warning(last_inbound: str | None) -> str | None:
    if last_inbound is not None and datetime.now(UTC) - datetime.fromisoformat(last_inbound) < FREE_WINDOW:
        return None
    return (
        "This user has not written to this number in the last 24 hours as far as we know; "
        "WhatsApp then delivers approved templates only and reports error 63016 later."
    )
