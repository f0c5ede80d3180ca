"""How a turn ends: memory (`leavings`) and outbox are written in one commit. Nothing is sent here.

Each method returns the rows of the outbox that are to be delivered now, in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import structlog

from runtime.budgets.budgets import Budgets
from runtime.catalog import Configuration
from runtime.content.parts import Content
from runtime.delivery.formatting import whatsapp_text
from runtime.delivery.reply_window import ReplyWindows
from runtime.delivery.splitting import bounded_reply, split_reply, tightened
from runtime.engines.port import Answer
from runtime.engines.sending import handing_over
from runtime.errors import ProviderError
from runtime.memory import remembered
from runtime.observability.metrics import Metrics
from runtime.price_list import PriceList
from runtime.settings import Settings
from runtime.store.activity_records import LOOP_PAUSE_SECONDS
from runtime.store.database.database import Database
from runtime.store.database.times import seconds_since
from runtime.store.messages import handover, turns
from runtime.store.messages.conversations import reply_address
from runtime.store.messages.handoffs import Handoff
from runtime.store.messages.outbound_content import OutboundContent, OutboundText
from runtime.store.messages.outbox import OutboundMessage, OutboxRow
from runtime.store.messages.turns import Ending, Turn, end_turn
from runtime.text import portable
from runtime.turns.beginnings import begun_with, offer_begun_with
from runtime.turns.handing_over import handoff_of, is_one_too_many, summary_of, tell_of
from runtime.turns.leavings import leavings
from runtime.turns.loops import LoopSign
from runtime.turns.policy import CONSENT_REASONS, Beginning, HandOver, Say, Silent
from runtime.turns.ports import SYSTEM_CLOCK, Clock
from runtime.turns.prepare import with_texts
from runtime.turns.progress import Progress, engine_notes, spent_notes
from runtime.turns.sending import sent_with
from schemas.addresses import whatsapp_address
from schemas.canary import Variant
from schemas.handoff import HandoffPolicy

OUTAGE_SECONDS = 6 * 3600.0
"""How long a user who got the fallback message gets no other one, unless an answer came between: an outage is over
then, or by now another one."""

log = structlog.get_logger("runtime.turn")


class Endings:
    """Ends turns. The webhooks that wait for a turn's messages get the answer or are released."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        windows: ReplyWindows,
        prices: PriceList,
        budgets: Budgets,
        metrics: Metrics,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._database = database
        self._windows = windows
        self._prices = prices
        self._budgets = budgets
        self._metrics = metrics

    async def answered(
        self,
        turn: Turn,
        configuration: Configuration,
        answer: Answer,
        progress: Progress,
        begins_with: Sequence[Beginning] = (),
    ) -> Sequence[OutboxRow]:
        """Records an answer, what it cost and was made with, and the memory.
        `begins_with`: words before the model's, in the same message; an answer of files alone has none."""
        ending = (await self._ending(configuration, answer, progress))._replace(
            items=[remembered(item) for item in answer.items],
            contents=_contents(turn, progress),
            documents=[portable(name) for name in answer.documents],
            functions=progress.functions(),
        )
        begun = begun_with(answer.text, begins_with)
        text = bounded_reply(begun)
        if text != begun:
            log.warning("answer_truncated", characters=len(begun), sent=len(text))
        words = split_reply(tightened(whatsapp_text(text)))
        noted = ending._replace(notices=[one.notice for one in begins_with])
        if not answer.has_sent:
            return await self._end(turn, configuration, words, noted if words else ending)
        sent = sent_with(progress.items, configuration.policy)
        call, policy = handing_over(progress.items), configuration.policy.handoff
        if call is not None and policy is not None:
            handoff = handoff_of(policy, "model", summary_of(call))
            return await self._given_to_people(turn, configuration, handoff, ending, sent.before)
        offer = sent.offer if words or sent.offer is None else offer_begun_with(sent.offer, begins_with)
        if words or offer is not sent.offer:
            ending = noted
        contents = [*sent.before, *map(OutboundText, words), *([offer] if offer is not None else ())]
        return await self._end(turn, configuration, contents or self._fallback(configuration), ending)

    async def unanswered(
        self,
        turn: Turn,
        configuration: Configuration | None,
        decision: Silent | Say,
        sign: LoopSign | None = None,
        progress: Progress | None = None,
    ) -> Sequence[OutboxRow]:
        """Records that the turn is not answered, the reason, and the notice to the user, if any. `sign`: by what a loop
        was found just now. `progress`: of an attempt, where that is how it was found."""
        parts = split_reply(decision.text) if isinstance(decision, Say) else []
        # Words that no model may read are not remembered: a yes brings the messages themselves, and what a blocked
        # person writes is stored only.
        said = replace(turn, messages=()) if decision.reason in CONSENT_REASONS else turn
        left = leavings(said, engine_notes(turn.progress), parts) if decision.reason != "blocked" else []
        step = decision.consent if isinstance(decision, Say) else None
        is_loop = decision.reason == "loop" and sign is not None
        lines = await self._prices.lines(progress.spent if progress else spent_notes(turn.progress))
        is_noted = isinstance(decision, Say) and decision.once != "minute"
        notices = [step.notice] if step is not None else [decision.reason] if is_noted else []
        ending = Ending("unanswered", items=left, reason=decision.reason, notices=notices, is_loop=is_loop, lines=lines)
        if isinstance(decision, Say):
            ending = ending._replace(answered_at=decision.answered_at)
        if step is not None:
            ending = ending._replace(consent=step.consent)
        outbound = [step.content] if step is not None and step.content is not None else parts
        rows = await self._end(turn, configuration, outbound, ending)
        if is_loop:
            log.warning("loop_detected", sign=sign, paused_seconds=LOOP_PAUSE_SECONDS)
        else:
            log.info("message_not_answered", reason=decision.reason)
        return rows

    async def given_to_people(
        self, turn: Turn, configuration: Configuration, decision: HandOver, progress: Progress | None = None
    ) -> Sequence[OutboxRow]:
        """Records that people answer from now on, as the policy decided. `progress`: of an attempt, where that is how
        it was found."""
        policy = configuration.policy.handoff or HandoffPolicy()
        read = _read(turn, progress) if progress else turn
        lines = await self._prices.lines(progress.spent if progress else spent_notes(turn.progress))
        ending = Ending(
            "unanswered",
            items=leavings(read, engine_notes(turn.progress), ()),
            contents=_contents(turn, progress) if progress else (),
            lines=lines,
        )
        return await self._given_to_people(turn, configuration, handoff_of(policy, decision.cause), ending)

    async def _given_to_people(
        self,
        turn: Turn,
        configuration: Configuration,
        handoff: Handoff,
        ending: Ending,
        before: Sequence[OutboundContent] = (),
    ) -> Sequence[OutboxRow]:
        """Ends a turn with the handoff, and tells the user after what is sent before."""
        tell = tell_of(configuration, self._settings.timezone, datetime.fromtimestamp(self._clock(), UTC))
        items = [*ending.items, remembered({"role": "assistant", "content": tell})]
        ending = ending._replace(reason="handoff", handoff=handoff, items=items)
        rows = await self._end(turn, configuration, [*before, OutboundText(tell)], ending)
        log.info("conversation_handed_over", cause=handoff.cause, conversation=turn.conversation.id)
        self._metrics.handed_over(client_of(turn, configuration), handoff.cause)
        return rows

    async def chosen_silence(
        self,
        turn: Turn,
        configuration: Configuration,
        answer: Answer,
        progress: Progress,
    ) -> Sequence[OutboxRow]:
        """Records that the model chose not to answer, and what that cost."""
        left = leavings(_read(turn, progress), progress.items, ())
        ending = await self._ending(configuration, answer, progress)
        rows = await self._end(
            turn,
            configuration,
            (),
            ending._replace(state="unanswered", reason="no_reply", items=left, contents=_contents(turn, progress)),
        )
        log.info("message_not_answered", reason="no_reply", model=answer.model)
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
        self, turn: Turn, configuration: Configuration, error: ProviderError, progress: Progress
    ) -> Sequence[OutboxRow]:
        """Records that no answer could be made; the user gets the fallback message, once in an outage, unless people
        have the conversation from now on."""
        handoff = await self._handoff_after_failure(turn, configuration, progress)
        fallback_at = turn.conversation.fallback_at
        is_known = fallback_at is not None and seconds_since(fallback_at) < OUTAGE_SECONDS
        log.error("turn_failed", error=str(error), user_notified=not is_known)
        parts = [] if is_known or handoff is not None else self._fallback(configuration)
        ending = Ending(
            "dead",
            items=leavings(_read(turn, progress), progress.items, parts, error),
            contents=_contents(turn, progress),
            error=portable(str(error)),
            is_fallback=bool(parts),
            progress=progress.without_spent(),
            lines=await self._prices.lines(progress.spent),
        )
        if handoff is not None:
            return await self._given_to_people(turn, configuration, handoff, ending)
        return await self._end(turn, configuration, parts, ending)

    async def discarded(self, turn: Turn, configuration: Configuration, progress: Progress) -> None:
        """Adds to the ledger what an attempt spent whose answer is discarded: by a person who took the conversation,
        or by another replica. What is in its notes is added at the turn's end."""
        lines = await self._prices.lines(progress.unkept())
        if lines:
            client = client_of(turn, configuration)
            await self._database.write(turns.add_discarded, turn, client, lines)
            self._metrics.charged(client, lines)
            self._budgets.added(client, lines)

    async def _handoff_after_failure(
        self, turn: Turn, configuration: Configuration, progress: Progress
    ) -> Handoff | None:
        """Of a turn without an answer: the model asked for people before it failed, or too many turns failed."""
        policy = configuration.policy.handoff
        if policy is None:
            return None
        if (call := handing_over(progress.items)) is not None:
            return handoff_of(policy, "model", summary_of(call))
        failures = 1 + await self._database.read(turns.failures_in_a_row, turn.conversation.id)
        return handoff_of(policy, "failures") if is_one_too_many(policy, failures) else None

    async def _ending(self, configuration: Configuration, answer: Answer, progress: Progress) -> Ending:
        """The end of a turn with an engine's answer: who gave it, and what it cost."""
        return Ending(
            "answered",
            model=portable(answer.model) if answer.model else None,
            usage=answer.usage,
            assistant_version=configuration.assistant.version if configuration.assistant else None,
            lines=await self._prices.lines(progress.spent),
        )

    def _fallback(self, configuration: Configuration) -> list[str]:
        return split_reply(configuration.bot.fallback_message or "") or split_reply(self._settings.fallback_message)

    async def _end(
        self,
        turn: Turn,
        configuration: Configuration | None,
        parts: Sequence[str | OutboundContent],
        ending: Ending,
    ) -> Sequence[OutboxRow]:
        """Records the end together with the messages to send, and returns the latter. A deleted bot sends nothing."""
        contents = [OutboundText(part) if isinstance(part, str) else part for part in parts]
        last = turn.messages[-1]
        recipient = reply_address(last.sender, turn.conversation.phone)
        if len(contents) != 1 or not isinstance(contents[0], OutboundText) or recipient != last.sender:
            # Parts are sent one after the other, which one TwiML document cannot guarantee; not all kinds fit into one;
            # and what is in the webhook's response goes to the message's `From`.
            self._windows.release_of(turn)
        in_window = self._windows.claim(turn)
        outbound = [
            OutboundMessage(
                account_sid=last.account_sid,
                sender=whatsapp_address(configuration.bot.twilio_phone_number),
                recipient=recipient,
                content=content,
                channel="twiml" if in_window else "rest",
                claimed=number == 0,
                part=number,
                bot_id=configuration.bot.id,
                conversation_id=turn.conversation.id,
                template_category="service",
            )
            for number, content in enumerate(contents)
            if configuration is not None
        ]
        if configuration is not None:
            version = configuration.bot.version
            ending = ending._replace(bot_version=version, variant=_variant_of(ending, configuration))
        try:
            client = client_of(turn, configuration)
            rows = await self._database.write(end_turn, turn, ending._replace(outbound=outbound, client=client))
        except BaseException:
            self._windows.release_of(turn)
            raise
        self._metrics.turn_ended(client, ending.state, ending.reason or "")
        self._metrics.charged(client, ending.lines)
        await self._budgets.ended(turn.id, ending.lines, last.sender, taken_in=len(turn.messages), sent=len(rows))
        return rows


def _variant_of(ending: Ending, configuration: Configuration) -> Variant | None:
    """The variant whose work an ending is; None for what the policy decides for both variants, such as a pause."""
    if ending.handoff is not None and ending.handoff.cause == "budget":
        return None
    return configuration.variant if ending.reason in (None, "handoff", "no_reply") else None


def client_of(turn: Turn, configuration: Configuration | None) -> str:
    """The label that a turn is counted under."""
    return configuration.bot.label if configuration else turn.conversation.bot_id


def _read(turn: Turn, progress: Progress) -> Turn:
    """The turn, its messages with what their files say."""
    return replace(turn, messages=with_texts(turn.messages, progress.texts)) if progress.texts else turn


def _contents(turn: Turn, progress: Progress) -> Sequence[tuple[int, Content]]:
    """The messages of which files were read, to be stored with what those say."""
    inbox_ids = {inbox_id for inbox_id, _ in progress.texts}
    return [(one.inbox_id, one.content) for one in _read(turn, progress).messages if one.inbox_id in inbox_ids]
