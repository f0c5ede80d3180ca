"""Between the beginning of a turn and its engine: what the messages hold is made into what an engine can read.

    message ──► part ──► each preparer in turn ──► the part for the engine
                             └─ what it pays for: once, noted in the turn's progress

A preparer changes the parts that it is for and hands back the others as they are. It may be called again for the same
part, when the turn is attempted again or was cut short: what costs something goes through `Preparation.once`. Paid for
twice is only what was paid for and not yet noted when the process crashed.
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
    """What a preparer knows beside the part."""

    configuration: Configuration
    message: WaitingMessage
    index: int
    """Of the part in the message."""
    progress: Progress

    async def once(self, name: str, work: Callable[[], Awaitable[Any]]) -> Any:
        """The result of `work`, a JSON value, under a name among the results of this part. `work` is done once."""
        return await self.progress.once(f"{self.message.inbox_id}/{self.index}/{name}", work)


class Preparer(Protocol):
    """Prepares one kind of part."""

    async def prepare(self, part: Part, preparation: Preparation) -> Part:
        """The part for the engine. Raises PermanentError or TemporaryError, as an engine does."""


async def prepared(
    messages: Sequence[WaitingMessage], preparers: Sequence[Preparer], configuration: Configuration, progress: Progress
) -> Sequence[WaitingMessage]:
    """The messages as the engine gets them."""
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
