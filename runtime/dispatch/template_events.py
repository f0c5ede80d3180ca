"""What Meta has decided about a template, as soon as Twilio says that it has decided something: looked up, counted, and
reported to the channels of ALERT_NOTIFY where it is rejected, paused, disabled or charged as another category; and
once more when that is over. Each channel gets each state once, whichever process gets to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

import structlog

from notifications.channels import channel_of, is_understood, send, shown
from runtime.dispatch.timers import RunAgain, Timers
from runtime.errors import OperatorError, PermanentError
from runtime.observability.metrics import Metrics
from runtime.store import catalog, reconcile_state
from runtime.store.database.database import Database
from runtime.store.database.times import timestamp
from runtime.store.history_records import NoticeRecord
from runtime.store.records import BotRecord
from runtime.store.timers import Timer
from runtime.twilio.accounts import Account, Accounts
from runtime.twilio.approvals import Approval
from runtime.twilio.client import Twilio
from schemas.policy_document import read_document

LOOK: Final = "template_event"
"""Timers: one for each template that something was decided about, `AC…/HX…`."""
CONFIRM: Final = "sink_test"
"""Timers: one for each account whose sink of events is tested."""
FINDING: Final = "template-event"
"""In the names of what channels were sent."""
AGAIN_SECONDS: Final = 300.0
CLAIM_SECONDS: Final = 300.0
WEBHOOK: Final = "/webhook/templates"
_SAYS: Final = {
    "rejected": "Meta la rechazó",
    "paused": "Meta la pausó: la gente bloqueó o reportó sus mensajes",
    "disabled": "Meta la deshabilitó",
}

log = structlog.get_logger("runtime.templates")


@dataclass(frozen=True, slots=True)
class TemplateNews:
    """What Meta says about a template of a client now."""

    client: str
    bot_name: str
    name: str
    """In the manifest."""
    sid: str
    declared: str
    """Its category in the manifest."""
    approval: Approval

    @property
    def outcome(self) -> str:
        """In a word: Meta's status, or `recategorised`."""
        return "recategorised" if self.is_recategorised else self.approval.status

    @property
    def is_recategorised(self) -> bool:
        """Whether Meta charges it as another category than is declared."""
        return self.approval.status == "approved" and self.approval.category not in ("", self.declared)

    @property
    def is_bad(self) -> bool:
        """Whether people have to act."""
        return self.is_recategorised or self.approval.status in _SAYS


@dataclass(frozen=True, slots=True)
class TemplateEvents:
    """The handlers of the timers."""

    public_url: str
    database: Database
    accounts: Accounts
    twilio: Twilio
    metrics: Metrics
    channels: Sequence[str]
    """Addresses of the setting ALERT_NOTIFY."""

    def begin(self, timers: Timers) -> None:
        """Runs the timers in this process."""
        timers.register(LOOK, self.look)
        timers.register(CONFIRM, self.confirm)

    async def confirm(self, timer: Timer) -> None:
        """Confirms a sink's test event. Raises TemporaryError."""
        account = await self._account(timer.key)
        if account is None:
            return
        try:
            await self.twilio.confirm_sink(
                account, f"{self.public_url}{WEBHOOK}/{account.sid}", str(timer.payload.get("test_id"))
            )
        except PermanentError as error:
            log.warning("event_sink_not_confirmed", account=account.sid, error=str(error))
        else:
            log.info("event_sink_confirmed", account=account.sid)

    async def look(self, timer: Timer) -> RunAgain | None:
        """Asks what Meta says about a template now, and reports it. Raises TemporaryError."""
        account_sid, _, sid = timer.key.partition("/")
        refused = False
        account: Account | None = None
        uses = await self._uses(account_sid, sid)
        if uses:
            # Every process asks for its approval again before it sends one.
            await self.database.write(catalog.count_up)
        for bot, name, declared in uses:
            account = account or self.accounts.account_of(bot)
            try:
                status, category, reason = await self.twilio.approval(account, sid)
            except PermanentError as error:
                log.warning("template_not_read", client=bot.label, template=name, error=str(error))
                continue
            news = TemplateNews(bot.label, bot.name, name, sid, declared, Approval(status, category, reason))
            self.metrics.template_decided(news.client, news.outcome)
            (log.warning if news.is_bad else log.info)(
                "template_decided", client=news.client, template=name, status=status, category=category, reason=reason
            )
            refused |= not all([await self._tell(url, news) for url in self.channels])
        return RunAgain(AGAIN_SECONDS) if refused else None

    async def _uses(self, account_sid: str, sid: str) -> list[tuple[BotRecord, str, str]]:
        """The bots whose client has that template in that account, with its name and declared category."""
        found: list[tuple[BotRecord, str, str]] = []
        for bot in await self.database.read(catalog.bots_with, "template_sids"):
            policy = read_document(bot.policy).policy
            names = [name for name, known in (policy.template_sids or {}).items() if known == sid]
            declared = [(name, (policy.templates or {}).get(name)) for name in names]
            try:
                is_here = self.accounts.account_of(bot).sid == account_sid
            except OperatorError:  # which the start reports, and each of its turns
                continue
            found += [(bot, name, one.category) for name, one in declared if is_here and one is not None]
        return found

    async def _account(self, account_sid: str) -> Account | None:
        try:
            return self.accounts.account_with(
                account_sid, await self.database.read(catalog.bot_of_account, account_sid)
            )
        except OperatorError as error:
            log.warning("event_sink_not_confirmed", account=account_sid, error=str(error))
            return None

    async def _tell(self, url: str, news: TemplateNews) -> bool:
        """Whether a channel knows by now. One that got no warning gets no end of it."""
        channel, owner, finding = channel_of(url), uuid4().hex, f"{news.client}/{FINDING}/{news.name}"
        fingerprint = f"{news.sid} {news.approval.status} {news.approval.category}" if news.is_bad else None
        if not news.is_bad and news.approval.status != "approved":
            return True
        if not await self.database.write(
            reconcile_state.claim_notice, channel, finding, fingerprint, owner, CLAIM_SECONDS
        ):
            return True
        if not await asyncio.to_thread(is_understood, url):
            log.error("setting_malformed", setting="ALERT_NOTIFY", problem=f"Apprise does not understand {shown(url)}")
            refused: str | None = None
        else:
            refused = await asyncio.to_thread(send, url, *news_text(news), "warning" if news.is_bad else "info")
        if refused is not None:
            await self.database.write(reconcile_state.release_claim, channel, finding, owner)
            log.warning("template_news_refused", client=news.client, channel=shown(url), reason=refused.lstrip(": "))
        elif fingerprint is None:
            await self.database.write(reconcile_state.forget_notice, channel, finding)
        else:
            record = NoticeRecord(channel, finding, fingerprint, timestamp())
            await self.database.write(reconcile_state.put_notice, record)
        return refused is None


def news_text(news: TemplateNews) -> tuple[str, str]:
    """Title and text for people. Pure."""
    return f"{news.bot_name}: plantilla {news.name!r}", "\n".join(_lines(news))


def _lines(news: TemplateNews) -> Iterator[str]:
    approval = news.approval
    if news.is_recategorised:
        yield f"Meta la cobra como {approval.category}; está declarada como {news.declared}."
        yield f"Cambia su texto, o declara category: {approval.category}: cualquiera de los dos hace otra plantilla."
    elif news.is_bad:
        reason = f": {approval.rejection_reason}" if approval.rejection_reason else ""
        yield f"{_SAYS[approval.status]}{reason}."
        yield "Envíala a menos personas." if approval.status == "paused" else "Cambia su texto, lo que hace otra."
    else:
        yield "Aprobada de nuevo, y cobrada como está declarada."
    yield f"Más: reconcile status {news.client}"
