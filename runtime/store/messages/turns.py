"""Turns: one answer in the making, from the messages it answers to what is remembered and sent; `beginning` has how one
begins. Functions over a connection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection

from runtime.content.parts import Content
from runtime.store.database.statement import Statement
from runtime.store.database.times import timestamp
from runtime.store.messages import conversations
from runtime.store.messages.conversations import Conversation
from runtime.store.messages.outbox import OutboundMessage, OutboxRow, add_to_outbox


class TurnTakenOver(Exception):
    """A process that was taken for dead comes back: neither its answer nor what it would do next is wanted."""


@dataclass(frozen=True, slots=True)
class WaitingMessage:
    """A message that a turn answers."""

    inbox_id: int
    account_sid: str
    message_sid: str
    sender: str
    received_at: str
    content: Content
    params: str
    """Twilio's parameters that have no column, as JSON: also what `content` does not know of."""


@dataclass(frozen=True, slots=True)
class Hold:
    """What a process has of a turn that it began; it is gone when another one begins the turn."""

    turn_id: int
    starts: int
    started_at: str


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn that has begun, with everything the store knows about it."""

    id: int
    conversation: Conversation
    starts: int
    """How many processes have begun it and did not live to say what became of it, this one included."""
    started_at: str
    """When the process that has it took it up."""
    messages: Sequence[WaitingMessage]
    history: Sequence[tuple[str, int]]
    """Remembered items as JSON with their size in tokens, oldest first."""
    progress: str | None
    """Function calls made and answered before the turn was cut short, as JSON."""
    catalog_version: int

    @property
    def hold(self) -> Hold:
        """What its process has of it."""
        return Hold(self.id, self.starts, self.started_at)


@dataclass(frozen=True, slots=True)
class Usage:
    """What the provider counted for a turn."""

    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Ending:
    """How a turn ended."""

    state: Literal["answered", "unanswered", "dead"]
    outbound: Sequence[OutboundMessage] = ()
    items: Sequence[tuple[str, int]] = ()
    """What is remembered: items as JSON with their size in tokens."""
    model: str | None = None
    usage: Usage = Usage()
    bot_version: int | None = None
    assistant_version: int | None = None
    variant: str | None = None
    """Which of the bot's ways to answer answered."""
    error: str | None = None
    reason: str | None = None
    """Why nobody answered, in one word of the policy's."""


HAND_BACK = Statement(
    "UPDATE turns SET starts = starts - 1, started_at = ''"
    " WHERE id = :id AND state = 'running' AND starts = :starts AND started_at = :started_at"
)
END = Statement(
    "UPDATE turns SET state = :state, model = :model, input_tokens = :input_tokens, cached_tokens = :cached_tokens,"
    " output_tokens = :output_tokens, bot_version = :bot_version, assistant_version = :assistant_version,"
    " variant = :variant, reason = :reason, error = :error, progress = NULL, finished_at = :now"
    " WHERE id = :id AND state = 'running' AND starts = :starts AND started_at = :started_at"
)
CLOSE_MESSAGES = Statement("UPDATE inbox SET state = :state WHERE turn_id = :turn_id AND state = 'open'")
REMEMBER = Statement(
    "INSERT INTO items (conversation_id, turn_id, item, tokens, created_at)"
    " VALUES (:conversation_id, :turn_id, :item, :tokens, :now)"
)
KEEP_PROGRESS = Statement(
    "UPDATE turns SET progress = :progress"
    " WHERE id = :id AND state = 'running' AND starts = :starts AND started_at = :started_at"
)


def end_turn(connection: Connection, turn: Turn, ending: Ending) -> list[OutboxRow]:
    """Writes how a turn ended, what is remembered and what is to be sent, all or nothing; returns the latter.

    Raises TurnTakenOver when somebody else has begun the turn since: the answer is theirs to give.
    """
    now = timestamp()
    ended = END.run(
        connection,
        id=turn.id,
        starts=turn.starts,
        started_at=turn.started_at,
        state=ending.state,
        model=ending.model,
        input_tokens=ending.usage.input_tokens,
        cached_tokens=ending.usage.cached_tokens,
        output_tokens=ending.usage.output_tokens,
        bot_version=ending.bot_version,
        assistant_version=ending.assistant_version,
        variant=ending.variant,
        reason=ending.reason,
        error=ending.error,
        now=now,
    )
    if not ended:
        raise _taken_over(turn.id)
    CLOSE_MESSAGES.run(connection, turn_id=turn.id, state=ending.state)
    remember(connection, turn.conversation.id, ending.items, turn.id)
    return [add_to_outbox(connection, message, turn.id) for message in ending.outbound]


def hand_back(connection: Connection, hold: Hold) -> None:
    """Says that a process lets go of a turn that did not end it; changes nothing when somebody else has the turn.

    Until it is begun again it was started at no time, so nobody who had it before comes to have it again.
    """
    HAND_BACK.run(connection, id=hold.turn_id, starts=hold.starts, started_at=hold.started_at)


def remember(
    connection: Connection, conversation_id: int, items: Sequence[tuple[str, int]], turn_id: int | None = None
) -> None:
    """Adds items to a conversation's memory."""
    now = timestamp()
    REMEMBER.each(
        connection,
        [
            {"conversation_id": conversation_id, "turn_id": turn_id, "item": item, "tokens": tokens, "now": now}
            for item, tokens in items
        ],
    )


def keep_progress(connection: Connection, hold: Hold, progress: str) -> None:
    """Notes the function calls of a turn, so that one that is cut short goes on from there.

    Raises TurnTakenOver when somebody else has the turn: the calls are theirs to make.
    """
    kept = KEEP_PROGRESS.run(
        connection, id=hold.turn_id, starts=hold.starts, started_at=hold.started_at, progress=progress
    )
    if not kept:
        raise _taken_over(hold.turn_id)


def keep_thread(connection: Connection, hold: Hold, thread_id: str) -> None:
    """Notes the provider's thread of a turn's conversation, before anything is said in it; raises TurnTakenOver."""
    if not conversations.keep_thread(
        connection, thread_id, turn_id=hold.turn_id, starts=hold.starts, started_at=hold.started_at
    ):
        raise _taken_over(hold.turn_id)


def _taken_over(turn_id: int) -> TurnTakenOver:
    return TurnTakenOver(f"Turn {turn_id} was taken over by another replica while this one was silent.")
