"""Turns: one answer in the making, from the messages it answers to what is remembered and sent. Functions over a
connection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection

from runtime.store.outbox import Draft, OutboxRow, add_to_outbox
from runtime.store.statement import Statement
from runtime.store.times import timestamp

BURST_LIMIT = 100
"""Messages answered by one turn at the most."""


class TurnTakenOver(Exception):
    """A process that was taken for dead comes back with an answer; it must not be given twice."""


@dataclass(frozen=True, slots=True)
class WaitingMessage:
    """A message that a turn answers."""

    inbox_id: int
    account_sid: str
    message_sid: str
    sender: str
    body: str
    received_at: str


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn that has begun, with everything the store knows about it."""

    id: int
    conversation_id: int
    bot_id: str
    user_key: str
    starts: int
    """How many processes have begun it; a turn that ends its process is not begun for ever."""
    started_at: str
    messages: Sequence[WaitingMessage]
    history: Sequence[tuple[str, int]]
    """Remembered items as JSON with their size in tokens, oldest first."""
    progress: str | None
    """Function calls made and answered before the turn was cut short, as JSON."""
    thread_id: str | None
    catalog_version: int


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
    drafts: Sequence[Draft] = ()
    items: Sequence[tuple[str, int]] = ()
    """What is remembered: items as JSON with their size in tokens."""
    model: str | None = None
    usage: Usage = Usage()
    bot_version: int | None = None
    assistant_version: int | None = None
    error: str | None = None


WAITING = Statement(
    "SELECT id, account_sid, message_sid, sender, body, received_at, bot_id, turn_id FROM inbox"
    " WHERE conversation_id = :conversation_id AND state = 'open' ORDER BY id LIMIT :limit"
)
ATTACHED = Statement(
    "SELECT id, account_sid, message_sid, sender, body, received_at, bot_id, turn_id FROM inbox"
    " WHERE turn_id = :turn_id AND state = 'open' ORDER BY id"
)
BEGIN = Statement(
    "INSERT INTO turns (conversation_id, bot_id, state, starts, started_at)"
    " VALUES (:conversation_id, :bot_id, 'running', 1, :now) RETURNING id"
)
AGAIN = Statement(
    "UPDATE turns SET state = 'running', starts = starts + :more WHERE id = :id RETURNING starts, started_at, progress"
)
ATTACH = Statement(
    "UPDATE inbox SET turn_id = :turn_id WHERE conversation_id = :conversation_id AND state = 'open' AND id <= :last"
)
HISTORY = Statement(
    "SELECT item, tokens FROM items WHERE conversation_id = :conversation_id ORDER BY id DESC LIMIT :limit"
)
SITUATION = Statement(
    "SELECT conversations.user_key, conversations.thread_id, catalog.version FROM conversations, catalog"
    " WHERE conversations.id = :conversation_id"
)
END = Statement(
    "UPDATE turns SET state = :state, model = :model, input_tokens = :input_tokens, cached_tokens = :cached_tokens,"
    " output_tokens = :output_tokens, bot_version = :bot_version, assistant_version = :assistant_version,"
    " error = :error, finished_at = :now WHERE id = :id AND state = 'running' AND starts = :starts"
)
CLOSE_MESSAGES = Statement("UPDATE inbox SET state = :state WHERE turn_id = :turn_id AND state = 'open'")
REMEMBER = Statement(
    "INSERT INTO items (conversation_id, turn_id, item, tokens, created_at)"
    " VALUES (:conversation_id, :turn_id, :item, :tokens, :now)"
)
KEEP_PROGRESS = Statement("UPDATE turns SET progress = :progress WHERE id = :id")
KEEP_THREAD = Statement("UPDATE conversations SET thread_id = :thread_id WHERE id = :conversation_id")


def begin_turn(connection: Connection, conversation_id: int, memory_items: int, retried: int | None) -> Turn | None:
    """Begins a turn for the messages that wait, or goes on with one that was cut short; None when none waits.

    `retried` is the turn that this process has begun before and tries again.
    """
    waiting = WAITING.rows(connection, conversation_id=conversation_id, limit=BURST_LIMIT)
    if not waiting:
        return None
    now = timestamp()
    bot_id = waiting[-1][6]
    begun = next((row[7] for row in waiting if row[7] is not None), None)
    if begun is None:
        (turn_id,) = BEGIN.one(connection, conversation_id=conversation_id, bot_id=bot_id, now=now)
        starts, started_at, progress = 1, now, None
    else:
        turn_id = begun
        more = 0 if turn_id == retried else 1
        starts, started_at, progress = AGAIN.one(connection, id=turn_id, more=more)
    attached = ATTACH.run(connection, turn_id=turn_id, conversation_id=conversation_id, last=waiting[-1][0])
    if attached != len(waiting):
        # On PostgreSQL a message with a smaller id may be committed between the two statements.
        waiting = ATTACHED.rows(connection, turn_id=turn_id)
    history = HISTORY.rows(connection, conversation_id=conversation_id, limit=memory_items)
    user_key, thread_id, version = SITUATION.one(connection, conversation_id=conversation_id)
    return Turn(
        id=turn_id,
        conversation_id=conversation_id,
        bot_id=bot_id,
        user_key=user_key,
        starts=starts,
        started_at=started_at,
        messages=[WaitingMessage(*row[:6]) for row in waiting],
        history=[(row[0], row[1]) for row in reversed(history)],
        progress=progress,
        thread_id=thread_id,
        catalog_version=version,
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
        state=ending.state,
        model=ending.model,
        input_tokens=ending.usage.input_tokens,
        cached_tokens=ending.usage.cached_tokens,
        output_tokens=ending.usage.output_tokens,
        bot_version=ending.bot_version,
        assistant_version=ending.assistant_version,
        error=ending.error,
        now=now,
    )
    if not ended:
        raise TurnTakenOver(f"Turn {turn.id} was taken over by another replica while this one was silent.")
    CLOSE_MESSAGES.run(connection, turn_id=turn.id, state=ending.state)
    remember(connection, turn.conversation_id, ending.items, turn.id)
    return [add_to_outbox(connection, draft, turn.id) for draft in ending.drafts]


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


def keep_progress(connection: Connection, turn_id: int, progress: str) -> None:
    """Notes the function calls of a turn, so that one that is cut short goes on from there."""
    KEEP_PROGRESS.run(connection, id=turn_id, progress=progress)


def keep_thread(connection: Connection, conversation_id: int, thread_id: str) -> None:
    """Notes the provider's thread of a conversation, before anything is said in it."""
    KEEP_THREAD.run(connection, conversation_id=conversation_id, thread_id=thread_id)
