"""Asking a client's model for the answer of a turn: its messages prepared, the request built, the engine called.

messages ──► prepared ──► something to answer? ──no──► NoticeInstead, PersonAsked
                                 └─ request ──► engine ──refused──► without files, or without failed words
                                                   └─ the model was not found ──► the fallback model
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from runtime.catalog import Configuration
from runtime.content.opting import is_said_to_opt_out
from runtime.content.person_asked import asks_for_person
from runtime.engines.port import Answer, Engine
from runtime.engines.selection import Engines
from runtime.errors import ModelGone, PermanentError, ProviderError, RequestRefused
from runtime.media.folder import MediaFolder
from runtime.resilience.poison import MAX_CRASHES
from runtime.settings import Settings
from runtime.store.database.database import Database
from runtime.store.errors import StoreError
from runtime.store.messages import items
from runtime.store.messages.turns import Turn, TurnTakenOver, WaitingMessage
from runtime.text import is_blank, portable
from runtime.turns.fallback import Fallbacks
from runtime.turns.leavings import WITHHELD_ITEM, RedactedHistory, redacted
from runtime.turns.media_sentences import has_something, sentence_for
from runtime.turns.opting_out import own_words
from runtime.turns.policy import Options, Reason, Say
from runtime.turns.prepare import reads_any, without_files
from runtime.turns.progress import Progress, engine_notes
from runtime.turns.request import Requests

log = structlog.get_logger("runtime.turn")


class NoticeInstead(Exception):
    """What files say shows that no model is asked: the user gets a notice."""

    def __init__(self, reason: Reason, sentence: str) -> None:
        super().__init__(sentence)
        self.notice = Say(reason, sentence, once="minute")


class PersonAsked(Exception):
    """A recording of a turn asks for a person."""


@dataclass(frozen=True, slots=True)
class Asking:
    """Asks models for answers."""

    settings: Settings
    database: Database
    engines: Engines
    requests: Requests
    folder: MediaFolder
    fallbacks: Fallbacks

    async def answer(
        self, turn: Turn, configuration: Configuration, options: Options, progress: Progress, seconds: float
    ) -> tuple[Answer, Options]:
        """The answer of the client's model, or of its fallback model where that one is not available; and with which
        options it was asked. `seconds`: how long the turn may still take.

        Raises NoticeInstead, PersonAsked, TurnTakenOver, and the errors of providers and the store; a bug is a
        PermanentError.
        """
        deadline = time.monotonic() + seconds
        options = self.fallbacks.known(configuration, options)
        try:
            return await self._answer(turn, configuration, options, progress, deadline), options
        except ModelGone as gone:
            other = await self.fallbacks.instead(gone, configuration, options)
            if other is None:
                raise
        return await self._answer(turn, configuration, other, progress, deadline), other

    async def _answer(
        self, turn: Turn, configuration: Configuration, options: Options, progress: Progress, deadline: float
    ) -> Answer:
        if turn.starts > MAX_CRASHES:
            raise PermanentError(f"The turn was begun {MAX_CRASHES} times, and each time its process crashed.")
        try:
            engine = await self.engines.engine_of(configuration)
            with self.folder.turn() as files:
                messages = await self.requests.prepared(turn, configuration, options, progress, files, deadline)
                self._check_readable(messages, configuration)
                self._check_for_person(turn, messages, configuration)
                return await self._asked(engine, turn, configuration, options, progress, messages, deadline)
        except (ProviderError, StoreError, TurnTakenOver, NoticeInstead, PersonAsked):
            raise
        except Exception as error:
            # A bug must not leave the user without an answer, nor block the conversation.
            log.exception("engine_failed")
            raise PermanentError(f"The engine failed with {type(error).__name__}: {error}") from error

    async def _asked(
        self,
        engine: Engine,
        turn: Turn,
        configuration: Configuration,
        options: Options,
        progress: Progress,
        messages: Sequence[WaitingMessage],
        deadline: float,
    ) -> Answer:
        """The engine's answer; once more without files, or without the words of failed turns, where it refuses them."""
        request = await self.requests.of(turn, configuration, options, progress, messages)
        async with self.engines.passing(request, deadline):
            try:
                return _sendable(await engine.answer(request))
            except RequestRefused as refusal:
                if not refusal.is_for_words and (without := without_files(messages)) is not None:
                    log.warning("files_refused", error=str(refusal))
                    self._check_readable(without, configuration)
                    request = await self.requests.of(turn, configuration, options, progress, without)
                    return _sendable(await engine.answer(request))
                past = await self._without_failed_words(turn, refusal)
                request = await self.requests.of(turn, configuration, options, progress, messages, past.history)
                answer = _sendable(await engine.answer(request))
                await self._withhold(past)
                return answer

    def _check_readable(self, messages: Sequence[WaitingMessage], configuration: Configuration) -> None:
        """Raises NoticeInstead where there is nothing in them for a model, or only what is to be asked for in writing:
        a transcript never opts out."""
        contents = [message.content for message in messages]
        if not has_something(contents):
            sentence = sentence_for(contents, configuration.policy, self.settings.not_understood_message)
            raise NoticeInstead("media", sentence)
        words = own_words(configuration.policy)
        if all(is_said_to_opt_out(content, words) for content in contents):
            raise NoticeInstead("opt_out", self.settings.opt_out_question)

    def _check_for_person(self, turn: Turn, messages: Sequence[WaitingMessage], configuration: Configuration) -> None:
        """Raises PersonAsked where what was read in them asks for a person: the policy has seen only the rest."""
        handoff = configuration.policy.handoff
        if handoff is None or engine_notes(turn.progress):
            return
        came = [message.content for message in turn.messages]
        read = [message.content for message in messages]
        if reads_any(came, self.requests.preparers, configuration) and asks_for_person(read, handoff.phrases or ()):
            raise PersonAsked

    async def _without_failed_words(self, turn: Turn, refusal: RequestRefused) -> RedactedHistory:
        """The turn's history without the words of failed turns, one of which may be why this request is refused; raises
        the refusal again where there are none."""
        past = redacted(await self.database.read(items.newest_items, turn.conversation.id, len(turn.history)))
        if not past.ids:
            raise refusal
        return past

    async def _withhold(self, past: RedactedHistory) -> None:
        """Withholds words for good: a request without them was accepted."""
        log.warning("failed_words_withheld", items=len(past.ids))
        await self.database.write(items.replace_items, past.ids, *WITHHELD_ITEM)


def _sendable(answer: Answer) -> Answer:
    """An answer with something that can be sent, or none at all; raises PermanentError for any other."""
    if not answer.is_none and not answer.has_sent and is_blank(portable(answer.text)):
        raise PermanentError("The model answered with no text that could be sent.")
    return answer
