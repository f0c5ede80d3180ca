"""How a turn ends: memory (`leavings`) and outbox are written in one commit. Nothing is sent here.

Each method returns the rows of the outbox that are to be delivered now, in order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import structlog

from runtime.catalog import Configuration
from runtime.delivery.formatting import whatsapp_text
from runtime.delivery.reply_window import ReplyWindows
from runtime.delivery.splitting import bounded_reply, split_reply
from runtime.engines.port import Answer
from runtime.errors import ProviderError
from runtime.memory import remembered
from runtime.observability.metrics import Metrics
from runtime.settings import Settings
from runtime.store.database.database import Database
from runtime.store.database.times import seconds_since
from runtime.store.messages import handover
from runtime.store.messages.outbound_content import OutboundText
from runtime.store.messages.outbox import OutboundMessage, OutboxRow
from runtime.store.messages.turns import Ending, Turn, end_turn
from runtime.store.records import LOOP_PAUSE_SECONDS
from runtime.text import portable
from runtime.turns.leavings import leavings
from runtime.turns.loops import LoopSign
from runtime.turns.policy import Say, Silent
from runtime.turns.progress import engine_notes
from schemas.addresses import whatsapp_address

OUTAGE_SECONDS = 6 * 3600.0
"""How long a user who got the fallback message gets no other one, unless an answer came between: an outage is over
then, or by now another one."""

log = structlog.get_logger("runtime.turn")


class Endings:
    """Ends turns. The webhooks that wait for a turn's messages get the answer or are released."""

    def __init__(self, settings: Settings, database: Database, windows: ReplyWindows, metrics: Metrics) -> None:
        self._settings = settings
        self._database = database
        self._windows = windows
        self._metrics = metrics

    async def answered(
        self, turn: Turn, configuration: Configuration, answer: Answer, variant: str | None = None
    ) -> Sequence[OutboxRow]:
        """Records an answer, the bot's variant that gave it, and the memory."""
        ending = Ending(
            "answered",
            items=[remembered(item) for item in answer.items],
            model=portable(answer.model) if answer.model else None,
            usage=answer.usage,
            bot_version=configuration.bot.version,
            assistant_version=configuration.assistant.version if configuration.assistant else None,
            variant=variant,
        )
        text = bounded_reply(answer.text)
        if text != answer.text:
            log.warning("answer_truncated", characters=len(answer.text), sent=len(text))
        return await self._end(turn, configuration, split_reply(whatsapp_text(text)), ending)

    async def unanswered(
        self, turn: Turn, configuration: Configuration | None, decision: Silent | Say, sign: LoopSign | None = None
    ) -> Sequence[OutboxRow]:
        """Records that the turn is not answered, the reason, and the notice to the user, if any. `sign`: by what a loop
        was found just now."""
        parts = split_reply(decision.text) if isinstance(decision, Say) else []
        left = leavings(turn, engine_notes(turn.progress), parts)
        is_loop = decision.reason == "loop" and sign is not None
        ending = Ending("unanswered", items=left, reason=decision.reason, is_loop=is_loop)
        rows = await self._end(turn, configuration, parts, ending)
        if is_loop:
            log.warning("loop_detected", sign=sign, paused_seconds=LOOP_PAUSE_SECONDS)
        else:
            log.info("message_not_answered", reason=decision.reason)
        return rows

    async def handed_over(self, turn: Turn) -> bool:
        """Leaves the messages of a deleted bot to the one that its number has passed to; False when there is none. The
        answer is a message of its own."""
        if not await self._database.write(handover.hand_over, turn):
            return False
        self._windows.release_of(turn)
        self._metrics.turn_ended(client_of(turn, None), "unanswered", handover.REASON)
        log.info("turn_handed_over", client=client_of(turn, None), turn=turn.id)
        return True

    async def dead(
        self, turn: Turn, configuration: Configuration, error: ProviderError, notes: Sequence[Mapping[str, Any]]
    ) -> Sequence[OutboxRow]:
        """Records that no answer could be made; the user gets the fallback message, once in an outage. `notes` are the
        engine's."""
        fallback_at = turn.conversation.fallback_at
        is_known = fallback_at is not None and seconds_since(fallback_at) < OUTAGE_SECONDS
        log.error("turn_failed", error=str(error), user_notified=not is_known)
        parts = [] if is_known else self._fallback(configuration)
        ending = Ending(
            "dead",
            items=leavings(turn, notes, parts, error),
            error=portable(str(error)),
            bot_version=configuration.bot.version,
            is_fallback=bool(parts),
        )
        return await self._end(turn, configuration, parts, ending)

    def _fallback(self, configuration: Configuration) -> list[str]:
        return split_reply(configuration.bot.fallback_message or "") or split_reply(self._settings.fallback_message)

    async def _end(
        self, turn: Turn, configuration: Configuration | None, parts: Sequence[str], ending: Ending
    ) -> Sequence[OutboxRow]:
        """Records the end together with the messages to send, and returns the latter. A deleted bot sends nothing."""
        if len(parts) != 1:
            # Parts are sent one after the other, which one TwiML document cannot guarantee.
            self._windows.release_of(turn)
        in_window = self._windows.claim(turn)
        last = turn.messages[-1]
        outbound = [
            OutboundMessage(
                account_sid=last.account_sid,
                sender=whatsapp_address(configuration.bot.twilio_phone_number),
                recipient=last.sender,
                content=OutboundText(part),
                channel="twiml" if in_window else "rest",
                claimed=number == 0,
                part=number,
                bot_id=configuration.bot.id,
                conversation_id=turn.conversation.id,
            )
            for number, part in enumerate(parts)
            if configuration is not None
        ]
        try:
            rows = await self._database.write(end_turn, turn, replace(ending, outbound=outbound))
        except BaseException:
            self._windows.release_of(turn)
            raise
        self._metrics.turn_ended(client_of(turn, configuration), ending.state, ending.reason or "")
        return rows


def client_of(turn: Turn, configuration: Configuration | None) -> str:
    """The label that a turn is counted under."""
    return configuration.bot.label if configuration else turn.conversation.bot_id
