"""Turns: one answer in progress, from its messages to its memory and outbox rows; `turn_start` begins one. Functions
over a connection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from sqlalchemy import Connection

from runtime.content.parts import Content
from runtime.store.database.statement import Statement
from runtime.store.database.times import timestamp
from runtime.store.messages import conversations
from runtime.store.messages.conversations import Conversation
from runtime.store.messages.outbox import OutboundMessage, OutboxRow, add_to_outbox


class TurnTakenOver(Exception):
    """A process that counted as crashed is active again: its answer and further work are discarded."""


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
    """Twilio's parameters without a column, as JSON: also those that are not in `content`."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A process's claim to a turn that it began; it is lost when another process begins the turn."""

    turn_id: int
    starts: int
    started_at: str


class HistoryItem(NamedTuple):
    """One item of a conversation's memory."""

    item: str
    """JSON: an input item of the Responses API."""
    tokens: int
    at: str
    """When its turn ended, as text of `timestamp`."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn that has begun, with its data from the store."""

    id: int
    conversation: Conversation
    starts: int
    """Number of processes that have begun it and have not recorded an outcome, this one included."""
    started_at: str
    """When its current process began it."""
    messages: Sequence[WaitingMessage]
    history: Sequence[HistoryItem]
    """Oldest first."""
    progress: str | None
    """Function calls made and answered before the turn was interrupted, or became a dead letter, as JSON."""
    catalog_version: int
    recent: Sequence[tuple[str, str]] = ()
    """The newest items of the conversation as JSON with the times at which they were stored, oldest first."""

    @property
    def hold(self) -> Hold:
        """Its process's hold."""
        return Hold(self.id, self.starts, self.started_at)


@dataclass(frozen=True, slots=True)
class Usage:
    """A turn's token usage as the provider counted it."""

    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of a turn."""

    state: Literal["answered", "unanswered", "dead"]
    outbound: Sequence[OutboundMessage] = ()
    items: Sequence[tuple[str, int]] = ()
    """Items for the history as JSON with their size in tokens."""
    model: str | None = None
    usage: Usage = Usage()
    bot_version: int | None = None
    assistant_version: int | None = None
    variant: str | None = None
    """The bot's variant that answered."""
    error: str | None = None
    reason: str | None = None
    """The policy's reason for not answering."""
    is_loop: bool = False
    """Whether a loop between programs was found: its conversation is paused from now on."""
    is_fallback: bool = False
    """Whether `outbound` is the fallback message."""


RELEASE = Statement(
    "UPDATE turns SET starts = starts - 1, started_at = ''"
    " WHERE id = :id AND state = 'running' AND starts = :starts AND started_at = :started_at"
)
END = Statement(
    "UPDATE turns SET state = :state, model = :model, input_tokens = :input_tokens, cached_tokens = :cached_tokens,"
    " output_tokens = :output_tokens, bot_version = :bot_version, assistant_version = :assistant_version,"
    " variant = :variant, reason = :reason, error = :error, finished_at = :now,"
    " progress = CASE WHEN CAST(:state AS text) = 'dead' THEN progress END"
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
    """Writes the end of a turn, its memory and the messages to send in one transaction; returns the latter. A dead
    letter keeps its progress, from which a retry continues.

    Raises TurnTakenOver when another process has begun the turn since and will answer.
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
    if ending.state == "answered":
        conversations.note(connection, turn.conversation, None, None)
    else:
        loop_since = now if ending.is_loop else turn.conversation.loop_since
        fallback_at = now if ending.is_fallback else turn.conversation.fallback_at
        conversations.note(connection, turn.conversation, loop_since, fallback_at)
    return [add_to_outbox(connection, message, turn.id) for message in ending.outbound]


def release(connection: Connection, hold: Hold) -> None:
    """Releases a turn that did not crash its process; changes nothing when another process owns the turn.

    Until it is begun again it has no start time, so that no earlier hold matches it again.
    """
    RELEASE.run(connection, id=hold.turn_id, starts=hold.starts, started_at=hold.started_at)


def remember(
    connection: Connection, conversation_id: int, items: Sequence[tuple[str, int]], turn_id: int | None = None
) -> None:
    """Adds items to a conversation's history."""
    now = timestamp()
    REMEMBER.each(
        connection,
        [
            {"conversation_id": conversation_id, "turn_id": turn_id, "item": item, "tokens": tokens, "now": now}
            for item, tokens in items
        ],
    )


def keep_progress(connection: Connection, hold: Hold, progress: str) -> None:
    """Stores the function calls of a turn, so that an interrupted one continues from there.

    Raises TurnTakenOver when another process owns the turn and makes the calls.
    """
    kept = KEEP_PROGRESS.run(
        connection, id=hold.turn_id, starts=hold.starts, started_at=hold.started_at, progress=progress
    )
    if not kept:
        raise _taken_over(hold.turn_id)


def keep_thread(connection: Connection, hold: Hold, thread_id: str) -> None:
    """Stores the provider's thread of a turn's conversation, before any input is submitted to it; raises
    TurnTakenOver."""
    if not conversations.keep_thread(
        connection, thread_id, turn_id=hold.turn_id, starts=hold.starts, started_at=hold.started_at
    ):
        raise _taken_over(hold.turn_id)


def _taken_over(turn_id: int) -> TurnTakenOver:
    return TurnTakenOver(f"Turn {turn_id} was taken over by another replica while this one was silent.")
