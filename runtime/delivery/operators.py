"""People who answer instead of the assistant: over the API, from the command line, from a desk. They act on the store;
the process that serves it sends what they write, in the order of the conversation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from runtime.catalog import Catalog
from runtime.errors import OperatorError
from runtime.memory import remembered
from runtime.store.audit import Actor
from runtime.store.database.database import Database
from runtime.store.errors import NoConversation, WindowClosed
from runtime.store.messages import operators, threads
from runtime.store.messages.handoffs import Cause
from runtime.store.messages.outbound_content import OutboundContent, made_portable
from runtime.store.messages.outbox import OutboundMessage, OutboxRow
from runtime.store.messages.threads import ConversationSummary
from runtime.twilio.accounts import Accounts
from schemas.addresses import whatsapp_address
from schemas.handoff import HandoffPolicy

log = structlog.get_logger("runtime.handoffs")


class BotDeleted(OperatorError):
    """A conversation of a bot that does not exist any more."""


@dataclass(frozen=True, slots=True)
class HumanOperators:
    """What people do in conversations; `by` is who they are, `force` takes a conversation from another person."""

    database: Database
    catalog: Catalog
    accounts: Accounts
    wake: Callable[[], None]
    """Has this process look at its timers at once, by which what people do takes effect."""

    async def take(self, conversation_id: int, by: Actor, *, force: bool = False) -> None:
        """Raises NoConversation and ConversationTaken."""
        seconds = await self._resume_seconds((await self.conversation(conversation_id)).bot_id)
        await self.database.write(operators.take, conversation_id, by, seconds, force=force)
        log.info("conversation_taken", conversation=conversation_id, operator=by.name)

    async def release(self, conversation_id: int, by: Actor, *, force: bool = False) -> int:
        """Returns the number of turns that the assistant answers now. Raises NoConversation and ConversationTaken."""
        turns = await self.database.write(operators.release, conversation_id, by, force=force)
        self.wake()
        log.info("conversation_released", conversation=conversation_id, operator=by.name, unanswered_turns=turns)
        return turns

    async def close(self, conversation_id: int, by: Actor, *, force: bool = False) -> None:
        """Raises NoConversation and ConversationTaken."""
        await self.database.write(operators.close, conversation_id, by, force=force)
        log.info("conversation_closed", conversation=conversation_id, operator=by.name)

    async def reply(
        self,
        conversation_id: int,
        by: Actor,
        content: OutboundContent,
        *,
        force: bool = False,
        cause: Cause = "operator",
    ) -> OutboxRow:
        """Queues what a person writes. Raises NoConversation, ConversationTaken, WindowClosed, BotDeleted and
        AccountError."""
        content = made_portable(content)
        to = await self.database.read(operators.correspondent, conversation_id)
        if to is None:
            await self.conversation(conversation_id)
            raise WindowClosed(None)
        configuration = await self.catalog.configuration(to.bot_id)
        if configuration is None:
            raise BotDeleted(f"The bot of conversation {conversation_id} was deleted; no number is left.")
        bot = configuration.bot
        message = OutboundMessage(
            account_sid=self.accounts.account_of(bot).sid,
            sender=whatsapp_address(bot.twilio_phone_number),
            recipient=to.address,
            content=content,
            channel="rest",
            claimed=False,
            bot_id=bot.id,
            conversation_id=conversation_id,
            author=by.name,
        )
        item = remembered({"role": "assistant", "content": content.readable})
        seconds = await self._resume_seconds(bot.id)
        row = await self.database.write(
            operators.reply, conversation_id, by, message, item, seconds, force=force, cause=cause
        )
        self.wake()
        log.info("reply_queued", conversation=conversation_id, operator=by.name, client=bot.label)
        return row

    async def conversation(self, conversation_id: int) -> ConversationSummary:
        """Raises NoConversation."""
        found = await self.database.read(threads.summary_of, conversation_id)
        if found is None:
            raise NoConversation(conversation_id)
        return found

    async def _resume_seconds(self, bot_id: str) -> float | None:
        configuration = await self.catalog.configuration(bot_id)
        policy = configuration.policy.handoff if configuration is not None else None
        return (policy or HandoffPolicy()).resume_seconds
