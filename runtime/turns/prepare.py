"""Between the beginning of a turn and its engine: the parts of messages are converted into what an engine can read.

    message ──► part ──► each preparer in turn ──► the part for the engine
                             └─ what costs: once, noted in the turn's progress

A preparer converts the parts that it is for and returns the others unchanged. It may be called again for the same part,
when the turn is attempted again or was interrupted: work that costs something goes through `Preparation.once`. Only
work that was done and not yet noted when the process crashed is paid for twice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeAlias

from runtime.catalog import Configuration
from runtime.content.parts import Attached, Content, Media, Part, UnreadFile
from runtime.media.folder import TurnFiles
from runtime.store.messages.turns import WaitingMessage
from runtime.turns.progress import Progress
from schemas.models import facts_of


@dataclass(frozen=True, slots=True)
class Reading:
    """What of a client's messages is to be read, and for which engine."""

    configuration: Configuration
    sees_images: bool
    reads_files: bool


def reading_of(configuration: Configuration, other_model: str | None = None) -> Reading:
    """What the engine and model of a bot can be given; `other_model` answers instead of theirs. A model that is not
    known here is taken for one that can."""
    bot, assistant = configuration.bot, configuration.assistant
    is_live = bot.assistant_id is not None and assistant is None
    model = other_model or bot.model or (assistant.model if assistant else None)
    facts = facts_of(model) if model else None
    return Reading(
        configuration,
        sees_images=not is_live and (facts is None or facts.images),
        reads_files=not is_live and (facts is None or facts.files),
    )


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at a turn, as its messages are prepared."""

    reading: Reading
    turn_id: int
    progress: Progress
    files: TurnFiles
    deadline: float
    """When the turn is given up, a time of `time.monotonic`."""


@dataclass(frozen=True, slots=True)
class Preparation:
    """The context of a part for preparers."""

    attempt: Attempt
    message: WaitingMessage
    index: int
    """Index of the part in the message."""
    file_count: int
    """Number of parts that are read in this turn."""

    @property
    def configuration(self) -> Configuration:
        """The bot and assistant that answer."""
        return self.attempt.reading.configuration

    async def once(self, name: str, work: Callable[[], Awaitable[Any]]) -> Any:
        """The result of `work`, a JSON value, under a name among the results of this part. `work` is done once."""
        return await self.attempt.progress.once(self._key(name), work)

    def noted(self, name: str) -> Any:
        """The result that an earlier attempt noted; None without one."""
        return self.attempt.progress.result(self._key(name))

    def said(self, text: str) -> None:
        """Notes what a file says. It is stored with the message when the turn ends, for who reads it later."""
        self.attempt.progress.texts[self.message.inbox_id, self.index] = text

    def _key(self, name: str) -> str:
        return f"{self.message.inbox_id}/{self.index}/{name}"


class Preparer(Protocol):
    """Prepares one kind of part."""

    def reads(self, part: Part, reading: Reading) -> bool:
        """Whether it makes something of this part that can be answered, so that a message of this part alone is."""

    async def prepare(self, part: Part, preparation: Preparation) -> Part:
        """The part for the engine. Raises PermanentError or TemporaryError, as an engine does."""


Preparers: TypeAlias = Sequence[Preparer]


async def prepared(
    messages: Sequence[WaitingMessage], preparers: Preparers, attempt: Attempt
) -> Sequence[WaitingMessage]:
    """The messages in the form for the engine."""
    if not preparers:
        return messages
    files = sum(is_read(part, preparers, attempt.reading) for each in messages for part in each.content.parts)
    return [await _prepared(message, preparers, attempt, files) for message in messages]


def is_read(part: Part, preparers: Preparers, reading: Reading) -> bool:
    """Whether any of the preparers reads a part."""
    return any(preparer.reads(part, reading) for preparer in preparers)


def reads_any(contents: Sequence[Content], preparers: Preparers, configuration: Configuration) -> bool:
    """Whether any of these messages has a file that is read."""
    files = [part for content in contents for part in content.parts if isinstance(part, Media)]
    if not files:
        return False
    reading = reading_of(configuration)
    return any(is_read(part, preparers, reading) for part in files)


async def _prepared(message: WaitingMessage, preparers: Preparers, attempt: Attempt, files: int) -> WaitingMessage:
    parts = list(message.content.parts)
    for index, part in enumerate(parts):
        preparation = Preparation(attempt, message, index, files)
        for preparer in preparers:
            parts[index] = part = await preparer.prepare(part, preparation)
    made = tuple(parts)
    return message if made == message.content.parts else with_parts(message, made)


def with_parts(message: WaitingMessage, parts: tuple[Part, ...]) -> WaitingMessage:
    """A message with other parts."""
    return message._replace(content=replace(message.content, parts=parts))


def without_files(messages: Sequence[WaitingMessage]) -> Sequence[WaitingMessage] | None:
    """Prepared messages whose pictures and documents are left out, since the provider refused them; None where they
    have none."""
    if not any(isinstance(part, Attached) for message in messages for part in message.content.parts):
        return None
    return [with_parts(message, tuple(map(_left_out, message.content.parts))) for message in messages]


def _left_out(part: Part) -> Part:
    return UnreadFile(part.part, "unreadable") if isinstance(part, Attached) else part


def with_texts(messages: Sequence[WaitingMessage], texts: Mapping[tuple[int, int], str]) -> Sequence[WaitingMessage]:
    """Messages as they came, with what their files say, as far as it was read (`Progress.texts`)."""
    return [_with_texts(message, texts) for message in messages] if texts else messages


def _with_texts(message: WaitingMessage, texts: Mapping[tuple[int, int], str]) -> WaitingMessage:
    read = {
        index: texts[key] for index in range(len(message.content.parts)) if (key := (message.inbox_id, index)) in texts
    }
    if not read:
        return message
    parts = [
        replace(part, text=read[index]) if index in read and isinstance(part, Media) else part
        for index, part in enumerate(message.content.parts)
    ]
    return with_parts(message, tuple(parts))
