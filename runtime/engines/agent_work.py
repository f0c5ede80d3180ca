"""The state of one attempt at a turn of the engine `agents`, and the notes in which it passes that to the next
attempt."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from openai.types.beta import TokenUsage
from openai.types.beta.agents.sessions.turn import Turn

from runtime.engines.past import noted_calls
from runtime.engines.port import Request
from runtime.store.usage.quantities import Usage


@dataclass(slots=True)
class Work:
    """One attempt at a turn, with the notes of the attempts before it.

    Notes of the type `said` record up to which message the input was submitted, to which session (null: to one that was
    being created) and after which of its turns; those of the type `called` hold the results of functions.
    """

    request: Request
    deadline: float
    said: list[Mapping[str, Any]] = field(default_factory=list)
    called: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """The notes of finished calls of functions, by call id."""
    usage: Usage = field(default_factory=Usage)
    uncounted: list[Turn] = field(default_factory=list)
    """Turns that have ended and whose usage is not known yet."""

    def __post_init__(self) -> None:
        # A dead letter that joined this turn brings its calls, and notes on input that say nothing about this one's.
        turn_id = self.request.turn_id
        self.said += [
            note
            for note in self.request.progress
            if note.get("type") == "said" and note.get("turn", turn_id) == turn_id
        ]
        self.called |= noted_calls(self.request.progress)

    async def keep(self) -> None:
        """Stores a note, so that the next attempt continues from here."""
        await self.request.keep_progress([*self.said, *self.called.values()])

    def count(self, turn: Turn) -> None:
        """Adds a turn's usage, which is often not known yet when the turn has just ended."""
        if turn.usage is None:
            self.uncounted.append(turn)
        else:
            self.usage = added(self.usage, turn.usage)


def added(usage: Usage, more: TokenUsage) -> Usage:
    """With the other usage that the provider counted."""
    return usage + Usage(more.input_tokens, more.input_tokens_details.cached_tokens, more.output_tokens)


def note_of_saying(request: Request, session_id: str | None, after: str | None) -> Mapping[str, Any]:
    """The note that all of the user's messages are about to be submitted to a session (None: to one that is being
    created)."""
    said = len(request.messages)
    return {
        "type": "said",
        "turn": request.turn_id,
        "session": session_id,
        "after": after,
        "messages": said,
        "at": int(time.time()),
    }
