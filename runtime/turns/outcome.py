"""How a turn ends: what is remembered and what is to be sent are on disk together, then it is sent.

What records an end returns the sending, for its caller to await: nobody else has to wait for Twilio.
"""

from __future__ import annotations

from collections.abc import Coroutine, MutableMapping, Sequence
from dataclasses import replace
from typing import Any

import structlog

from runtime.catalog import Configuration
from runtime.delivery.delivery import Delivery
from runtime.delivery.splitting import bounded_reply, split_reply
from runtime.engines.port import Answer
from runtime.memory import remembered
from runtime.observability.metrics import Metrics
from runtime.settings import Settings
from runtime.store.database.database import Database
from runtime.store.messages.outbox import Draft
from runtime.store.messages.turns import Ending, Turn, end_turn
from runtime.text import portable
from runtime.twilio.twiml import ReplyWindow

log = structlog.get_logger("runtime.turn")


class Endings:
    """Ends turns. `windows` are open webhooks by inbox id; those of the turn's messages are used or let go."""

    def __init__(self, settings: Settings, database: Database, delivery: Delivery, metrics: Metrics) -> None:
        self._settings = settings
        self._database = database
        self._delivery = delivery
        self._metrics = metrics

    async def answered(
        self, turn: Turn, configuration: Configuration, answer: Answer, windows: MutableMapping[int, ReplyWindow]
    ) -> Coroutine[Any, Any, None]:
        """Records an answer, and what is to be remembered."""
        ending = Ending(
            "answered",
            items=[remembered(item) for item in answer.items],
            model=portable(answer.model) if answer.model else None,
            usage=answer.usage,
            bot_version=configuration.bot.version,
            assistant_version=configuration.assistant.version if configuration.assistant else None,
        )
        text = bounded_reply(answer.text)
        if text != answer.text:
            log.warning("answer cut", characters=len(answer.text), sent=len(text))
        return await self._end(turn, configuration, split_reply(text), ending, windows)

    async def unanswered(
        self, turn: Turn, configuration: Configuration | None, windows: MutableMapping[int, ReplyWindow]
    ) -> None:
        """Records that nobody answers: the bot is paused, or gone."""
        await self._database.write(end_turn, turn, Ending("unanswered"))
        _claimed_window(turn, windows, wanted=False)
        self._metrics.turn_ended(client_of(turn, configuration), "unanswered")
        log.info("message not answered", reason="bot paused" if configuration else "bot deleted")

    async def dead(
        self, turn: Turn, configuration: Configuration, error: str, windows: MutableMapping[int, ReplyWindow]
    ) -> Coroutine[Any, Any, None]:
        """Records that no answer could be found; the user is told so."""
        log.error("turn failed", error=error)
        parts = split_reply(configuration.bot.fallback_message or "") or split_reply(self._settings.fallback_message)
        ending = Ending("dead", error=portable(error), bot_version=configuration.bot.version)
        return await self._end(turn, configuration, parts, ending, windows)

    async def _end(
        self,
        turn: Turn,
        configuration: Configuration,
        parts: Sequence[str],
        ending: Ending,
        windows: MutableMapping[int, ReplyWindow],
    ) -> Coroutine[Any, Any, None]:
        """Records the end and what is to be sent; returns the sending of it."""
        # Parts go out one after the other, which one TwiML document cannot promise.
        window = _claimed_window(turn, windows, wanted=len(parts) == 1)
        last = turn.messages[-1]
        drafts = [
            Draft(
                account_sid=last.account_sid,
                sender=f"whatsapp:{configuration.bot.twilio_phone_number}",
                recipient=last.sender,
                body=part,
                channel="twiml" if window else "rest",
                claimed=number == 0,
                part=number,
                bot_id=configuration.bot.id,
                conversation_id=turn.conversation_id,
            )
            for number, part in enumerate(parts)
        ]
        try:
            rows = await self._database.write(end_turn, turn, replace(ending, drafts=drafts))
        except BaseException:
            if window:
                window.release()
            raise
        self._metrics.turn_ended(client_of(turn, configuration), ending.state)
        return self._delivery.deliver(rows, configuration.bot, window)


def client_of(turn: Turn, configuration: Configuration | None) -> str:
    """Whom a turn is counted for."""
    return (configuration.bot.client if configuration else None) or turn.bot_id


def _claimed_window(turn: Turn, windows: MutableMapping[int, ReplyWindow], *, wanted: bool) -> ReplyWindow | None:
    """The webhook of the newest message that can still take the answer; the turn's others are let go."""
    claimed: ReplyWindow | None = None
    for message in reversed(turn.messages):
        window = windows.pop(message.inbox_id, None)
        if window is None:
            continue
        if wanted and claimed is None and window.claim():
            claimed = window
        else:
            window.release()
    return claimed
