"""A client's templates as messages: by name and with named variables, checked before anything is sent."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from runtime.catalog import Catalog
from runtime.errors import OperatorError, PermanentError, TemporaryError
from runtime.store.messages.outbound_content import OutboundTemplate
from runtime.store.records import BotRecord
from runtime.store.usage.ledger import MessageCategory
from runtime.twilio.accounts import Accounts
from runtime.twilio.approvals import APPROVED, Approvals
from schemas.policy_document import PolicyDocument
from schemas.templates import Template, filled


class TemplateRefused(OperatorError):
    """A template is not sent; the text says why. `field`: the part of the request that is wrong."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


class ApprovalUnknown(OperatorError):
    """Twilio does not say whether a template is approved; the text says why."""


@dataclass(frozen=True, slots=True)
class FilledTemplate:
    """A template with its values, and what Meta charges it as."""

    content: OutboundTemplate
    category: MessageCategory

    @property
    def is_marketing(self) -> bool:
        """Whether it needs the scope `campaigns`."""
        return self.category == "marketing"


ABSENT: Final = "absent"
"""Of a template that is not at Twilio yet."""
UNKNOWN: Final = "unknown"
"""Of one about which Twilio does not answer."""
ASKED_AT_ONCE: Final = 8
"""Approvals that are asked for at the same time."""


@dataclass(frozen=True, slots=True)
class OfferedTemplate:
    """A declared template, and what Meta says about it now."""

    name: str
    template: Template
    status: str
    """Meta's, ABSENT or UNKNOWN."""
    category: MessageCategory
    """As Meta charges it; as it is declared while that is not known."""

    @property
    def is_approved(self) -> bool:
        """Whether it can be sent."""
        return self.status == APPROVED


class Templates:
    """The declared templates of all clients."""

    def __init__(self, catalog: Catalog, accounts: Accounts, approvals: Approvals) -> None:
        self._catalog = catalog
        self._accounts = accounts
        self._approvals = approvals

    async def filled(self, bot: BotRecord | None, name: str, values: Mapping[str, str]) -> FilledTemplate:
        """The template of a bot's client with these values. Raises TemplateRefused, ApprovalUnknown, AccountError."""
        if bot is None:
            raise TemplateRefused("A template belongs to a client: name its bot.", "bot_id")
        policy = await self._policy(bot)
        template = _declared(policy, bot, name)
        try:
            body, variables = filled(template, values)
        except ValueError as error:
            raise TemplateRefused(f"The template {name!r}: {error}", "variables") from None
        sid = (policy.template_sids or {}).get(name)
        if sid is None:
            raise TemplateRefused(f"The template {name!r} is not at Twilio yet; `reconcile` makes it.", "template")
        category = await self._category(bot, name, sid)
        return FilledTemplate(OutboundTemplate(sid, body, variables), category)

    async def offered(self, bot: BotRecord) -> Sequence[OfferedTemplate]:
        """All templates of a bot's client, in the order of its manifest. Raises AccountError."""
        policy, slots = await self._policy(bot), asyncio.Semaphore(ASKED_AT_ONCE)
        account = self._accounts.account_of(bot)

        async def look(name: str, template: Template) -> OfferedTemplate:
            sid = (policy.template_sids or {}).get(name)
            if sid is None:
                return OfferedTemplate(name, template, ABSENT, template.category)
            async with slots:
                try:
                    approval = await self._approvals.of(account, sid)
                except (PermanentError, TemporaryError):
                    return OfferedTemplate(name, template, UNKNOWN, template.category)
            category = cast("MessageCategory", approval.category or template.category)
            return OfferedTemplate(name, template, approval.status, category)

        return await asyncio.gather(*(look(name, one) for name, one in (policy.templates or {}).items()))

    async def reopening(self, bot: BotRecord) -> FilledTemplate | None:
        """What asks a person for an answer after 24 hours of silence; None where nothing is declared. Raises as
        `filled`."""
        window = (await self._policy(bot)).window
        return await self.filled(bot, window.reopen_with, {}) if window is not None else None

    async def _policy(self, bot: BotRecord) -> PolicyDocument:
        configuration = await self._catalog.configuration(bot.id)
        return configuration.policy if configuration is not None else PolicyDocument()

    async def _category(self, bot: BotRecord, name: str, sid: str) -> MessageCategory:
        try:
            approval = await self._approvals.of(self._accounts.account_of(bot), sid)
        except (PermanentError, TemporaryError) as error:
            raise ApprovalUnknown(f"Twilio does not say whether Meta has approved {name!r}: {error}") from error
        if approval.status == APPROVED:
            return cast("MessageCategory", approval.category)
        reason = f" ({approval.rejection_reason})" if approval.rejection_reason else ""
        raise TemplateRefused(
            f"Meta has not approved the template {name!r}: it is {approval.status}{reason}. `reconcile status` shows "
            "what to do.",
            "template",
        )


def _declared(policy: PolicyDocument, bot: BotRecord, name: str) -> Template:
    templates = policy.templates or {}
    if name in templates:
        return templates[name]
    near = difflib.get_close_matches(name, list(templates), 1, 0.6)
    known = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(templates) or 'none'}."
    raise TemplateRefused(f"{bot.label} has no template {name!r}; {known}", "template")
