"""Sends of a template to a list: what one would cost and whether it may begin, and one person's message at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import structlog

from runtime.budgets.budgets import Budgets
from runtime.catalog import Catalog
from runtime.delivery.delivery import Delivery, NotSent
from runtime.delivery.proactive import Proactive
from runtime.delivery.templates import TemplateRefused, Templates
from runtime.errors import OperatorError
from runtime.memory import remembered
from runtime.observability.metrics import client_label
from runtime.price_list import PriceList
from runtime.store import catalog as store
from runtime.store.audit import Actor
from runtime.store.database.database import Database
from runtime.store.database.times import timestamp
from runtime.store.messages import campaigns
from runtime.store.messages.campaigns import Campaign, CampaignRow, TakenRow
from runtime.store.messages.outbox import OutboundMessage, OutboxRow, SendPostponed, SendTakenOver
from runtime.store.records import BotRecord
from runtime.store.usage import budgets
from runtime.store.usage.budgets import ListBound, NoRoom
from runtime.twilio.accounts import Accounts
from schemas.addresses import whatsapp_address

QUIET_FROM, QUIET_UNTIL = 21, 9
"""Hours in the client's zone between which no person is written to."""

log = structlog.get_logger("runtime.delivery")


class CampaignRefused(OperatorError):
    """A campaign does not begin; the text says why. `field`: the part of the request that is wrong."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class CampaignRequest:
    """What is to be sent, and to whom."""

    id: str
    bot_id: str
    template: str
    basis: str
    rows: Sequence[CampaignRow]
    by: Actor
    is_quiet_at_night: bool = True


@dataclass(frozen=True, slots=True)
class CampaignEstimate:
    """A campaign before it begins."""

    people: int
    """Who do not have it yet."""
    unit_cost: int
    """Of one message that is delivered, in 10⁻⁹ USD."""
    category: str

    @property
    def cost(self) -> int:
        """At most, in 10⁻⁹ USD."""
        return self.people * self.unit_cost


class Campaigns:
    """Campaigns of all clients."""

    def __init__(
        self,
        database: Database,
        catalog: Catalog,
        accounts: Accounts,
        delivery: Delivery,
        budgets: Budgets,
        prices: PriceList,
        templates: Templates,
        proactive: Proactive,
        timezone: str,
    ) -> None:
        """`timezone`: of clients for whom neither manifest nor number decides."""
        self._database = database
        self._catalog = catalog
        self._accounts = accounts
        self._delivery = delivery
        self._budgets = budgets
        self._prices = prices
        self._templates = templates
        self._proactive = proactive
        self._timezone = timezone

    async def estimate(self, request: CampaignRequest) -> CampaignEstimate:
        """Checks every row, and what the campaign costs against what is left of the client's budget. Raises
        CampaignRefused, TemplateRefused, ApprovalUnknown, AccountError."""
        bot = await self._database.read(store.get_bot, request.bot_id)
        if bot is None:
            raise CampaignRefused(f"There is no bot {request.bot_id!r}; see GET /bots/.", "bot_id")
        known = await self._database.read(campaigns.known_recipients, request.id)
        people = [row for row in request.rows if row.recipient not in known]
        category = ""
        for row in request.rows:
            try:
                category = (await self._templates.filled(bot, request.template, row.variables)).category
            except TemplateRefused as error:
                if error.field != "variables":
                    raise
                raise CampaignRefused(f"Row {row.line}: {error}", f"rows.{row.line - 1}.variables") from error
        unit = await self._unit_cost(bot, [row.recipient for row in request.rows], category)
        found = CampaignEstimate(len(people), unit, category)
        bound = await self._bound(bot)
        left = await self._database.read(campaigns.cost_left, request.id)
        try:
            await self._database.read(budgets.check_room, bound, request.id, left + found.cost)
        except NoRoom as error:
            raise _too_dear(found.cost, error) from error
        return found

    async def begin(self, request: CampaignRequest) -> CampaignEstimate:
        """Begins a campaign, or continues the one of that id with the people that it lacks. Raises as `estimate`, and
        OtherCampaign."""
        found = await self.estimate(request)
        campaign = Campaign(
            request.id,
            request.bot_id,
            request.template,
            request.basis,
            request.by.name,
            timestamp(),
            "running",
            None,
            found.unit_cost,
            request.is_quiet_at_night,
        )
        try:
            bound = await self._bound(await self._database.read(store.get_bot, request.bot_id))
            await self._database.write(campaigns.put_by, request.by, campaign, request.rows, bound)
        except NoRoom as error:
            raise _too_dear(found.cost, error) from error
        return found

    async def reserve_again(self, campaign: Campaign) -> None:
        """Reserves less in the client's budget: what was sent is in the ledger."""
        await self._database.write(campaigns.reserve_again, campaign.id)

    async def quiet_seconds(self, campaign: Campaign, now: datetime | None = None) -> float:
        """Seconds until people may be written to again; 0 while they may. `now`: in UTC."""
        if not campaign.is_quiet_at_night:
            return 0.0
        configuration = await self._catalog.configuration(campaign.bot_id)
        zone = ZoneInfo((configuration.timezone if configuration else None) or self._timezone)
        return seconds_of_quiet(datetime.now(zone) if now is None else now.astimezone(zone))

    async def send(self, campaign: Campaign, taken: TakenRow) -> None:
        """One person's message, settled at the end. Raises DailyLimit, TemplateRefused, ApprovalUnknown, AccountError:
        then nothing was written."""
        bot = await self._database.read(store.get_bot, campaign.bot_id)
        row = taken.outbox_row
        if row is None:
            await self._proactive.check_limit(bot, taken.recipient)
            row = await self._taken(campaign, taken, bot)
            if row is None:
                return
        try:
            if row.state in ("ready", "sending"):
                sending = self._delivery.send if taken.outbox_row is None else self._delivery.resume_alone
                await sending(row, bot)
        except NotSent as error:
            await self._database.write(campaigns.settle, campaign.id, taken.line, "failed", str(error))
            return
        except SendTakenOver as error:
            log.warning("campaign_row_taken_over", campaign=campaign.id, line=taken.line, error=str(error))
            return
        except SendPostponed:
            pass
        if row.state == "failed":
            await self._database.write(campaigns.settle, campaign.id, taken.line, "failed", "It could not be sent.")
            return
        item = remembered({"role": "assistant", "content": row.content.readable})
        await self._database.write(campaigns.settle_sent, campaign.id, taken.line, row.conversation_id, item)

    async def _taken(self, campaign: Campaign, taken: TakenRow, bot: BotRecord | None) -> OutboxRow | None:
        template = await self._templates.filled(bot, campaign.template, taken.variables)
        account = self._accounts.account_of(bot)
        message = OutboundMessage(
            account_sid=account.sid,
            sender=whatsapp_address(bot.twilio_phone_number) if bot is not None else "",
            recipient=taken.recipient,
            content=template.content,
            channel="rest",
            claimed=True,
            bot_id=campaign.bot_id,
            template_category=template.category,
        )
        return await self._database.write(campaigns.take, campaign.id, taken.line, message)

    async def _unit_cost(self, bot: BotRecord, recipients: Sequence[str], category: str) -> int:
        """Of the dearest country among the people."""
        costs = [0]
        for recipient in {recipient[: len("whatsapp:+56")]: recipient for recipient in recipients}.values():
            prices = await self._prices.of_messages(client_label(bot), recipient)
            meta = next((price for name, price in prices.meta.items() if name == category), None)
            costs.append((prices.message_out.amount(1) or 0) + ((meta.amount(1) or 0) if meta is not None else 0))
        return max(costs)

    async def _bound(self, bot: BotRecord | None) -> ListBound:
        """The client's budget."""
        configuration = await self._catalog.configuration(bot.id) if bot is not None else None
        budget = configuration.policy.budget if configuration is not None else None
        return await self._budgets.bound(bot.label if bot is not None else "", budget)


def _too_dear(cost: int, error: NoRoom) -> CampaignRefused:
    return CampaignRefused(
        f"It costs up to {cost / 1e9:,.2f} USD, and of the client's budget for this month {error.left / 1e9:,.2f} USD "
        "are left, without what is reserved for answers and lists under way. Send to fewer people, or raise "
        "`budget.monthly`.",
        "rows",
    )


def seconds_of_quiet(now: datetime) -> float:
    """Seconds until QUIET_UNTIL, of a time in the client's zone within the quiet hours; 0 outside of them."""
    if QUIET_UNTIL <= now.hour < QUIET_FROM:
        return 0.0
    day = now if now.hour < QUIET_UNTIL else now + timedelta(days=1)
    return (day.replace(hour=QUIET_UNTIL, minute=0, second=0, microsecond=0) - now).total_seconds()
