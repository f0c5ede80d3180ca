"""Messages that are not answers: a reminder, a notice. Sent from a bot's number, or from the installation's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from runtime.budgets.budgets import BudgetExceeded, Budgets
from runtime.catalog import Catalog
from runtime.delivery.delivery import Delivery
from runtime.delivery.templates import TemplateRefused, Templates
from runtime.errors import OperatorError
from runtime.memory import remembered
from runtime.store import catalog as store
from runtime.store import sender_ratings
from runtime.store.audit import Actor
from runtime.store.database.database import Database
from runtime.store.messages import campaigns, turns, waiting_sends
from runtime.store.messages.outbound_content import OutboundContent, made_portable
from runtime.store.messages.outbox import OutboundMessage, OutboxRow, SendPostponed
from runtime.store.records import BotRecord
from runtime.store.usage.ledger import MessageCategory
from runtime.text import portable
from runtime.twilio.accounts import Accounts
from runtime.twilio.client import SentMessage
from schemas.addresses import number_of, whatsapp_address

UNKNOWN_WINDOW: Final = (
    "Whether this user has written to this number in the last 24 hours is not known; WhatsApp then delivers approved "
    "templates only and reports error 63016 later."
)
ASKED: Final = (
    "This user has been silent for 24 hours: they were sent the template that asks for an answer, and this message is "
    "sent when they write."
)


class NoSender(OperatorError):
    """The sender's number is not determined; the text names what to specify."""


class DailyLimit(OperatorError):
    """A client has written to as many people of itself as it may within a day."""

    def __init__(self, limit: int, *, is_metas: bool) -> None:
        allows, hint = (
            ("Meta allows its number at most", "try again tomorrow; the limit rises as people read and answer")
            if is_metas
            else ("CAMPAIGN_MAX allows at most", "try again tomorrow, or raise CAMPAIGN_MAX up to Meta's limit")
        )
        super().__init__(f"This client has written first to {limit:,} people within 24 hours, which {allows}; {hint}.")


class CampaignsOnly(OperatorError):
    """A marketing template of a caller who may not send any; the text says what is needed."""


@dataclass(frozen=True, slots=True)
class ProactiveMessage:
    """The result of sending a message."""

    id: int
    message_sid: str | None
    """Twilio's; None while it waits for the person."""
    status: str
    """Twilio's, or `waiting`."""
    sender: str
    recipient: str
    warning: str | None
    window_until: str | None = None
    """Until when WhatsApp delivers free text to them; None: not now, or not known."""
    waits_until: str | None = None
    """How long it waits for the person to write; it is not sent after that."""


class Proactive:
    """Sends proactive messages."""

    def __init__(
        self,
        database: Database,
        catalog: Catalog,
        accounts: Accounts,
        delivery: Delivery,
        budgets: Budgets,
        templates: Templates,
        fallback_number: str | None,
        campaign_max: int,
    ) -> None:
        self._database = database
        self._catalog = catalog
        self._accounts = accounts
        self._delivery = delivery
        self._budgets = budgets
        self._templates = templates
        self._campaign_max = campaign_max
        self._fallback_number = number_of(fallback_number) if fallback_number else None

    async def send(
        self, *, by: Actor, to: str, content: OutboundContent, bot_id: str | None, number: str | None
    ) -> ProactiveMessage:
        """Sends to a number in E.164 or to WhatsApp's id of a user; raises NoSender, OptedOut, UserSilent,
        BudgetExceeded, AccountError or NotSent, and as `send_template` where the person has to be asked first."""
        bot, sender = await self._sender(bot_id, number)
        return await self._send(by, to, made_portable(content), "service", bot, sender)

    async def send_template(
        self,
        *,
        by: Actor,
        to: str,
        name: str,
        variables: Mapping[str, str],
        bot_id: str | None,
        number: str | None,
        may_campaign: bool,
        author: str | None = None,
    ) -> ProactiveMessage:
        """Sends a template of the bot's client with named variables; raises as `send`, TemplateRefused,
        ApprovalUnknown, and CampaignsOnly for marketing where the caller may not send any. `author`: the person who
        sends it in a conversation, as its thread names them."""
        bot, sender = await self._sender(bot_id, number)
        template = await self._templates.filled(bot, name, {key: portable(value) for key, value in variables.items()})
        if template.is_marketing and not may_campaign:
            raise CampaignsOnly(
                f"Meta charges the template {name!r} as marketing, which needs a token with the scope campaigns too."
            )
        return await self._send(by, to, template.content, template.category, bot, sender, author)

    async def reopen(self, waiting: OutboxRow, bot: BotRecord | None) -> None:
        """Asks the person of a message that waits for an answer, unless they have been asked since they last wrote.
        Raises as `send_template`."""
        template = await self._templates.reopening(bot) if bot is not None else None
        if bot is None or template is None:
            raise TemplateRefused("The client declares no template that asks for an answer (`window`).", "window")
        await self._check_budget(bot)
        message = self._message(waiting.recipient, template.content, template.category, bot, waiting.sender)
        message = replace(message, conversation_id=waiting.conversation_id)
        row = await self._database.write(waiting_sends.begin_reopening, message)
        if row is not None:
            await self._delivered(row, bot)

    async def _send(
        self,
        by: Actor,
        to: str,
        content: OutboundContent,
        category: MessageCategory,
        bot: BotRecord | None,
        sender: str,
        author: str | None = None,
    ) -> ProactiveMessage:
        await self._check_budget(bot)
        await self.check_limit(bot, whatsapp_address(to))
        message = self._message(whatsapp_address(to), content, category, bot, whatsapp_address(sender))
        message = replace(message, author=author)
        seconds = await self._waits_seconds(bot)
        put = await self._database.write(waiting_sends.put_by, by, message, seconds)
        row, parties = put.row, (number_of(message.sender), number_of(put.row.recipient))
        if put.waits_until is not None:
            try:
                await self.reopen(row, bot)
            except OperatorError as error:
                await self._database.write(waiting_sends.fail, row.id, str(error))
                raise
            return ProactiveMessage(row.id, None, "waiting", *parties, ASKED, None, put.waits_until)
        try:
            sent = await self._delivered(row, bot)
        except SendPostponed:
            return ProactiveMessage(row.id, None, "waiting", *parties, ASKED)
        warning = UNKNOWN_WINDOW if bot is None and waiting_sends.is_free_form(content) else None
        return ProactiveMessage(row.id, sent.sid, sent.status, *parties, warning, put.window_until)

    async def _delivered(self, row: OutboxRow, bot: BotRecord | None) -> SentMessage:
        """Sends a row, which its conversation remembers."""
        sent = await self._delivery.send(row, bot)
        if row.conversation_id is not None:
            item = remembered({"role": "assistant", "content": row.content.readable})
            await self._database.write(turns.remember, row.conversation_id, [item])
        return sent

    async def _waits_seconds(self, bot: BotRecord | None) -> float | None:
        """How long a message waits for a person who was silent for too long; None where the client declares nothing."""
        configuration = await self._catalog.configuration(bot.id) if bot is not None else None
        return configuration.waits_seconds if configuration is not None else None

    def _message(
        self, to: str, content: OutboundContent, category: MessageCategory, bot: BotRecord | None, sender: str
    ) -> OutboundMessage:
        """`to`, `sender`: addresses, as Twilio has them."""
        return OutboundMessage(
            account_sid=self._accounts.account_of(bot).sid,
            sender=sender,
            recipient=to,
            content=content,
            channel="rest",
            claimed=True,
            bot_id=bot.id if bot else None,
            template_category=category,
        )

    async def check_limit(self, bot: BotRecord | None, recipient: str) -> None:
        """Raises DailyLimit where a client has written to as many people within 24 hours as it may."""
        people, is_among = await self._database.read(campaigns.reached, bot.id if bot else None, recipient)
        if is_among:
            return
        if people >= self._campaign_max:
            raise DailyLimit(self._campaign_max, is_metas=False)
        rating = await self._database.read(sender_ratings.newest, bot.twilio_phone_number) if bot else None
        allowed = sender_ratings.people_a_day(rating)
        if allowed is not None and people >= allowed:
            raise DailyLimit(allowed, is_metas=True)

    async def _check_budget(self, bot: BotRecord | None) -> None:
        """Raises BudgetExceeded where the bot's client is paused, since its month is used up."""
        configuration = await self._catalog.configuration(bot.id) if bot is not None else None
        budget = configuration.policy.budget if configuration is not None else None
        if bot is None or budget is None or budget.on_exceeded != "pause":
            return
        if await self._budgets.is_exceeded(bot.label, budget):
            raise BudgetExceeded(bot.label)

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
