"""One turn: the messages that wait in a conversation, answered, recorded and sent.

    begin (on disk) → configuration → policy → prepare → engine → end (answer, memory, outbox in one commit) → delivery

The same code runs in both drivers; it must be called for one conversation at a time. An interrupted turn is resumed by
calling it again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from runtime.catalog import Catalog, Configuration
from runtime.delivery.delivery import Delivery
from runtime.delivery.reply_window import ReplyWindows
from runtime.engines.functions import Functions
from runtime.engines.port import Answer
from runtime.engines.selection import Engines
from runtime.errors import PermanentError, ProviderError, RequestRefused, TemporaryError
from runtime.observability.logs import LogContext, masked_user
from runtime.observability.metrics import Metrics
from runtime.observability.tracing import MessageId, span
from runtime.resilience.backoff import pause_seconds
from runtime.resilience.poison import MAX_CRASHES, TRUSTED_CRASHES, Suspects, SuspectSlot
from runtime.settings import Settings
from runtime.store.database.database import Database
from runtime.store.database.times import timestamp
from runtime.store.errors import StoreError
from runtime.store.messages import items, turn_start
from runtime.store.messages.outbox import OutboxRow
from runtime.store.messages.turn_start import Suspect, UserStillWriting
from runtime.store.messages.turns import Turn, TurnTakenOver
from runtime.text import is_blank, portable
from runtime.turns.leavings import WITHHELD_ITEM, RedactedHistory, redacted, was_said
from runtime.turns.loops import LoopSign, sign_of_loop
from runtime.turns.outcome import Endings, client_of
from runtime.turns.ownership import OwnedTurns
from runtime.turns.policy import Facts, MayAnswer, Options, Say, Silent, decide, is_loop_pause
from runtime.turns.prepare import Preparer
from runtime.turns.progress import Progress
from runtime.turns.request import Requests
from schemas.addresses import number_of

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
        functions: Functions,
        preparers: Sequence[Preparer],
        delivery: Delivery,
        windows: ReplyWindows,
        owned: OwnedTurns,
        suspects: Suspects,
        metrics: Metrics,
    ) -> None:
        self._settings = settings
        self._database = database
        self._catalog = catalog
        self._engines = engines
        self._requests = Requests(
            database, functions, preparers, catalog.salt, settings.memory_tokens, settings.timezone
        )
        self._preparers = preparers
        self._metrics = metrics
        self._delivery = delivery
        self._endings = Endings(settings, database, windows, metrics)
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
        except Exception:
            # Another process owns it; or a bug, which counts like a crash: it must not be repeated forever.
            if turn is not None:
                self._owned.drop(turn)
            raise
        finally:
            slot.release()
        return turn is not None and (
            self._owned.hold_of(conversation_id) is not None or len(turn.messages) >= turn_start.BURST_LIMIT
        )

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
        configuration = await self._catalog.configuration(turn.conversation.bot_id, turn.catalog_version)
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

    async def _ended(self, turn: Turn, configuration: Configuration | None) -> Sequence[OutboxRow] | _Retry:
        """Ends the turn on disk, answered or not; returns the rows to send."""
        now = timestamp()
        sign = None if is_loop_pause(turn.conversation, now) else await self._sign_of_loop(turn)
        decision = decide(self._facts(turn, configuration, now, is_loop=sign is not None))
        if isinstance(decision, Say) and was_said(turn, decision.text):
            decision = Silent(decision.reason)
        if not isinstance(decision, MayAnswer):
            return await self._endings.unanswered(turn, configuration, decision, sign)
        assert configuration is not None, "the policy never lets a missing bot answer"
        return await self._answered(turn, configuration, decision.options)

    def _facts(self, turn: Turn, configuration: Configuration | None, now: str, *, is_loop: bool) -> Facts:
        media = configuration.policy.media if configuration else None
        contents = [message.content for message in turn.messages]
        is_read = any(preparer.reads(part) for preparer in self._preparers for each in contents for part in each.parts)
        return Facts(
            configuration.bot if configuration else None,
            turn.conversation,
            now,
            contents=[] if is_read else contents,
            not_understood_message=(media and media.not_understood) or self._settings.not_understood_message,
            is_loop=is_loop,
            opt_out_message=self._settings.opt_out_message,
            opt_in_message=self._settings.opt_in_message,
        )

    async def _sign_of_loop(self, turn: Turn) -> LoopSign | None:
        """By what the other side shows that it is a program, if it does."""
        if await self._catalog.is_ours(number_of(turn.messages[-1].sender)):
            return "own_number"
        return sign_of_loop(turn)

    async def _answered(
        self, turn: Turn, configuration: Configuration, options: Options
    ) -> Sequence[OutboxRow] | _Retry:
        """Gets an answer, or fails for good, and ends the turn accordingly."""
        began = time.monotonic()
        progress = self._requests.progress_of(turn)
        try:
            answer = await self._answer(turn, configuration, options, progress)
        except TemporaryError as error:
            delay = self._delay(turn, error)
            if delay is None:
                return await self._endings.dead(turn, configuration, error, progress.items)
            self._metrics.turn_ended(client_of(turn, configuration), "retried")
            return _Retry(delay)
        except PermanentError as error:
            return await self._endings.dead(turn, configuration, error, progress.items)
        log.info(
            "turn_answered",
            seconds=round(time.monotonic() - began, 3),
            model=answer.model,
            input_tokens=answer.usage.input_tokens,
            output_tokens=answer.usage.output_tokens,
        )
        return await self._endings.answered(turn, configuration, answer, options.variant)

    async def _answer(self, turn: Turn, configuration: Configuration, options: Options, progress: Progress) -> Answer:
        if turn.starts > MAX_CRASHES:
            raise PermanentError(f"The turn was begun {MAX_CRASHES} times, and each time its process crashed.")
        try:
            engine = await self._engines.engine_of(configuration)
            request = await self._requests.of(turn, configuration, options, progress)
            async with self._engines.passing(request, time.monotonic() + self._seconds_left(turn)):
                try:
                    return _sendable(await engine.answer(request))
                except RequestRefused as refusal:
                    past = await self._without_failed_words(turn, refusal)
                    request = await self._requests.of(turn, configuration, options, progress, past.history)
                    answer = _sendable(await engine.answer(request))
                    await self._withhold(past)
                    return answer
        except (ProviderError, StoreError, TurnTakenOver):
            raise
        except Exception as error:
            # A bug must not leave the user without an answer, nor block the conversation.
            log.exception("engine_failed")
            raise PermanentError(f"The engine failed with {type(error).__name__}: {error}") from error

    async def _without_failed_words(self, turn: Turn, refusal: RequestRefused) -> RedactedHistory:
        """The turn's history without the words of failed turns, one of which may be why this request is refused; raises
        the refusal again where there are none."""
        past = redacted(await self._database.read(items.newest_items, turn.conversation.id, len(turn.history)))
        if not past.ids:
            raise refusal
        return past

    async def _withhold(self, past: RedactedHistory) -> None:
        """Withholds words for good: a request without them was accepted."""
        log.warning("failed_words_withheld", items=len(past.ids))
        await self._database.write(items.replace_items, past.ids, *WITHHELD_ITEM)

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


def _sendable(answer: Answer) -> Answer:
    """An answer with text that can be sent; raises PermanentError when there is none."""
    if is_blank(portable(answer.text)):
        raise PermanentError("The model answered with no text that could be sent.")
    return answer


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
