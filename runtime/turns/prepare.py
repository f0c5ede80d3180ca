"""Between the beginning of a turn and its engine: the parts of messages are converted into what an engine can read.

    message ──► part ──► each preparer in turn ──► the part for the engine
                             └─ what costs: once, noted in the turn's progress

A preparer converts the parts that it is for and returns the others unchanged. It may be called again for the same part,
when the turn is attempted again or was interrupted: work that costs something goes through `Preparation.once`. Only
work that was done and not yet noted when the process crashed is paid for twice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from runtime.catalog import Configuration
from runtime.content.parts import Part
from runtime.store.messages.turns import WaitingMessage
from runtime.turns.progress import Progress


@dataclass(frozen=True, slots=True)
class Preparation:
    """The context of a part for preparers."""

    configuration: Configuration
    message: WaitingMessage
    index: int
    """Index of the part in the message."""
    progress: Progress

    async def once(self, name: str, work: Callable[[], Awaitable[Any]]) -> Any:
        """The result of `work`, a JSON value, under a name among the results of this part. `work` is done once."""
        return await self.progress.once(f"{self.message.inbox_id}/{self.index}/{name}", work)


class Preparer(Protocol):
    """Prepares one kind of part."""

    def reads(self, part: Part) -> bool:
        """Whether it makes words of this part, so that a message of this part alone can be answered."""

    async def prepare(self, part: Part, preparation: Preparation) -> Part:
        """The part for the engine. Raises PermanentError or TemporaryError, as an engine does."""


async def prepared(
    messages: Sequence[WaitingMessage], preparers: Sequence[Preparer], configuration: Configuration, progress: Progress
) -> Sequence[WaitingMessage]:
    """The messages in the form for the engine."""
    if not preparers:
        return messages
    return [await _prepared(message, preparers, configuration, progress) for message in messages]


async def _prepared(
    message: WaitingMessage, preparers: Sequence[Preparer], configuration: Configuration, progress: Progress
) -> WaitingMessage:
    parts = list(message.content.parts)
    for index, part in enumerate(parts):
        preparation = Preparation(configuration, message, index, progress)
        for preparer in preparers:
            parts[index] = part = await preparer.prepare(part, preparation)
    return replace(message, content=replace(message.content, parts=tuple(parts)))
