"""One turn: the messages that wait in a conversation, answered, recorded and sent.

    begin (on disk) → configuration → policy → prepare → engine → end (answer, memory, outbox in one commit) → delivery

The same code runs in both drivers; it must be called for one conversation at a time. An interrupted turn is resumed by
calling it again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

import structlog

from runtime.budgets.budgets import Budgets
from runtime.catalog import Catalog, Configuration
from runtime.delivery.reply_window import ReplyWindows
from runtime.engines.selection import Engines
from runtime.errors import PermanentError, ProviderError, TemporaryError
from runtime.media.folder import MediaFolder
from runtime.memory import remembered
from runtime.observability.logs import LogContext, masked_user
from runtime.observability.metrics import Metrics
from runtime.observability.tracing import MessageId, span
from runtime.price_list import PriceList
from runtime.resilience.backoff import pause_seconds
from runtime.resilience.poison import TRUSTED_CRASHES, Suspects, SuspectSlot
from runtime.settings import Settings
from runtime.store.database.database import Database
from runtime.store.database.times import timestamp
from runtime.store.errors import StoreError
from runtime.store.messages import consented_turns, turn_start, waiting_sends
from runtime.store.messages.outbox import OutboxRow
from runtime.store.messages.turn_start import Suspect, UserStillWriting
from runtime.store.messages.turns import Turn, TurnTakenOver
from runtime.turns.asking import Asking, NoticeInstead, PersonAsked
from runtime.turns.canaries import CanaryWatch, assigned
from runtime.turns.consent import ConsentStep, consent_step
from runtime.turns.facts import FactFinder
from runtime.turns.fallback import Fallbacks
from runtime.turns.leavings import was_said
from runtime.turns.outcome import Endings, client_of
from runtime.turns.ownership import OwnedTurns
from runtime.turns.policy import (
    HandOver,
    Options,
    Say,
    Silent,
    decide,
)
from runtime.turns.ports import SYSTEM_CLOCK, CallsFunctions, Clock, Delivers, ShowsTyping
from runtime.turns.prepare import Preparer
from runtime.turns.progress import Progress
from runtime.turns.request import Requests

BEGINNINGS = 64
"""Maximum number of turns that are being begun concurrently. Behind ten thousand of them, a turn that could end would
wait for the store."""
LONGEST_PAUSE_SECONDS = 15.0
"""Longest pause before a turn is retried, where the provider asks for none."""

log = structlog.get_logger("runtime.turn")


@dataclass(frozen=True, slots=True)
class _Retry:
    """A turn that has not ended and is to be attempted again."""

    seconds: float


class Turns:
    """The handler of turns."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        catalog: Catalog,
        engines: Engines,
        functions: CallsFunctions,
        preparers: Sequence[Preparer],
        folder: MediaFolder,
        typing: ShowsTyping,
        delivery: Delivers,
        windows: ReplyWindows,
        owned: OwnedTurns,
        suspects: Suspects,
        prices: PriceList,
        budgets: Budgets,
        metrics: Metrics,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._settings = settings
        self._database = database
        self._catalog = catalog
        self._facts = FactFinder(settings, catalog, preparers, budgets)
        self._requests = Requests(
            database,
            functions,
            functions.secrets,
            preparers,
            catalog.salt,
            settings.memory_tokens,
            settings.timezone,
            clock,
        )
        self._asking = Asking(settings, database, engines, self._requests, folder, Fallbacks(database, metrics))
        self._clock = clock
        self._typing = typing
        self._metrics = metrics
        self._delivery = delivery
        self._endings = Endings(settings, database, windows, prices, budgets, metrics, clock)
        self._budgets = budgets
        self._canaries = CanaryWatch(database, metrics)
        self._beginning = asyncio.Semaphore(BEGINNINGS)
        self._owned = owned
        self._suspects = suspects

    @property
    def begins_at_once(self) -> bool:
        """Whether there is no debounce, so that a turn may begin as its message comes in."""
        return self._settings.debounce_seconds == 0

    @property
    def memory_items(self) -> int:
        """How much of a conversation a turn begins with."""
        return self._settings.memory_items

    async def run(self, conversation_id: int, begun: Turn | None = None) -> bool:
        """Answers the waiting messages of a conversation; True when it is to be called again, since the turn has not
        ended or more messages waited than one turn answers. Messages that come meanwhile are the driver's concern.
        `begun` is the turn, when it has just been begun and adopted."""
        slot = self._suspects.slot()
        turn = begun
        try:
            if turn is None:
                turn = await self._begin(conversation_id, slot)
            if turn is not None:
                await self._go_on(turn, slot)
        except StoreError:
            raise
        except Exception as error:
            # Another process owns it; or a bug, which counts like a crash: it must not be repeated forever.
            if turn is None and isinstance(error, TurnTakenOver):
                self._forget(conversation_id)
            if turn is not None:
                self._owned.drop(turn)
                self._budgets.dropped(turn.id)
            raise
        finally:
            slot.release()
        return turn is not None and (
            self._owned.hold_of(conversation_id) is not None or len(turn.messages) >= turn_start.BURST_LIMIT
        )

    def _forget(self, conversation_id: int) -> None:
        hold = self._owned.hold_of(conversation_id)
        if hold is not None:
            self._owned.forget(conversation_id)
            self._budgets.dropped(hold.turn_id)

    async def _begin(self, conversation_id: int, slot: SuspectSlot) -> Turn | None:
        """Begins the turn, a suspected one when there is a slot for it."""
        mine = self._owned.hold_of(conversation_id)
        trusted = TRUSTED_CRASHES
        while True:
            async with self._beginning:
                turn = await self._database.write(
                    turn_start.begin_turn,
                    conversation_id,
                    self._settings.memory_items,
                    self._settings.debounce_seconds,
                    mine,
                    trusted,
                )
            if isinstance(turn, UserStillWriting):
                await asyncio.sleep(turn.seconds)
                continue
            if not isinstance(turn, Suspect):
                break
            log.warning("turn_suspected_poison", turn=turn.turn_id, crashes=turn.crashes)
            await slot.acquire(turn.crashes)
            trusted = turn.crashes
        if turn is not None:
            self._owned.adopt(turn)
        return turn

    async def _go_on(self, turn: Turn, slot: SuspectSlot) -> None:
        configuration = await self._configuration(turn)
        if configuration is None and await self._endings.handed_over(turn):
            slot.release()
            self._owned.drop(turn)
            return
        with (
            LogContext(**_facts(turn, configuration)),
            self._metrics.turn(client_of(turn, configuration), turn.id, turn.messages[0].received_at),
            span(
                "turn",
                links=_messages(turn),
                client=client_of(turn, configuration),
                number=_number(configuration),
                turn=turn.id,
            ),
        ):
            ended = await self._ended(turn, configuration)
            # No other suspect has to wait for Twilio, or until this turn is retried.
            slot.release()
            if isinstance(ended, _Retry):
                await asyncio.sleep(ended.seconds)
            else:
                self._owned.drop(turn)
                await self._delivery.deliver(ended, configuration.bot if configuration else None)

    async def _configuration(self, turn: Turn) -> Configuration | None:
        """The bot as it answers this conversation; None when it was deleted."""
        found = await self._catalog.configuration(turn.conversation.bot_id, turn.catalog_version)
        if found is None or found.policy.canary is None:
            return found
        return assigned(found, turn.conversation.id, timestamp(), self._settings.timezone)

    async def _ended(self, turn: Turn, configuration: Configuration | None) -> Sequence[OutboxRow] | _Retry:
        """Ends the turn on disk, answered or not; returns the rows to send."""
        if turn.conversation.waiting_since is not None:
            turn = await self._with_released(turn)
        now = timestamp(self._clock())
        sign = await self._facts.sign_of_loop(turn, now)
        is_processed = configuration is not None and turn.conversation.blocked_at is None
        consent = consent_step(turn, configuration.policy) if configuration is not None and is_processed else None
        if consent is not None and consent.act == "given":
            turn, consent = await self._consented(turn, consent), None
        decision = decide(await self._facts.found(turn, configuration, now, sign, consent))
        if isinstance(decision, Say) and was_said(turn, decision, now):
            decision = Silent(decision.reason)
        if isinstance(decision, Silent | Say):
            return await self._endings.unanswered(turn, configuration, decision, sign)
        assert configuration is not None, "the policy never lets a missing bot answer"
        if isinstance(decision, HandOver):
            return await self._endings.given_to_people(turn, configuration, decision)
        return await self._answered(turn, _measured(configuration, decision.options), decision.options)

    async def _consented(self, turn: Turn, step: ConsentStep) -> Turn:
        """The turn of a yes, which is on disk when this returns, with what waited for it."""
        assert step.consent is not None, "a yes is recorded"
        stated, messages = await self._database.write(consented_turns.give, turn, step.consent)
        log.info("consent_given", by=step.consent.by, waited=len(messages) - len(turn.messages))
        return replace(turn, messages=messages, conversation=turn.conversation._replace(consent=stated))

    async def _with_released(self, turn: Turn) -> Turn:
        """The turn, which knows of the messages that waited for its user and are sent now."""
        items = await self._database.write(waiting_sends.release, turn.conversation.id, remembered)
        return replace(turn, history=[*turn.history, *items])

    async def _answered(
        self, turn: Turn, configuration: Configuration, options: Options
    ) -> Sequence[OutboxRow] | _Retry:
        """Gets an answer, or fails for good, and ends the turn accordingly. Raises TurnTakenOver; what was spent until
        then is in the ledger."""
        progress = self._requests.progress_of(turn)
        try:
            return await self._attempted(turn, configuration, options, progress)
        except TurnTakenOver:
            await self._endings.discarded(turn, configuration, progress)
            raise

    async def _attempted(
        self, turn: Turn, configuration: Configuration, options: Options, progress: Progress
    ) -> Sequence[OutboxRow] | _Retry:
        began = time.monotonic()
        try:
            with self._shows_typing(turn, configuration, options):
                seconds = self._seconds_left(turn)
                answer, used = await self._asking.answer(turn, configuration, options, progress, seconds)
        except TemporaryError as error:
            delay = self._delay(turn, error)
            if delay is None:
                return await self._dead(turn, configuration, error, progress)
            await progress.keep_spent()
            self._metrics.turn_ended(client_of(turn, configuration), "retried")
            return _Retry(delay)
        except PermanentError as error:
            return await self._dead(turn, configuration, error, progress)
        except PersonAsked:
            return await self._endings.given_to_people(turn, configuration, HandOver("asked"), progress)
        except NoticeInstead as instead:
            notice = instead.notice
            decision = Silent(notice.reason) if was_said(turn, notice, timestamp(self._clock())) else notice
            return await self._endings.unanswered(turn, configuration, decision, progress=progress)
        configuration = _measured(configuration, used)
        if answer.is_none:
            return await self._endings.chosen_silence(turn, configuration, answer, progress)
        log.info(
            "turn_answered",
            seconds=round(time.monotonic() - began, 3),
            model=answer.model,
            input_tokens=answer.usage.input_tokens,
            output_tokens=answer.usage.output_tokens,
        )
        return await self._endings.answered(turn, configuration, answer, progress, options.begins_with)

    async def _dead(
        self, turn: Turn, configuration: Configuration, error: ProviderError, progress: Progress
    ) -> Sequence[OutboxRow]:
        """Ends a turn that failed for good; of a canary's one too many ends the canary, before anything is sent."""
        rows = await self._endings.dead(turn, configuration, error, progress)
        if configuration.variant == "canary":
            await self._canaries.after_failure(configuration)
        return rows

    def _shows_typing(self, turn: Turn, configuration: Configuration, options: Options) -> AbstractContextManager[None]:
        """Shows that an answer is being written, where one follows for certain and the client allows it. Never where
        people write about sensitive data: Twilio does not offer it for health data."""
        replies, data = configuration.policy.replies, configuration.policy.data
        is_off = (replies is not None and replies.typing is False) or (data is not None and bool(data.sensitive))
        if options.offers_no_reply or is_off:
            return nullcontext()
        return self._typing.while_answering(configuration.bot, turn.messages[-1].message_sid)

    def _delay(self, turn: Turn, error: TemporaryError) -> float | None:
        """Seconds until the next attempt; None when that would be too late."""
        failures = self._owned.failed(turn.conversation.id)
        delay = pause_seconds(failures, longest=LONGEST_PAUSE_SECONDS, asked=error.delay)
        if delay > self._seconds_left(turn):
            return None
        log.warning("turn_retried", error=str(error), failures=failures, delay=round(delay, 2))
        return delay

    def _seconds_left(self, turn: Turn) -> float:
        """Seconds until the turn's deadline. Time in which no process owned it is not counted."""
        return self._settings.turn_deadline_seconds - self._owned.seconds_owned(turn.conversation.id)


def _measured(configuration: Configuration, options: Options) -> Configuration:
    """The configuration, without a variant where another model answers: that shows nothing of either variant."""
    return configuration if options.model is None else replace(configuration, variant=None)


def _messages(turn: Turn) -> list[MessageId]:
    return [(message.account_sid, message.message_sid) for message in turn.messages]


def _number(configuration: Configuration | None) -> str | None:
    return configuration.bot.twilio_phone_number if configuration else None


def _facts(turn: Turn, configuration: Configuration | None) -> dict[str, object]:
    """The facts in every log line that a turn causes."""
    return {
        "client": client_of(turn, configuration),
        "number": _number(configuration),
        "user": masked_user(turn.messages[-1].sender),
        "turn": turn.id,
        "messages": len(turn.messages),
    }
